import type { Readable } from 'node:stream';
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { openClient } from './connection.ts';
import type { Transport } from './delivery.ts';
import { describeBreak, flatHeaders, type RawResponse } from './request.ts';
import { describeTlsFailure } from './tlsFaults.ts';

/** The part of a refusal that is read, in bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** A response whose body is read as it arrives. */
export interface ResponseStream extends AsyncDisposable {
  /**
   * Returns the next part of the body; null at its end.
   * @param silenceMs how long it may take to arrive, in ms
   * @throws kind `unreachable` when the connection breaks or nothing arrives in time; the signal's reason
   */
  next(silenceMs: number): Promise<Uint8Array | null>;
}

/**
 * Sends a GET on a connection of its own, which does not count among those for requests as it stays open. Repeats nothing and
 * follows no redirect.
 * @returns the stream after 200, else the response
 * @throws kind `unreachable`, `tls` or `timeout`; the signal's reason
 */
export async function openStream(
  { connections, settings }: Transport,
  path: string,
  headers: Record<string, string>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ResponseStream | RawResponse> {
  const url = connections.origin + path;
  const client = await openClient(connections.origin, settings, signal);
  const fail = (error: unknown): never => {
    void client.destroy();
    signal.throwIfAborted();
    throw asRedfishError(error, url);
  };
  const response = await client
    .request({ method: 'GET', path, headers, signal, headersTimeout: timeoutMs, bodyTimeout: 0 })
    .catch(fail);
  const { statusCode: status, body } = response;
  if (status !== 200) {
    const raw = await readRefusal(body).catch(fail);
    void client.destroy();
    return { status, headers: flatHeaders(response.headers), body: raw, cut: false, crowded: false };
  }
  const parts = (body as Readable)[Symbol.asyncIterator]();
  return {
    async next(silenceMs) {
      const silence = AbortSignal.timeout(silenceMs);
      try {
        const part = await untilAborted(parts.next(), AbortSignal.any([signal, silence]));
        return part.done ? null : (part.value as Uint8Array);
      } catch (error) {
        if (!silence.aborted) return fail(error);
        return fail(new RedfishError('unreachable', `The stream said nothing for ${silenceMs / 1000} s`, { url }));
      }
    },
    async [Symbol.asyncDispose]() {
      await client.destroy();
    },
  };
}

async function readRefusal(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > MAX_REFUSAL_BYTES) break;
  }
  return Buffer.concat(chunks);
}

function asRedfishError(error: unknown, url: string): RedfishError {
  if (error instanceof RedfishError) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  const tls = describeTlsFailure(cause);
  if (tls !== null) return new RedfishError('tls', tls, { url, cause });
  const late = 'code' in cause && cause.code === 'UND_ERR_HEADERS_TIMEOUT';
  return new RedfishError(late ? 'timeout' : 'unreachable', late ? 'No response in time' : describeBreak(cause), {
    url,
    cause,
  });
}
