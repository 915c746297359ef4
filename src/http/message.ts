import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request over HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response over HTTP/1.1 or HTTP/2. */
export type HttpResponse = ServerResponse | Http2ServerResponse;
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

/** Returns the host and port that the client addressed: `:authority` over HTTP/2, else the Host header. */
export function requestAuthority(request: HttpRequest): string | undefined {
  return (request as Http2ServerRequest).authority || request.headers.host;
}
