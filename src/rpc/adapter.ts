import { constants } from 'node:http2';
import type { DescMethod } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
  createContextValues,
  createMethodImplSpec,
  type MethodImplSpec,
} from '@connectrpc/connect';
import { type UniversalHandlerFn, validateUniversalHandlerOptions } from '@connectrpc/connect/protocol';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import { credentialsOf } from '../auth/credentials.ts';
import { RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import { type HttpHandler, type HttpRequest, type HttpResponse, MAX_DROPPED_BYTES } from '../http/message.ts';
import { rpcAction } from './actions.ts';
import { identityKey } from './authorize.ts';
import { clampTimeout } from './deadline.ts';
import { toConnectError } from './errors.ts';
import { grpcUnaryHandler } from './grpcUnary.ts';
import { refuseMalformed } from './malformedMessage.ts';
import { ENVELOPE_BYTES } from './receivedMessage.ts';
import { sendUniversalResponse, toUniversalRequest } from './universal.ts';
import { responseKey } from './watchStream.ts';

/** Media types without envelopes: those of unary Connect calls. */
const WITHOUT_ENVELOPE = /^application\/(?:proto|json)\b/i;

interface RpcAdapterOptions extends ConnectRouterOptions {
  routes: (router: ConnectRouter) => void;
  access: Access;
  calls: CallsInFlight;
  log: Logger;
  /** The largest message, in bytes. */
  readMaxBytes: number;
}

interface RpcAdapter {
  /** Serves one request. Throws a TypeError when its Host is missing or malformed. */
  handle: HttpHandler;
  /** Returns the action of the method at `path`; undefined when there is none. */
  actionOf(path: string): Action | undefined;
  /** Whether requests at `path` end by themselves, unlike streams of requests. */
  endsInTime(path: string | undefined): boolean;
}

/** A method with everything about it that does not change between calls. */
interface ServedMethod {
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
  const find = (path: string) => methods.get(path.split('?', 1)[0] ?? '');

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
    finished.once('finish', () => dropRest(request));
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
  return {
    handle,
    actionOf: (path) => find(path)?.action,
    endsInTime: (path = '') => find(path)?.takesStream !== true,
  };
}

/** Returns the methods of `routes`, by path. */
function createMethods(options: RpcAdapterOptions): Map<string, ServedMethod> {
  const router = createConnectRouter(options);
  const specs = new Map<DescMethod, MethodImplSpec>();
  // Connect's router does not give back the implementations, which `grpcUnaryHandler` needs.
  const recorder: ConnectRouter = {
    ...router,
    rpc(method, implementation, own) {
      specs.set(method, createMethodImplSpec(method, implementation));
      router.rpc(method, implementation, own);
      return recorder;
    },
  };
  options.routes(recorder);
  const unaryOptions = validateUniversalHandlerOptions(options);
  return new Map(
    router.handlers.map((handler): [string, ServedMethod] => {
      const { method, requestPath } = handler;
      const spec = specs.get(method);
      const name = requestPath.slice(1);
      const action = rpcAction(name);
      const { readMaxBytes, log } = options;
      const checked = refuseMalformed(handler, { method, name, readMaxBytes, log });
      return [
        requestPath,
        {
          handle: spec?.kind === 'unary' ? grpcUnaryHandler(spec, unaryOptions, checked) : checked,
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

/**
 * Reads and drops what a client still sends of a request that has its response, such as one that was too large: over
 * HTTP/1.1 the next request follows behind it, and over HTTP/2 the client may wait for flow control before it reads the
 * response. A client that sends more than `MAX_DROPPED_BYTES` is cut off.
 */
function dropRest(request: HttpRequest): void {
  if (request.readableEnded || request.destroyed) return;
  let dropped = 0;
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > MAX_DROPPED_BYTES) request.destroy();
  });
  request.resume();
}

/**
 * Returns the authenticated caller of `request`; null for a method without authentication. Refusals reject with the
 * ConnectError for the caller.
 * @param begin lets the call begin for its caller, or throws
 */
function identify(
  request: HttpRequest,
  { name, action, isOpen }: ServedMethod,
  access: Access,
  begin: (caller: Caller | null) => void,
  log: Logger,
): Caller | Promise<Caller> | null {
  const rethrow = (thrown: unknown) => {
    const error = toConnectError(thrown, log, name);
    if (error.code === Code.Unauthenticated && access.challenge !== null) {
      error.metadata.set('WWW-Authenticate', access.challenge);
    }
    if (error.cause instanceof PassthruError && error.cause.kind === 'rate_limited') {
      error.metadata.set('Retry-After', String(RETRY_AFTER_SECONDS));
    }
    throw error;
  };
  const begun = (caller: Caller) => {
    begin(caller);
    return caller;
  };
  try {
    if (isOpen) {
      begin(null);
      return null;
    }
    const identity = access.identify(credentialsOf(request), action);
    if (!(identity instanceof Promise)) return begun(identity);
    return handled(identity.then(begun).catch(rethrow));
  } catch (error) {
    return handled(Promise.reject(error).catch(rethrow));
  }
}

/** Returns `promise`, kept from being an unhandled rejection while no one awaits it yet. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/**
 * Yields `body` once its sender is authenticated. Fails with the refusal of an unauthenticated sender, whose body is
 * read without being kept, only to report that it is too large.
 * @param maxBytes the largest body; null for a stream, which has no bound
 */
async function* afterIdentity(
  body: AsyncIterable<Uint8Array>,
  identity: Promise<unknown>,
  maxBytes: number | null,
): AsyncGenerator<Uint8Array> {
  try {
    await identity;
  } catch (refusal) {
    if (maxBytes !== null) await refuseLarge(body, maxBytes);
    throw refusal;
  }
  yield* body;
}

async function refuseLarge(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<void> {
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new ConnectError(`The message is larger than ${maxBytes} bytes`, Code.ResourceExhausted);
    }
  }
}
