import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Pool } from 'undici';
import type { HttpInput } from './restInputs.ts';
import type { GrpcInput } from './rpcInputs.ts';

/** The response to an input. */
export interface FuzzResponse {
  /** The HTTP status; null when the connection or stream was closed instead. */
  status: number | null;
  /** The gRPC status; null when absent. */
  grpcStatus: string | null;
  /** The whole response: headers and body. */
  text: string;
}

/** The time limit of a response, in ms. */
const RESPONSE_TIMEOUT = 15_000;

/** How long an open response is read after its first byte, in ms: it may be a stream. */
const STREAM_TIME = 5;

/** Sends inputs over kept-alive connections. */
export class FuzzClient {
  readonly #url: URL;
  readonly #pool: Pool;
  #session: ClientHttp2Session | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
    this.#pool = new Pool(url, { connections: 8, headersTimeout: RESPONSE_TIMEOUT, bodyTimeout: RESPONSE_TIMEOUT });
  }

  async close(): Promise<void> {
    this.#session?.destroy();
    await this.#pool.destroy();
  }

  /** @throws when there is no response */
  async http({ verb, path, headers, body }: HttpInput): Promise<FuzzResponse> {
    const end = new AbortController();
    const {
      statusCode,
      headers: received,
      body: content,
    } = await this.#pool.request({
      method: verb as 'GET',
      path,
      headers,
      body,
      signal: end.signal,
    });
    let text = JSON.stringify(received);
    const timer = setTimeout(() => end.abort(), isStream(path) ? STREAM_TIME : RESPONSE_TIMEOUT);
    try {
      for await (const chunk of content) text += chunk;
    } catch (error) {
      if (!isStream(path)) throw error;
    } finally {
      clearTimeout(timer);
    }
    return { status: statusCode, grpcStatus: null, text };
  }

  async grpc({ path, headers, body }: GrpcInput): Promise<FuzzResponse> {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = connectHttp2(this.#url).on('error', () => {});
    }
    const stream = this.#session.request({ ':method': 'POST', ':path': path, ...headers });
    const response: FuzzResponse = { status: null, grpcStatus: null, text: '' };
    const add = (fields: Record<string, unknown>) => {
      response.status ??= Number(fields[':status']);
      response.grpcStatus ??= (fields['grpc-status'] as string | undefined) ?? null;
      response.text += JSON.stringify(fields);
    };
    stream.on('response', add).on('trailers', (fields) => add({ ':status': response.status, ...fields }));
    stream.on('data', (chunk) => {
      response.text += chunk;
      if (isStream(path)) setTimeout(() => stream.close(), STREAM_TIME);
    });
    stream.on('error', () => {});
    stream.end(body);
    await settled(new Promise((resolve) => stream.once('close', resolve)), () => stream.destroy());
    return response;
  }

  /** Sends `bytes`, and nothing else, over a new connection. */
  async raw(bytes: Uint8Array): Promise<FuzzResponse> {
    const socket = connect(Number(this.#url.port), this.#url.hostname);
    let text = '';
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
    socket.end(bytes);
    await settled(new Promise((resolve) => socket.once('close', resolve)), () => socket.destroy());
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    return { status: status === undefined ? null : Number(status), grpcStatus: null, text };
  }
}

function isStream(path: string): boolean {
  return /Watch|ServerReflectionInfo|\/events/.test(path);
}

/** Waits for `end`. @throws after RESPONSE_TIMEOUT, once `giveUp` was called */
async function settled(end: Promise<unknown>, giveUp: () => void): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no end after ${RESPONSE_TIMEOUT} ms`)), RESPONSE_TIMEOUT);
  try {
    await Promise.race([end, late.promise]);
  } catch (error) {
    giveUp();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
