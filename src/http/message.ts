import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** A request over HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response over HTTP/1.1 or HTTP/2. */
export type HttpResponse = ServerResponse | Http2ServerResponse;
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

/** What is known of a request before its body is read. */
export interface RequestHead {
  readonly headers: IncomingHttpHeaders;
  /** Alternating names and values. */
  readonly rawHeaders: string[];
  readonly socket: Socket;
}

/** A request over HTTP/2 without Node's request and response objects, which add a fifth to a short call. */
export interface StreamRequest extends RequestHead {
  readonly stream: ServerHttp2Stream;
}

/** Serves a request by its stream. Returns false, before it has touched the stream, for one to serve by an HttpHandler. */
export type StreamHandler = (request: StreamRequest) => boolean;

/**
 * How much of a refused request's body is read and dropped before its connection is cut, in bytes: clients that send
 * everything before they read still get their response.
 */
export const MAX_DROPPED_BYTES = 16 * 1024 * 1024;

/** Returns the host and port that the client addressed: `:authority` over HTTP/2, else the Host header. */
export function requestAuthority({ headers }: Pick<RequestHead, 'headers'>): string | undefined {
  return (headers[':authority'] as string | undefined) || headers.host;
}
