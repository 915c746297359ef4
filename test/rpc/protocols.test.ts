import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorReason, ReservationKind } from '../../gen/passthru/v1/error_pb.ts';
import { JobService, JobState } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { type CallOptions, CLIENTS, detailOf, type RpcClient } from './clients.ts';
import { startTestService, type TestService } from './service.ts';

const { listNodeMethods, callNodeMethod, listDriverMethods, callDriverMethod, watchJob } = PassthruService.method;

describe.each(Object.entries(CLIENTS))('%s', (_name, connect) => {
  let service: TestService;
  let client: RpcClient;

  beforeEach(async () => {
    service = await startTestService();
    await service.createNode('n1');
    client = connect(service.url);
  });
  afterEach(async () => {
    client[Symbol.dispose]();
    await service[Symbol.asyncDispose]();
  });

  const call = (method: string, args: JsonObject = {}, options?: CallOptions) =>
    client.unary(callNodeMethod, { node: 'n1', method, arguments: args }, options);

  const refusal = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => expect.unreachable('the call succeeded'),
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(ConnectError);
    return { code: (error as ConnectError).code, message: (error as ConnectError).rawMessage, detail: detailOf(error) };
  };

  test('lists the methods of a node with their schemas', async () => {
    const { methods } = await client.unary(listNodeMethods, { node: 'n1' });
    const echo = methods.find((method) => method.name === 'echo');
    expect(echo).toMatchObject({ httpMethods: ['POST'], async: false, attach: false, requireExclusiveLock: true });
    expect(echo?.argumentsSchema).toMatchObject({ type: 'object', properties: { count: { type: 'integer' } } });
    expect(methods.find((method) => method.name === 'dump')?.attach).toBe(true);
  });

  test('a synchronous call returns the result of the method', async () => {
    const value = { text: 'ä€😀', list: [1, -0.5, null, true, { __proto__x: [] }], empty: {} };
    const { outcome } = await call('echo', { value });
    if (outcome.case !== 'result') throw new Error(`outcome is ${outcome.case}`);
    expect(toJson(ValueSchema, outcome.value)).toEqual(value);
  });

  test('a method without a result returns null', async () => {
    const { outcome } = await client.unary(callNodeMethod, { node: 'n1', method: 'nothing', httpMethod: 'post' });
    expect(outcome).toMatchObject({ case: 'result', value: { kind: { case: 'nullValue' } } });
  });

  test('a driver method is listed and called without a node', async () => {
    const { methods } = await client.unary(listDriverMethods, { driver: 'test' });
    expect(methods.map((method) => method.name)).toEqual(['ping']);
    const { outcome } = await client.unary(callDriverMethod, { driver: 'test', method: 'ping' });
    expect(outcome).toMatchObject({ case: 'result', value: { kind: { case: 'stringValue', value: 'pong' } } });
  });

  test('an attachment comes with its media type and name', async () => {
    const { outcome } = await call('dump');
    expect(outcome).toMatchObject({ case: 'attachment', value: { mediaType: 'text/csv', fileName: 'dump.csv' } });
    if (outcome.case === 'attachment') expect(Buffer.from(outcome.value.data).toString()).toBe('AAA');
  });

  test('an asynchronous call is watched to its end, and a watch resumes after a revision', async () => {
    const { outcome } = await call('job_of_two_steps');
    if (outcome.case !== 'job') throw new Error(`outcome is ${outcome.case}`);
    expect(outcome.value).toMatchObject({ nodeName: 'n1', state: JobState.RUNNING, revision: 1n });
    const jobId = outcome.value.id;

    const seen = [];
    for await (const { job } of client.stream(watchJob, { jobId })) {
      seen.push(job!);
      service.nextStep();
    }
    expect(seen.map((job) => [job.state, job.progress?.message])).toEqual([
      [JobState.RUNNING, undefined],
      [JobState.RUNNING, 'half'],
      [JobState.SUCCEEDED, 'half'],
    ]);
    expect(seen.at(-1)?.result?.kind).toMatchObject({ case: 'stringValue', value: 'done' });
    expect(seen.at(-1)?.endTime).toBeDefined();

    const revisionsAfter = async (afterRevision: bigint) => {
      const revisions = [];
      for await (const { job } of client.stream(watchJob, { jobId, afterRevision })) revisions.push(job!.revision);
      return revisions;
    };
    expect(await revisionsAfter(0n)).toEqual([1n, 2n, 3n]);
    expect(await revisionsAfter(2n)).toEqual([3n]);
    expect(await revisionsAfter(3n)).toEqual([]);
  });

  test('a watcher that disconnects does not end the job', async () => {
    const { outcome } = await call('job_of_two_steps');
    if (outcome.case !== 'job') throw new Error(`outcome is ${outcome.case}`);
    for await (const _first of client.stream(watchJob, { jobId: outcome.value.id })) break;
    expect((await client.unary(JobService.method.getJob, { jobId: outcome.value.id })).job?.state).toBe(
      JobState.RUNNING,
    );
    const { job } = await client.unary(JobService.method.cancelJob, { jobId: outcome.value.id });
    expect(job).toMatchObject({ state: JobState.CANCELLED, error: { reason: ErrorReason.CANCELLED } });
  });

  test('a locked node is ABORTED, with its holder', async () => {
    await client.unary(NodeService.method.lockNode, { node: 'n1', holder: 'alice' });
    const { code, detail } = await refusal(call('echo', { value: 1 }));
    expect(code).toBe(Code.Aborted);
    expect(detail).toMatchObject({
      reason: ErrorReason.NODE_LOCKED,
      lock: { holder: 'alice', kind: ReservationKind.HELD, requestedBy: 'anonymous' },
    });
  });

  test('an unknown node, driver or job is NOT_FOUND', async () => {
    const node = await refusal(client.unary(callNodeMethod, { node: 'n2', method: 'echo' }));
    expect([node.code, node.detail.reason]).toEqual([Code.NotFound, ErrorReason.NODE_NOT_FOUND]);
    const driver = await refusal(client.unary(callDriverMethod, { driver: 'x', method: 'ping' }));
    expect([driver.code, driver.detail.reason]).toEqual([Code.NotFound, ErrorReason.DRIVER_NOT_FOUND]);
    const job = await refusal(
      (async () => {
        for await (const _ of client.stream(watchJob, { jobId: 'no-such-job' }));
      })(),
    );
    expect([job.code, job.detail.reason]).toEqual([Code.NotFound, ErrorReason.JOB_NOT_FOUND]);
  });

  test('an unknown method and a wrong verb are INVALID_ARGUMENT', async () => {
    const method = await refusal(call('no_such_method'));
    expect([method.code, method.detail.reason]).toEqual([Code.InvalidArgument, ErrorReason.UNKNOWN_METHOD]);
    const verb = await refusal(client.unary(callNodeMethod, { node: 'n1', method: 'echo', httpMethod: 'GET' }));
    expect([verb.code, verb.detail.reason]).toEqual([Code.InvalidArgument, ErrorReason.VERB_NOT_ALLOWED]);
  });

  test('an invalid argument is INVALID_ARGUMENT and names each field', async () => {
    const { code, detail } = await refusal(call('echo', { value: 1, count: 'many', other: 1 }));
    expect(code).toBe(Code.InvalidArgument);
    expect(detail.violations.map(({ field }) => field).sort()).toEqual(['arguments', 'arguments.count']);
  });

  test('a negative lock_wait, and one over the maximum, are INVALID_ARGUMENT', async () => {
    for (const seconds of [-1n, 3600n, 315_576_000_000n]) {
      const request = { node: 'n1', method: 'echo', arguments: { value: 1 }, lockWait: { seconds } };
      const { code, detail } = await refusal(client.unary(callNodeMethod, request));
      expect([code, detail.violations[0]?.field]).toEqual([Code.InvalidArgument, 'lock_wait']);
    }
  });

  test('a BMC that is down is UNAVAILABLE, with its details', async () => {
    const { code, message, detail } = await refusal(call('bmc_down'));
    expect(code).toBe(Code.Unavailable);
    expect(message).toContain('Redfish connection failed for node');
    expect(detail).toMatchObject({ reason: ErrorReason.BMC_UNREACHABLE, bmc: { status: 0 } });
  });

  test('60 kB of ExtendedInfo are truncated to what a client can receive', async () => {
    const { code, message, detail } = await refusal(call('bmc_talks'));
    expect(code).toBe(Code.FailedPrecondition);
    expect(message).toMatch(/^Redfish exception occurred\. Error: ü+…$/);
    expect(detail).toMatchObject({ reason: ErrorReason.BMC_REFUSED, truncated: true, bmc: { status: 400 } });
    expect(detail.bmc?.extendedInfo[0]).toMatchObject({ MessageId: 'Base.1.8.GeneralError.0' });
  });

  test('the message of a BMC is reported even when it is not well-formed Unicode', async () => {
    const { code, message, detail } = await refusal(call('bmc_garbles'));
    expect([code, message]).toEqual([Code.FailedPrecondition, 'Redfish exception occurred. Error: \ufffd']);
    expect(detail.bmc?.status).toBe(400);
  });

  test('a defect is INTERNAL without its text', async () => {
    const { code, message, detail } = await refusal(call('defect'));
    expect([code, detail.reason]).toEqual([Code.Internal, ErrorReason.INTERNAL]);
    expect(message + detail.message).not.toContain('secret');
  });

  test("the caller's deadline ends the work and frees the node", async () => {
    const error = await call('until_aborted', {}, { timeoutMs: 150 }).catch((thrown) => thrown);
    expect(ConnectError.from(error).code).toBe(Code.DeadlineExceeded);
    // The client's timer starts before the service's, to which the caller may seem to have disconnected.
    expect(['deadline_exceeded', 'cancelled']).toContain((await service.aborted).kind);
    const lockWait = { seconds: 5n };
    await client.unary(callNodeMethod, { node: 'n1', method: 'echo', arguments: { value: 1 }, lockWait });
  });

  test('a caller who cancels ends the work and frees the node', async () => {
    const leave = new AbortController();
    const left = call('until_aborted', {}, { signal: leave.signal }).catch((thrown) => thrown);
    await expect.poll(async () => (await service.core.nodes.get('n1')).reservation).not.toBeNull();
    leave.abort();
    expect(ConnectError.from(await left).code).toBe(Code.Canceled);
    expect((await service.aborted).kind).toBe('cancelled');
    const lockWait = { seconds: 5n };
    await client.unary(callNodeMethod, { node: 'n1', method: 'echo', arguments: { value: 1 }, lockWait });
  });

  test('arguments of 30 levels pass; deeper ones get a clear error at any depth', async () => {
    const nested = (levels: number) => {
      let value: JsonObject = {};
      for (let level = 1; level < levels; level++) value = { value };
      return value;
    };
    await call('echo', nested(30));
    const { code, detail } = await refusal(call('echo', nested(31)));
    expect([code, detail.violations[0]?.field]).toEqual([Code.InvalidArgument, 'arguments']);
    for (const levels of [60, 200, 2000]) {
      const error = ConnectError.from(await call('echo', nested(levels)).catch((thrown) => thrown));
      // A client's own codec reports what it cannot write as INTERNAL.
      expect([Code.InvalidArgument, ...(levels > 60 ? [Code.Internal] : [])]).toContain(error.code);
      expect(error.rawMessage).not.toMatch(/\n|\.js:/);
    }
    await call('echo', { value: 1 });
  });
});

test('an unknown RPC is UNIMPLEMENTED', async () => {
  await using service = await startTestService();
  using client = CLIENTS['gRPC by grpc-js']!(service.url);
  const parent = { ...PassthruService, typeName: 'passthru.v1.NoSuchService' } as typeof PassthruService;
  for (const change of [{ name: 'NoSuchMethod' }, { parent }]) {
    const absent = { ...callNodeMethod, ...change } as typeof callNodeMethod;
    const error = await client.unary(absent, { node: 'n1' }).catch((thrown) => thrown);
    expect(ConnectError.from(error).code).toBe(Code.Unimplemented);
  }
});
