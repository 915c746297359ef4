import { constants } from 'node:http2';
import type { Readable } from 'node:stream';
import type { DescMethod } from '@bufbuild/protobuf';
import {
  Code,
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
  createContextValues,
  createMethodImplSpec,
  type MethodImplSpec,
} from '@connectrpc/connect';
import type { UniversalHandlerFn } from '@connectrpc/connect/protocol';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Caller } from '../core/caller.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import type { HttpHandler, HttpRequest, HttpResponse, StreamHandler } from '../http/message.ts';
import { rpcAction } from './actions.ts';
import { identityKey } from './authorize.ts';
import { clampTimeout } from './deadline.ts';
import { grpcUnaryHandler, type UnaryMethod } from './grpcUnary.ts';
import { afterIdentity, identify } from './identify.ts';
import { refuseMalformed } from './malformedMessage.ts';
import { ENVELOPE_BYTES } from './receivedMessage.ts';
import { Stopping } from './unaryContext.ts';
import { dropRest, sendUniversalResponse, toUniversalRequest } from './universal.ts';
import { responseKey } from './watchStream.ts';

/** Media types without envelopes: those of unary Connect calls. */
const WITHOUT_ENVELOPE = /^application\/(?:proto|json)\b/i;

interface RpcAdapterOptions extends ConnectRouterOptions {
  routes: (router: ConnectRouter) => void;
  access: Access;
  calls: CallsInFlight;
  log: Logger;
  /** The largest messages, in bytes. */
  readMaxBytes: number;
  writeMaxBytes: number;
  maxTimeoutMs: number;
  compressMinBytes: number;
  shutdownSignal: AbortSignal;
}

interface RpcAdapter {
  /** Serves one request. Throws a TypeError when its Host is missing or malformed. */
  handle: HttpHandler;
  /** Serves unary gRPC calls by their stream. */
  handleStream: StreamHandler;
  /** Returns the action of the method at `path`; undefined when there is none. */
  actionOf(path: string): Action | undefined;
  /** Whether requests at `path` end by themselves, unlike streams of requests. */
  endsInTime(path: string | undefined): boolean;
}

/** A method with everything about it that does not change between calls. */
interface ServedMethod {
  /** Its implementation. */
  spec: MethodImplSpec;
  handle: UniversalHandlerFn;
  /** The path without its leading slash, for logs. */
  name: string;
  action: Action | undefined;
  isOpen: boolean;
  /** Whether its requests or its responses are a stream. */
  isStream: boolean;
  /** Whether its requests are a stream, which ends when the client likes. */
  takesStream: boolean;
}

/**
 * Returns the bridge from Node's HTTP to Connect, like `connectNodeAdapter`, except that callers are authenticated
 * before their message is decoded. The order of checks is REST's: message size, authentication, decoding.
 */
export function createRpcAdapter(options: RpcAdapterOptions): RpcAdapter {
  const { access, calls, log, readMaxBytes } = options;
  const methods = createMethods(options);
  const find = (path: string) => methods.get(path) ?? methods.get(path.split('?', 1)[0]!);

  const handle = (request: HttpRequest, response: HttpResponse): void => {
    const method = find(request.url ?? '');
    if (method === undefined) {
      response.statusCode = 404;
      response.end();
      return;
    }
    const begin = (caller: Caller | null) => calls.begin({ caller, isWatch: method.isStream, request, response });
    const identity = identify(request, method, access, begin, log);
    let universal = toUniversalRequest(
      request,
      response,
      createContextValues().set(identityKey, identity).set(responseKey, response),
    );
    const finished = 'stream' in request ? request.stream : response;
    finished.once('finish', () => dropRest(request as Readable));
    clampTimeout(universal.header);
    if (identity instanceof Promise) {
      const envelope = WITHOUT_ENVELOPE.test(request.headers['content-type'] ?? '') ? 0 : ENVELOPE_BYTES;
      const maxBytes = method.takesStream ? null : readMaxBytes + envelope;
      const body = afterIdentity(universal.body as AsyncIterable<Uint8Array>, identity, maxBytes);
      universal = { ...universal, body };
    }
    method
      .handle(universal)
      .then((result) => sendUniversalResponse(result, response, universal.signal, method.isStream))
      // Usually the caller has gone: errors of the call itself are responses. But Connect fails to encode an error
      // whose text ends within a surrogate pair, as V8 cuts the malformed JSON that it quotes.
      .catch((error) => {
        log.debug({ err: error, method: method.name }, 'RPC response not sent');
        endUnwritten(request, response);
      });
  };
  const stopping = new Stopping(options.shutdownSignal);
  return {
    handle,
    handleStream: grpcUnaryHandler(unaryMethods(methods), { ...options, stopping }),
    actionOf: (path) => find(path)?.action,
    endsInTime: (path = '') => find(path)?.takesStream !== true,
  };
}

/** Returns the methods of `routes`, by path. */
function createMethods(options: RpcAdapterOptions): Map<string, ServedMethod> {
  const router = createConnectRouter(options);
  const specs = new Map<DescMethod, MethodImplSpec>();
  // Connect's router does not give back the implementations, which unary gRPC needs.
  const recorder: ConnectRouter = {
    ...router,
    rpc(method, implementation, own) {
      specs.set(method, createMethodImplSpec(method, implementation));
      router.rpc(method, implementation, own);
      return recorder;
    },
  };
  options.routes(recorder);
  return new Map(
    router.handlers.map((handler): [string, ServedMethod] => {
      const { method, requestPath } = handler;
      const spec = specs.get(method)!;
      const name = requestPath.slice(1);
      const action = rpcAction(name);
      const { readMaxBytes, log } = options;
      const checked = refuseMalformed(handler, { method, name, readMaxBytes, log });
      return [
        requestPath,
        {
          spec,
          handle: checked,
          name,
          action,
          isOpen: options.access.isOpen(action),
          isStream: method.methodKind !== 'unary',
          takesStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
        },
      ];
    }),
  );
}

function unaryMethods(methods: ReadonlyMap<string, ServedMethod>): Map<string, UnaryMethod> {
  return new Map(
    [...methods].flatMap(([path, method]) => {
      const { spec } = method;
      return spec.kind === 'unary' ? [[path, { ...method, spec }]] : [];
    }),
  );
}

/** Ends a response that could not be written, so that its caller does not wait for it. */
function endUnwritten(request: HttpRequest, response: HttpResponse): void {
  if (response.writableEnded || response.destroyed) return;
  if (response.headersSent || !('stream' in request)) {
    if ('stream' in request) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else response.destroy();
    return;
  }
  // A Trailers-Only response (gRPC over HTTP/2, Responses).
  response.setHeader('Content-Type', request.headers['content-type'] ?? 'application/grpc');
  response.setHeader('Grpc-Status', String(Code.Internal));
  response.setHeader('Grpc-Message', 'the response could not be written');
  response.end();
}
