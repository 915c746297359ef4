import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedfishResponse } from './bmc.ts';

/** Time between two parts of a trickled body, and between a head and the reset that follows it, in ms. */
const PAUSE_MS = 3;
const TRICKLED_PARTS = 5;
const SURPLUS = '\r\n\r\n<!-- rest -->';

/** Sends the BMC's response to `request`, as its `delivery` says. */
export function send(response: ServerResponse, result: RedfishResponse, request: IncomingMessage): void {
  const { status, body, delivery } = result;
  const { socket } = request;
  const text = request.method === 'HEAD' ? null : body;
  const headers = {
    'OData-Version': '4.0',
    'Cache-Control': 'no-cache',
    ...result.headers,
    ...(body === null ? {} : { 'Content-Length': Buffer.byteLength(body) }),
  };
  // For the record of requests: a response that is written to the socket bypasses Node's.
  response.statusCode = status;
  if (result.stream && request.method !== 'HEAD') {
    response.writeHead(status, headers).flushHeaders();
    result.stream(response);
  } else if (delivery === 'reset') cut(socket);
  else if (delivery === 'no-body') {
    const { 'Content-Length': _, ...others } = { 'Content-Length': 0, ...headers };
    socket.end(head(status, { ...others, 'Transfer-Encoding': 'chunked' }));
  } else if (delivery === 'half-body') {
    socket.end(head(status, headers) + (text ?? '').slice(0, (text ?? '').length / 2));
  } else if (delivery === 'reset-after-head') {
    socket.write(head(status, headers));
    // The head would be lost with a reset that follows at once.
    setTimeout(() => cut(socket), PAUSE_MS);
  } else {
    response.writeHead(status, headers);
    if (delivery === 'trickled') void trickle(response, text ?? '');
    else response.end(text ?? undefined);
    if (delivery === 'surplus') response.once('finish', () => socket.write(SURPLUS));
  }
}

/** Ends a connection as a restarting BMC does: by a reset, except with TLS, where TCP is out of reach. */
export function cut(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}

function head(status: number, headers: Record<string, string | number>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`;
}

async function trickle(response: ServerResponse, text: string): Promise<void> {
  const size = Math.max(1, Math.ceil(text.length / TRICKLED_PARTS));
  for (let start = 0; start < text.length && !response.destroyed; start += size) {
    response.write(text.slice(start, start + size));
    await sleep(PAUSE_MS);
  }
  response.end();
}
