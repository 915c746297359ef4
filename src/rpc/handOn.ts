import { createContextValues } from '@connectrpc/connect';
import type { UniversalHandlerFn, UniversalServerRequest } from '@connectrpc/connect/protocol';
import type { Caller } from '../core/caller.ts';
import type { Logger } from '../core/logger.ts';
import { REQUEST_ID_HEADER } from '../edge/requestScope.ts';
import { requestAuthority, type StreamRequest } from '../http/message.ts';
import { identityKey } from './authorize.ts';
import { clampTimeout } from './deadline.ts';
import { sendHead, sendUnwritten } from './grpcResponse.ts';
import { replay } from './receivedMessage.ts';
import { disconnectedError, dropRest, toNodeHeaders, toWebHeaders } from './universal.ts';

/** What is known of a request that is handed on. */
interface Received {
  /** What was read of it. The stream has the rest, if it has not ended. */
  chunks: Uint8Array[];
  /** The authenticated caller; null for a method without authentication. */
  caller: Caller | null;
  requestId: string;
}

/** Has a gRPC request served by Connect's handler, with what was read of it and the rest. */
export async function handOn(
  request: StreamRequest,
  { chunks, caller, requestId }: Received,
  { handle, name }: { handle: UniversalHandlerFn; name: string },
  log: Logger,
): Promise<void> {
  const { stream, headers } = request;
  const rest = stream.readableEnded ? nothing() : stream.iterator({ destroyOnReturn: false });
  const disconnected = new AbortController();
  stream.once('aborted', () => disconnected.abort(disconnectedError()));
  const header = toWebHeaders(headers);
  clampTimeout(header);
  stream.once('finish', () => dropRest(stream));
  const universal: UniversalServerRequest = {
    httpVersion: '2.0',
    method: 'POST',
    url: `${headers[':scheme']}://${requestAuthority(request)}${headers[':path']}`,
    header,
    body: replay({ chunks, rest }),
    signal: disconnected.signal,
    contextValues: createContextValues().set(identityKey, caller),
  };
  try {
    const { status, header: responseHeader, body: response, trailer } = await handle(universal);
    const held: Uint8Array[] = [];
    for await (const chunk of response ?? []) held.push(chunk);
    if (stream.closed) return;
    const head = { ':status': status, ...toNodeHeaders(responseHeader), [REQUEST_ID_HEADER.toLowerCase()]: requestId };
    sendHead(stream, head, toNodeHeaders(trailer));
    stream.end(Buffer.concat(held));
  } catch (error) {
    // Connect fails to encode an error whose text ends within a surrogate pair.
    log.debug({ err: error, method: name }, 'RPC response not sent');
    sendUnwritten(stream);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
