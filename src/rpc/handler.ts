// RPC: the services of the contract over gRPC, gRPC-Web and Connect.
import { cors as connectCors } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import type { Access } from '../auth/access.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import { createCors, RPC_CORS } from '../edge/cors.ts';
import { openScope, REQUEST_ID_HEADER, requestScope, rpcProtocol } from '../edge/requestScope.ts';
import { type RpcApi, sendForbidden } from '../edge/router.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { createRpcAdapter } from './adapter.ts';
import { type RpcServices, rpcRoutes, SERVICES } from './routes.ts';

export interface RpcLimits {
  /** The largest request message in bytes, after decompression; a larger one gets RESOURCE_EXHAUSTED. */
  readMaxBytes: number;
  /** The largest response message in bytes: an attachment with little around it. */
  writeMaxBytes: number;
  /** The longest deadline of a call in ms; streams are exempt. */
  maxTimeoutMs: number;
}

const DEFAULT_LIMITS: RpcLimits = {
  readMaxBytes: 1024 * 1024,
  writeMaxBytes: 64 * 1024 * 1024,
  maxTimeoutMs: 60 * 60 * 1000,
};

/** Responses shorter than this many bytes are not worth compressing. */
const COMPRESS_MIN_BYTES = 16 * 1024;

export interface RpcOptions {
  core: Core;
  access: Access;
  /** Counts the calls of each caller, together with those over REST. */
  calls: CallsInFlight;
  log: Logger;
  /** Default: the services of the contract. The conformance suite brings its own. */
  services?: RpcServices;
  /** The origins whose pages may call over Connect and gRPC-Web; `*` allows all. */
  corsOrigins: readonly string[];
  /** Ends streams and calls, with the reason of each signal. */
  stop: { readonly streams: AbortSignal; readonly calls: AbortSignal };
  limits?: Partial<RpcLimits>;
}

interface RpcHandler extends RpcApi {
  /** Whether the request at `path` ends by itself, unlike a stream of requests, which ends when the client likes. */
  endsInTime(path: string | undefined): boolean;
}

/**
 * Returns the handler for gRPC, gRPC-Web and Connect. Over HTTP/1.1 nothing can be sent between two messages of a quiet
 * stream to keep it alive, so a proxy in front must allow quiet connections.
 */
export function createRpcHandler(options: RpcOptions): RpcHandler {
  const { core, access, calls, log, services = SERVICES, stop } = options;
  const adapter = createRpcAdapter({
    routes: rpcRoutes({ services, core, access, log, endStreams: stop.streams }),
    access,
    calls,
    log,
    ...DEFAULT_LIMITS,
    ...options.limits,
    shutdownSignal: stop.calls,
    // Not brotli: Node's default level takes a hundred times as long.
    acceptCompression: [compressionGzip],
    compressMinBytes: COMPRESS_MIN_BYTES,
    // Misspelt fields are reported instead of dropped, as over REST.
    jsonOptions: { ignoreUnknownFields: false, registry: services.registry },
  });
  const cors = createCors(options.corsOrigins, RPC_CORS);

  const handle = (request: HttpRequest, response: HttpResponse) => {
    const scope = openScope(request, rpcProtocol(request.headers));
    response.setHeader(REQUEST_ID_HEADER, scope.id);
    setHeaders(response, cors.headers(request));
    const preflight = cors.preflightHeaders(request, connectCors.allowedMethods);
    if (preflight.length > 0) {
      setHeaders(response, preflight);
      response.statusCode = 204;
      response.end();
      return;
    }
    requestScope.run(scope, () => {
      try {
        cors.refuseForeign(request);
        adapter.handle(request, response);
      } catch (error) {
        if (error instanceof PassthruError) {
          access.refuse(adapter.actionOf(request.url ?? ''), error);
          sendForbidden(response, error);
          return;
        }
        // The adapter builds a URL from the Host header, which may be missing or malformed.
        log.debug({ err: error }, 'malformed RPC request');
        response.statusCode = 400;
        response.end();
      }
    });
  };
  return {
    pathPrefixes: services.pathPrefixes,
    handle,
    // Requests of pages, which browsers name, are served with what CORS wants.
    handleStream: (request) =>
      request.headers.origin === undefined &&
      request.headers['sec-fetch-site'] === undefined &&
      adapter.handleStream(request),
    protocolOf: rpcProtocol,
    actionOf: adapter.actionOf,
    endsInTime: adapter.endsInTime,
  };
}

/** Sets `headers`, alternating names and values, on `response`. */
function setHeaders(response: HttpResponse, headers: readonly string[]): void {
  for (let index = 0; index + 1 < headers.length; index += 2) response.setHeader(headers[index]!, headers[index + 1]!);
}
