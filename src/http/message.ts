import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request over HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response over HTTP/1.1 or HTTP/2. */
export type HttpResponse = ServerResponse | Http2ServerResponse;
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

/**
 * How much of a refused request's body is read and dropped before its connection is cut, in bytes: clients that send
 * everything before they read still get their response.
 */
export const MAX_DROPPED_BYTES = 16 * 1024 * 1024;

/** Returns the host and port that the client addressed: `:authority` over HTTP/2, else the Host header. */
export function requestAuthority(request: HttpRequest): string | undefined {
  return (request as Http2ServerRequest).authority || request.headers.host;
}
