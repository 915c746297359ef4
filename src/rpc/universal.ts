import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { Code, ConnectError, type ContextValues } from '@connectrpc/connect';
import type { UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { endTogether } from '../http/endTogether.ts';
import { type HttpRequest, type HttpResponse, MAX_DROPPED_BYTES } from '../http/message.ts';

/**
 * Returns `request` in the form that Connect takes. Replaces `universalRequestFromNodeRequest` of
 * @connectrpc/connect-node, which creates an error with its stack at the end of every call, also of successful ones,
 * and parses a URL of a known path.
 * @throws TypeError when the Host of the request is missing or malformed
 */
export function toUniversalRequest(
  request: HttpRequest,
  response: HttpResponse,
  contextValues: ContextValues,
): UniversalServerRequest {
  const { headers, socket, httpVersion, method = '', url = '' } = request;
  const origin = `${'encrypted' in socket ? 'https' : 'http'}://${headers[':authority'] ?? headers.host ?? ''}`;
  if (!URL.canParse(origin)) throw new TypeError('the request has no valid Host');
  const disconnected = new AbortController();
  // When a request breaks off, its response is closed too.
  request.on('error', () => {});
  response.once('close', () => {
    if (!response.writableEnded) disconnected.abort(disconnectedError());
  });
  return {
    httpVersion,
    method,
    url: origin + url,
    header: toWebHeaders(headers),
    // Connect's reader would destroy the request when it has seen enough, and with it what follows on the connection.
    body: request.iterator({ destroyOnReturn: false }),
    signal: disconnected.signal,
    contextValues,
  };
}

/** Returns the reason of the signal of a call whose caller has disconnected. */
export function disconnectedError(): ConnectError {
  return new ConnectError('the caller has disconnected', Code.Canceled);
}

/**
 * Reads and drops what a client still sends of a request that has its response, such as one that was too large: over
 * HTTP/1.1 the next request follows behind it, and over HTTP/2 the client may wait for flow control before it reads the
 * response. A client that sends more than `MAX_DROPPED_BYTES` is cut off.
 */
export function dropRest(request: Readable): void {
  if (request.readableEnded || request.destroyed) return;
  let dropped = 0;
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > MAX_DROPPED_BYTES) request.destroy();
  });
  request.resume();
}

/**
 * Sends Connect's response. Replaces `universalResponseToNodeResponse` of @connectrpc/connect-node, but sends a
 * response that is not a stream in one step, together with its trailers.
 * @param signal fires when the caller disconnects
 * @param isStream whether to send each chunk immediately
 */
export async function sendUniversalResponse(
  { status, header, body, trailer }: UniversalServerResponse,
  to: HttpResponse,
  signal: AbortSignal,
  isStream: boolean,
): Promise<void> {
  // The two types share these methods, but TypeScript rejects calls on their union.
  const response = to as ServerResponse;
  const chunks = body?.[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  for (let next = await chunks?.next(); next !== undefined && next.done !== true; next = await chunks?.next()) {
    if (!isStream) {
      held.push(next.value);
      continue;
    }
    // Not before the first chunk: until then the method may set headers.
    if (!response.headersSent) response.writeHead(status, toNodeHeaders(header));
    if (!response.write(next.value)) await once(response, 'drain', { signal }).catch(() => {});
    if (signal.aborted) {
      await chunks?.throw?.(signal.reason);
      return;
    }
  }
  if (!response.headersSent) response.writeHead(status, toNodeHeaders(header));
  if (trailer !== undefined) response.addTrailers(toNodeHeaders(trailer));
  endTogether(response, held.length === 1 ? held[0] : Buffer.concat(held));
}

export function toWebHeaders(headers: IncomingHttpHeaders): Headers {
  const web = new Headers();
  for (const name in headers) {
    const value = headers[name];
    if (name.startsWith(':') || value === undefined) continue;
    if (typeof value === 'string') web.append(name, value);
    else for (const each of value) web.append(name, each);
  }
  return web;
}

export function toNodeHeaders(headers: Headers | undefined): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  headers?.forEach((value, name) => {
    const earlier = all[name];
    all[name] = earlier === undefined ? value : [earlier, value].flat();
  });
  return all;
}
