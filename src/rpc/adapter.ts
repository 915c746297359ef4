import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
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
import { credentialsOf } from '../auth/credentials.ts';
import { RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import { rpcAction } from './actions.ts';
import { identityKey } from './authorize.ts';
import { toConnectError } from './errors.ts';
import { grpcUnaryHandler } from './grpcUnary.ts';
import { cutLongDeadline } from './longDeadline.ts';
import { sendUniversalResponse, toUniversalRequest } from './universal.ts';

/** What stands before a message (gRPC over HTTP/2, Length-Prefixed-Message), except in a Connect call that is no stream. */
const ENVELOPE_BYTES = 5;
const WITHOUT_ENVELOPE = /^application\/(?:proto|json)\b/i;

/** As over REST, in bytes. */
const MAX_DROPPED_BYTES = 16 * 1024 * 1024;

export interface RpcAdapterOptions extends ConnectRouterOptions {
  routes: (router: ConnectRouter) => void;
  access: Access;
  calls: CallsInFlight;
  log: Logger;
  /** The largest message, in bytes. */
  readMaxBytes: number;
}

/**
 * As `connectNodeAdapter`, with the caller known before the request is decoded: who calls is told after a message that is
 * too large and before one that is malformed, as over REST.
 */
export function createRpcAdapter(options: RpcAdapterOptions) {
  const { routes, access, calls, log, readMaxBytes } = options;
  const handlers = createHandlers(routes, options);

  return (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const served = handlers.get(path);
    if (served === undefined) {
      response.statusCode = 404;
      response.end();
      return;
    }
    const { method, handle } = served;
    const isWatch = method.methodKind !== 'unary';
    const begin = (caller: Caller | null) => calls.begin({ caller, isWatch, request, response });
    const identity = identify(request, access, begin, log, path);
    const values = createContextValues().set(identityKey, identity);
    let universal = toUniversalRequest(request, response, values);
    const answered = 'stream' in request ? request.stream : response;
    answered.once('finish', () => dropRest(request));
    cutLongDeadline(universal.header);
    if (identity instanceof Promise) {
      const envelope = WITHOUT_ENVELOPE.test(request.headers['content-type'] ?? '') ? 0 : ENVELOPE_BYTES;
      const whole = takesStream(method) ? null : readMaxBytes + envelope;
      universal = { ...universal, body: afterIdentity(universal.body as AsyncIterable<Uint8Array>, identity, whole) };
    }
    handle(universal)
      .then((answer) => sendUniversalResponse(answer, response, universal.signal, isWatch))
      // As a rule the caller has gone: every error of the call itself is an answer. But Connect cannot write an error whose
      // text ends within a surrogate pair, as V8 cuts what it quotes of malformed JSON.
      .catch((error) => {
        log.debug({ err: error, method: path }, 'an answer over RPC was not sent');
        endUnwritten(request, response);
      });
  };
}

/** A method and what serves it. */
interface Served {
  method: DescMethod;
  handle: UniversalHandlerFn;
}

/** What serves each method of `routes`, by its path. */
function createHandlers(routes: (router: ConnectRouter) => void, options: RpcAdapterOptions): Map<string, Served> {
  const router = createConnectRouter(options);
  const specs = new Map<DescMethod, MethodImplSpec>();
  const noting: ConnectRouter = {
    ...router,
    rpc(method, implementation, own) {
      specs.set(method, createMethodImplSpec(method, implementation));
      router.rpc(method, implementation, own);
      return noting;
    },
  };
  routes(noting);
  const unaryOptions = validateUniversalHandlerOptions(options);
  return new Map(
    router.handlers.map((handler) => {
      const { method, requestPath } = handler;
      const spec = specs.get(method);
      const handle = spec?.kind === 'unary' ? grpcUnaryHandler(spec, unaryOptions, handler) : handler;
      return [requestPath, { method, handle }];
    }),
  );
}

/** Ends an answer that could not be written, so that its caller does not wait for it. */
function endUnwritten(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) {
  if (response.writableEnded || response.destroyed) return;
  if (response.headersSent || !('stream' in request)) {
    if ('stream' in request) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else response.destroy();
    return;
  }
  // gRPC's answer of trailers alone (gRPC over HTTP/2, Responses).
  response.setHeader('Content-Type', request.headers['content-type'] ?? 'application/grpc');
  response.setHeader('Grpc-Status', String(Code.Internal));
  response.setHeader('Grpc-Message', 'the answer could not be written');
  response.end();
}

/**
 * Reads and drops what a client still sends of a request that is answered, such as one that is too large: over HTTP/1.1
 * its next request comes behind it, and over HTTP/2 it may wait for flow control before it looks at the answer. Whoever
 * sends more than is reasonable is cut off.
 */
function dropRest(request: IncomingMessage | Http2ServerRequest): void {
  if (request.readableEnded || request.destroyed) return;
  let dropped = 0;
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > MAX_DROPPED_BYTES) request.destroy();
  });
  request.resume();
}

/** Whether the requests of a call are a stream, which ends when the client likes. */
function takesStream({ methodKind }: DescMethod): boolean {
  return methodKind === 'client_streaming' || methodKind === 'bidi_streaming';
}

/**
 * Who makes `request`, null when nobody needs to know; what speaks against it is told in the call's own protocol.
 * @param begin lets the call of who it is begin, or throws
 */
function identify(
  request: IncomingMessage | Http2ServerRequest,
  access: Access,
  begin: (caller: Caller | null) => void,
  log: Logger,
  method: string,
): Caller | Promise<Caller> | null {
  const action = rpcAction(method.slice(1));
  const refuse = (thrown: unknown) => {
    const error = toConnectError(thrown, log, method);
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
    if (access.isOpen(action)) {
      begin(null);
      return null;
    }
    const identity = access.identify(credentialsOf(request), action);
    if (!(identity instanceof Promise)) return begun(identity);
    return handled(identity.then(begun).catch(refuse));
  } catch (error) {
    return handled(Promise.reject(error).catch(refuse));
  }
}

/** `promise`, of which the one who waits for it may come late, or never. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/**
 * `body`, which is read once it is known who sends it; fails when nobody may. Of those nothing is kept, and it is read only
 * to tell them that it is too large.
 * @param whole the most that it may hold, in bytes; null for a stream, which has no bound
 */
async function* afterIdentity(
  body: AsyncIterable<Uint8Array>,
  identity: Promise<unknown>,
  whole: number | null,
): AsyncGenerator<Uint8Array> {
  try {
    await identity;
  } catch (refusal) {
    if (whole !== null) await refuseLarge(body, whole);
    throw refusal;
  }
  yield* body;
}

async function refuseLarge(body: AsyncIterable<Uint8Array>, whole: number): Promise<void> {
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > whole) throw new ConnectError(`The message is larger than ${whole} bytes`, Code.ResourceExhausted);
  }
}
