import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, ConnectError, type ContextValues } from '@connectrpc/connect';
import type { UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';

type HttpRequest = IncomingMessage | Http2ServerRequest;
type HttpResponse = ServerResponse | Http2ServerResponse;

/**
 * `request` as Connect takes it. As `universalRequestFromNodeRequest` of @connectrpc/connect-node, which makes an error for
 * the end of every call, with its stack, also of those that were answered, and a URL of what is known to be a path.
 * @throws TypeError when the request has no Host, or a malformed one
 */
export function toUniversalRequest(
  request: HttpRequest,
  response: HttpResponse,
  contextValues: ContextValues,
): UniversalServerRequest {
  const { headers, socket, httpVersion, method = '', url = '' } = request;
  const origin = `${'encrypted' in socket ? 'https' : 'http'}://${headers[':authority'] ?? headers.host ?? ''}`;
  if (!URL.canParse(origin)) throw new TypeError('the request has no valid Host');
  const left = new AbortController();
  // Of a request that breaks off the answer is closed too.
  request.on('error', () => {});
  response.once('close', () => {
    if (!response.writableEnded) left.abort(new ConnectError('the caller has gone', Code.Canceled));
  });
  return {
    httpVersion,
    method,
    url: origin + url,
    header: toWebHeaders(headers),
    // Connect's reader ends the request when it has seen enough; what comes behind on the connection is still to be read.
    body: request.iterator({ destroyOnReturn: false }),
    signal: left.signal,
    contextValues,
  };
}

/**
 * Sends Connect's answer to the request with `signal`. As `universalResponseToNodeResponse` of @connectrpc/connect-node, but
 * what is no stream is sent in one step, with its trailers.
 * @param isStream whether what there is of the answer is to be sent at once
 */
export async function sendUniversalResponse(
  { status, header, body, trailer }: UniversalServerResponse,
  to: HttpResponse,
  signal: AbortSignal,
  isStream: boolean,
): Promise<void> {
  // Of the two, whose methods are the same here, TypeScript takes no call.
  const response = to as ServerResponse;
  const chunks = body?.[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  for (let next = await chunks?.next(); next !== undefined && next.done !== true; next = await chunks?.next()) {
    if (!isStream) {
      held.push(next.value);
      continue;
    }
    // Not before there is something to send: until then the method may set headers.
    if (!response.headersSent) response.writeHead(status, toNodeHeaders(header));
    if (!response.write(next.value)) await roomOrEnd(response, signal);
    if (signal.aborted) {
      await chunks?.throw?.(signal.reason);
      return;
    }
  }
  if (!response.headersSent) response.writeHead(status, toNodeHeaders(header));
  if (trailer !== undefined) response.addTrailers(toNodeHeaders(trailer));
  response.end(held.length === 1 ? held[0] : Buffer.concat(held));
}

/** Resolves when `response` can take more, or its caller has gone. */
async function roomOrEnd(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done);
    signal.addEventListener('abort', done);
  });
}

function toWebHeaders(headers: IncomingHttpHeaders): Headers {
  const web = new Headers();
  for (const name in headers) {
    const value = headers[name];
    if (name.startsWith(':') || value === undefined) continue;
    if (typeof value === 'string') web.append(name, value);
    else for (const each of value) web.append(name, each);
  }
  return web;
}

function toNodeHeaders(headers: Headers | undefined): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  headers?.forEach((value, name) => {
    const before = all[name];
    all[name] = before === undefined ? value : [before, value].flat();
  });
  return all;
}
