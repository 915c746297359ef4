import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_struct,
} from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  Health,
  type HealthListResponse,
  HealthCheckResponse_ServingStatus as Status,
} from '../../gen/grpc/health/v1/health_pb.ts';
import { ServerReflection, type ServerReflectionResponse } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { CLIENTS, type RpcClient } from './clients.ts';
import { startTestService, type TestService } from './service.ts';

let service: TestService;
let client: RpcClient;

beforeEach(async () => {
  service = await startTestService();
  client = CLIENTS['gRPC by grpc-js']!(service.url);
});
afterEach(async () => {
  client[Symbol.dispose]();
  await service[Symbol.asyncDispose]();
});

describe('health', () => {
  test('the server and each service are SERVING; an unknown service is NOT_FOUND', async () => {
    for (const name of ['', 'passthru.v1.PassthruService', 'passthru.v1.JobService']) {
      expect((await client.unary(Health.method.check, { service: name })).status).toBe(Status.SERVING);
    }
    await expect(client.unary(Health.method.check, { service: 'x' })).rejects.toMatchObject({ code: Code.NotFound });
    const { statuses }: HealthListResponse = await client.unary(Health.method.list, {});
    expect(Object.keys(statuses)).toContain('passthru.v1.NodeService');
  });

  test('a service that accepts no more calls is NOT_SERVING', async () => {
    await service.core.shutdown(0);
    expect((await client.unary(Health.method.check, {})).status).toBe(Status.NOT_SERVING);
  });

  test('a watch sends the state immediately, of an unknown service too', async () => {
    for (const [name, status] of [
      ['', Status.SERVING],
      ['x', Status.SERVICE_UNKNOWN],
    ] as const) {
      for await (const response of client.stream(Health.method.watch, { service: name })) {
        expect(response.status).toBe(status);
        break;
      }
    }
  });
});

describe.each([
  ['v1', ServerReflection],
  ['v1alpha', ServerReflectionAlpha as unknown as typeof ServerReflection],
])('reflection %s', (_version, reflection: typeof ServerReflection) => {
  type Request = Partial<Record<'fileContainingSymbol' | 'fileByFilename' | 'listServices', string>>;

  /** Sends all requests over one stream, by grpc-js. */
  async function reflect(...requests: Request[]) {
    const { serverReflectionInfo: method } = reflection.method;
    const client = new Client(new URL(service.url).host, credentials.createInsecure());
    const stream = client.makeBidiStreamRequest(
      `/${reflection.typeName}/${method.name}`,
      (message: Uint8Array) => Buffer.from(message),
      (bytes: Buffer) => fromBinary(method.output, bytes),
    );
    for (const request of requests) {
      const [field, value] = Object.entries(request)[0]!;
      const messageRequest = { case: field as 'fileContainingSymbol', value };
      stream.write(toBinary(method.input, create(method.input, { host: 'h', messageRequest })));
    }
    const responses: ServerReflectionResponse[] = [];
    for await (const response of stream) {
      responses.push(response);
      if (responses.length === requests.length) stream.end();
    }
    client.close();
    return responses;
  }

  test('lists the services', async () => {
    const [response] = await reflect({ listServices: '*' });
    expect(response?.validHost).toBe('h');
    const names =
      response?.messageResponse.case === 'listServicesResponse' ? response.messageResponse.value.service : [];
    expect(names.map(({ name }) => name)).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'passthru.v1.DriverService',
      'passthru.v1.EventService',
      'passthru.v1.InfoService',
      'passthru.v1.JobService',
      'passthru.v1.NodeService',
      'passthru.v1.PassthruService',
    ]);
  });

  test('the file of a symbol comes first, followed by all its imports', async () => {
    const symbols = [
      'passthru.v1.PassthruService',
      'passthru.v1.PassthruService.WatchJob',
      'passthru.v1.Job.id',
      'passthru.v1.JOB_STATE_RUNNING',
      'passthru.v1.CallNodeMethodResponse.outcome',
      'grpc.health.v1.HealthCheckResponse.ServingStatus',
      'google.protobuf.Struct',
    ];
    const responses = await reflect(...symbols.map((symbol) => ({ fileContainingSymbol: symbol })));
    const files = responses.map(({ messageResponse }) => {
      if (messageResponse.case !== 'fileDescriptorResponse') throw new Error(messageResponse.case);
      return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    });
    expect(files.map(([first]) => first?.name)).toEqual([
      'passthru/v1/passthru.proto',
      'passthru/v1/passthru.proto',
      'passthru/v1/job.proto',
      'passthru/v1/job.proto',
      'passthru/v1/passthru.proto',
      'grpc/health/v1/health.proto',
      'google/protobuf/struct.proto',
    ]);
    // A registry can only be created from a set without missing imports.
    const set = fromBinary(
      FileDescriptorSetSchema,
      toBinary(FileDescriptorSetSchema, {
        $typeName: 'google.protobuf.FileDescriptorSet',
        file: files[0]!,
      }),
    );
    const registry = createFileRegistry({ ...set, file: inOrder(set.file) });
    expect(registry.getService('passthru.v1.PassthruService')?.methods).toHaveLength(5);
  });

  test('a file is found by its name; an unknown one is NOT_FOUND in the response', async () => {
    const [struct, ...missing] = await reflect(
      { fileByFilename: 'google/protobuf/struct.proto' },
      { fileByFilename: '../../etc/passwd' },
      { fileContainingSymbol: '__proto__' },
    );
    if (struct?.messageResponse.case !== 'fileDescriptorResponse') throw new Error(struct?.messageResponse.case);
    const [bytes] = struct.messageResponse.value.fileDescriptorProto;
    expect(fromBinary(FileDescriptorProtoSchema, bytes!).messageType).toHaveLength(
      file_google_protobuf_struct.messages.length,
    );
    for (const { messageResponse } of missing) {
      expect(messageResponse).toMatchObject({ case: 'errorResponse', value: { errorCode: Code.NotFound } });
    }
  });

  /** Imports before the files that import them. */
  function inOrder<F extends { name: string; dependency: string[] }>(files: F[]): F[] {
    const ordered: F[] = [];
    const add = (file: F) => {
      if (ordered.includes(file)) return;
      for (const name of file.dependency) add(files.find((other) => other.name === name)!);
      ordered.push(file);
    };
    files.forEach(add);
    return ordered;
  }
});
