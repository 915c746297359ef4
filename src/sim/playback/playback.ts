import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { listen, stop } from '../connections.ts';
import { cut } from '../send.ts';
import { RecordedResponses } from './recordedResponses.ts';
import type { Exchange, Transcript } from './transcriptFile.ts';

/** Options of `startPlayback`. */
export interface PlaybackOptions {
  transcript: Transcript;
  /** The number of BMCs, each of which plays the transcript from its beginning; 1 by default. */
  count?: number;
  /** The address to listen on; 127.0.0.1 by default. */
  host?: string;
  /** The port of the first BMC, followed by the others; 0, the default, gives each any free port. */
  basePort?: number;
  /** Key and certificate (PEM) to serve HTTPS; HTTP by default. */
  tls?: { key: string | Buffer; cert: string | Buffer } | undefined;
}

/** BMCs that play a transcript back. */
export interface Playback {
  /** `http://HOST:PORT` of each. */
  urls: string[];
  /** Stops all and cuts their connections. */
  close(): Promise<void>;
}

/** Starts BMCs in this process that play a transcript back. When one cannot listen, stops all and rejects. */
export async function startPlayback(options: PlaybackOptions): Promise<Playback> {
  const { transcript, count = 1, host = '127.0.0.1', basePort = 0, tls } = options;
  const bmcs = Array.from({ length: count }, () => new ReplayedBmc(transcript, tls));
  const close = async () => {
    await Promise.all(bmcs.map((bmc) => bmc.close()));
  };
  try {
    for (const [index, bmc] of bmcs.entries()) await bmc.listen(host, basePort === 0 ? 0 : basePort + index);
  } catch (error) {
    await close();
    throw error;
  }
  return { urls: bmcs.map(({ url }) => url), close };
}

/** Time between the last byte of a response that breaks off and its end, in ms. */
const CUT_PAUSE_MS = 20;

/** The longest response that the client reads is shorter, in bytes. */
const TOO_LARGE = 9 * 1024 * 1024;

/** Headers that belong to the recorded connection or to the form in which the body was sent. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
  'trailer',
]);

/** One BMC that plays a transcript back. Any credentials are accepted: the recorded ones are masked. */
class ReplayedBmc {
  url = '';
  readonly #responses: RecordedResponses;
  /** Scheme, host and port of the recorded BMC, which links may contain; null when unknown. */
  readonly #recordedHost: string | null;
  readonly #scheme: 'http' | 'https';
  readonly #server: Server;

  constructor(transcript: Transcript, tls: PlaybackOptions['tls']) {
    const { origin = '' } = transcript.context;
    this.#responses = new RecordedResponses(transcript);
    this.#recordedHost = URL.canParse(origin) ? new URL(origin).host : null;
    this.#scheme = tls ? 'https' : 'http';
    const serve: RequestListener = (request, response) => void this.#serve(request, response);
    this.#server = tls ? createTlsServer(tls, serve) : createServer(serve);
  }

  async listen(host: string, port: number): Promise<void> {
    const { authority } = await listen(this.#server, host, port);
    this.url = `${this.#scheme}://${authority}`;
    this.#leaveWhenGone();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await stop(this.#server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: target = '/' } = request;
    try {
      request.resume();
      await once(request, 'end');
      const played = this.#responses.next(method, target);
      if (this.#leaveWhenGone()) response.setHeader('Connection', 'close');
      if ('made' in played) {
        const { status, headers, body } = played.made;
        response.writeHead(status, this.#ownHeaders(headers)).end(body === null ? undefined : this.#ownUrls(body));
      } else this.#play(played.recorded, request, response);
    } catch {
      // The client has gone.
      request.socket.destroy();
    }
  }

  #play({ response: recorded, error }: Exchange, request: IncomingMessage, response: ServerResponse): void {
    if (recorded === null) {
      // Otherwise the client waits for a response until its own limit, as it did.
      if (error?.startsWith('unreachable')) this.#breakOff(request.socket, error);
      return;
    }
    const headers = this.#ownHeaders(recorded.headers);
    const body = this.#bodyOf(recorded);
    const bodiless = recorded.status === 204 || recorded.status === 304;
    if (error === null && !recorded.cut) {
      // The body is recorded as it was after its decoding.
      const { 'content-encoding': _, ...others } = headers;
      response.writeHead(recorded.status, bodiless ? others : { ...others, 'Content-Length': body.length });
      response.end(bodiless ? undefined : body);
    } else if (error?.startsWith('failed') && error.includes('larger')) {
      response.writeHead(recorded.status, headers).end(Buffer.alloc(TOO_LARGE));
    } else if (error?.startsWith('failed')) {
      response.writeHead(recorded.status, headers).end(body);
    } else {
      // The response broke off within its body.
      response.writeHead(recorded.status, { ...headers, 'Content-Length': body.length + 1 });
      response.flushHeaders();
      response.write(body);
      if (error?.startsWith('timeout')) return;
      // A reset would discard what was not read yet.
      setTimeout(() => this.#breakOff(request.socket, error), CUT_PAUSE_MS);
    }
  }

  #breakOff(socket: Socket, error: string | null): void {
    if (error?.includes('ECONNRESET')) cut(socket);
    else socket.destroy();
  }

  #bodyOf({ body, encoding }: NonNullable<Exchange['response']>): Buffer {
    if (body === null) return Buffer.alloc(0);
    if (encoding === 'base64' && typeof body === 'string') return Buffer.from(body, 'base64');
    return Buffer.from(this.#ownUrls(typeof body === 'string' ? body : JSON.stringify(body)));
  }

  #ownHeaders(headers: Record<string, string>): Record<string, string> {
    const own = Object.entries(headers).filter(([name]) => !CONNECTION_HEADERS.has(name.toLowerCase()));
    return Object.fromEntries(own.map(([name, value]) => [name, this.#ownUrls(value)]));
  }

  /** Replaces the recorded BMC's address in its links by this one's: the driver follows no link to another host. */
  #ownUrls(text: string): string {
    if (this.#recordedHost === null) return text;
    return text.replaceAll(/https?:\/\/[^/\s"'<>\\]+(?=\/redfish\b)/gi, (link) =>
      URL.canParse(link) && new URL(link).host === this.#recordedHost ? this.url : link,
    );
  }

  /** Stops listening when the recorded BMC could not be connected to any more. Returns whether it has. */
  #leaveWhenGone(): boolean {
    if (!this.#responses.isGone) return false;
    this.#server.close();
    return true;
  }
}
