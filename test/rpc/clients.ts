import type { DescMethodServerStreaming, DescMethodUnary } from '@bufbuild/protobuf';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { createGrpcWebTransport, createConnectTransport as createWebTransport } from '@connectrpc/connect-web';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { type ErrorDetail, ErrorDetailSchema } from '../../gen/passthru/v1/error_pb.ts';

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A client of one of the protocols. Its calls throw ConnectErrors whatever the protocol is. */
export interface RpcClient extends Disposable {
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>;
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): AsyncIterable<MessageShape<O>>;
}

/** The clients, by protocol. */
export const CLIENTS: Record<string, (url: string) => RpcClient> = {
  'Connect with JSON': (url) => overTransport(createWebTransport({ baseUrl: url })),
  'Connect in binary over HTTP/2': (url) =>
    overTransport(createConnectTransport({ baseUrl: url, httpVersion: '2', useBinaryFormat: true })),
  'gRPC by grpc-js': overGrpcJs,
  'gRPC-Web': (url) => overTransport(createGrpcWebTransport({ baseUrl: url })),
  'gRPC by connect-node': (url) => overTransport(createGrpcTransport({ baseUrl: url })),
};

/** Returns the ErrorDetail of `error`. */
export function detailOf(error: unknown): ErrorDetail {
  const [detail] = ConnectError.from(error).findDetails(ErrorDetailSchema);
  if (detail === undefined) throw new Error(`no ErrorDetail in ${error}`);
  return detail;
}

function overTransport(transport: Transport): RpcClient {
  const start = (method: DescMethodUnary | DescMethodServerStreaming, request: unknown, options?: CallOptions) => {
    const client = createClient(method.parent, transport) as Record<string, (...args: unknown[]) => unknown>;
    return client[method.localName]!(request, options);
  };
  return {
    unary: (method, request, options) => start(method, request, options) as never,
    stream: (method, request, options) => start(method, request, options) as never,
    [Symbol.dispose]() {},
  };
}

function overGrpcJs(url: string): RpcClient {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const path = (method: DescMethodUnary | DescMethodServerStreaming) => `/${method.parent.typeName}/${method.name}`;
  const codecs = <I extends DescMessage, O extends DescMessage>(method: { input: I; output: O }) =>
    [
      (request: MessageShape<I>) => Buffer.from(toBinary(method.input, request)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
    ] as const;
  return {
    unary(method, request, options = {}) {
      const [serialize, deserialize] = codecs(method);
      return new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          path(method),
          serialize,
          deserialize,
          create(method.input, request),
          deadlineOf(options),
          (error, response) => (error ? reject(toConnectError(error)) : resolve(response!)),
        );
        options.signal?.addEventListener('abort', () => call.cancel());
      });
    },
    async *stream(method, request, options = {}) {
      const [serialize, deserialize] = codecs(method);
      const message = create(method.input, request);
      const call = client.makeServerStreamRequest(path(method), serialize, deserialize, message, deadlineOf(options));
      options.signal?.addEventListener('abort', () => call.cancel());
      try {
        yield* call;
      } catch (error) {
        throw toConnectError(error as ServiceError);
      } finally {
        call.cancel();
      }
    },
    [Symbol.dispose]: () => client.close(),
  };
}

function deadlineOf({ timeoutMs }: CallOptions) {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function toConnectError(error: ServiceError): ConnectError {
  const trailer = new Headers({ 'grpc-status': String(error.code), 'grpc-message': encodeURIComponent(error.details) });
  const [details] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (details !== undefined) trailer.set('grpc-status-details-bin', Buffer.from(details).toString('base64'));
  return findTrailerError(trailer) ?? ConnectError.from(error);
}
