import type { ServerResponse } from 'node:http';
import { endTogether } from '../http/endTogether.ts';
import type { Exchange } from './context.ts';

/** Sends `value` as JSON. In `headers`, names and values alternate. */
export function sendJson(exchange: Exchange, status: number, value: unknown, headers: readonly string[] = []): void {
  sendBody(exchange, status, 'application/json', JSON.stringify(value), headers);
}

/** Formats a time as Ironic does, in UTC: `2026-11-23T06:37:41.189+00:00`. */
export function pythonTime(time: Date): string {
  return time.toISOString().replace('Z', '+00:00');
}

/** Sends a body of the given media type; a string is encoded in UTF-8. */
export function sendBody(
  exchange: Exchange,
  status: number,
  mediaType: string,
  body: string | Uint8Array,
  headers: readonly string[] = [],
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  const all = exchange.headers.concat('Content-Type', mediaType, 'Content-Length', String(length), headers);
  // ASCII is written in one step with the head of the response, without another encoding.
  const encoding = length === body.length ? 'latin1' : 'utf8';
  send(exchange, status, all, exchange.request.method === 'HEAD' ? undefined : body, encoding);
}

/** Sends a response without a body and content type. */
export function sendEmpty(exchange: Exchange, status: number, headers: readonly string[] = []): void {
  // A 204 has no Content-Length (RFC 9110, 8.6).
  const length = status === 204 ? [] : ['Content-Length', '0'];
  send(exchange, status, exchange.headers.concat(length, headers), undefined);
}

function send(
  exchange: Exchange,
  status: number,
  headers: string[],
  body: string | Uint8Array | undefined,
  encoding: BufferEncoding = 'utf8',
): void {
  // Both types of response have these methods, but a union of overloads cannot be called.
  const response = exchange.response as ServerResponse;
  response.writeHead(status, headers);
  endTogether(response, body, encoding);
}
