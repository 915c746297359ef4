import type { Readable } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { openClient } from './connection.ts';
import { MAX_REDIRECTS, REDIRECTS, redirected, type Transport } from './delivery.ts';
import { type BmcRequest, describeBreak, flatHeaders, type RawResponse } from './request.ts';
import { describeTlsFailure } from './tlsFaults.ts';

/** The part of a refusal that is read, in bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** A response whose body is read as it arrives. */
export interface ResponseStream extends AsyncDisposable {
  /** With names in lower case. */
  readonly headers: Record<string, string>;
  /**
   * Returns the next part of the body; null at its end.
   * @param silenceMs how long it may take to arrive, in ms
   * @throws kind `unreachable` when the connection breaks or nothing arrives in time; the signal's reason
   */
  next(silenceMs: number): Promise<Uint8Array | null>;
}

/**
 * Sends a GET on a connection of its own, which does not count among those for requests as it stays open. Follows redirects on the
 * same host, and repeats nothing.
 * @returns the stream after 200, else the response
 * @throws kind `unreachable`, `tls` or `timeout`; `failed` (invalid redirects); the signal's reason
 */
export async function openStream(
  transport: Transport,
  path: string,
  headers: Record<string, string>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ResponseStream | RawResponse> {
  let request: BmcRequest = { method: 'GET', path, headers, body: null };
  for (let redirects = 0; ; ) {
    const response = await openOnce(transport, request.path, headers, timeoutMs, signal);
    if (!('status' in response) || !REDIRECTS.has(response.status)) return response;
    const url = transport.connections.origin + request.path;
    if (++redirects > MAX_REDIRECTS) throw new RedfishError('failed', 'The BMC redirects in a loop', { url });
    request = redirected(request, response, url);
  }
}

async function openOnce(
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
  const parts = decoded(body, response.headers['content-encoding'])[Symbol.asyncIterator]();
  return {
    headers: flatHeaders(response.headers),
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

/** Makes decoders whose output does not wait for the end of what they read. */
const DECODERS: Record<string, () => NodeJS.ReadWriteStream & Readable> = {
  gzip: () => createGunzip({ flush: constants.Z_SYNC_FLUSH }),
  'x-gzip': () => createGunzip({ flush: constants.Z_SYNC_FLUSH }),
  deflate: () => createInflate({ flush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH }),
};

/** Returns a body without its content encoding. Some BMCs compress although `identity` was requested. */
function decoded(body: Readable, encoding: string | string[] | undefined): Readable {
  const decoder = DECODERS[String(encoding ?? '').toLowerCase()]?.();
  if (decoder === undefined) return body;
  body.on('error', (error) => decoder.destroy(error));
  return body.pipe(decoder);
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
