import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from './connections.ts';
import { endStalledStream, type ListenerLimits } from './limits.ts';

type SessionLimits = Pick<
  ListenerLimits,
  'pingInterval' | 'sessionIdleTimeout' | 'sessionMaxAge' | 'requestTimeout' | 'stallTimeout' | 'maxControlFrames'
>;

/** The longest interval at which the time limits of streams are checked, in ms. */
const CHECK_INTERVAL = 5000;

/**
 * Enforces the time limits of an HTTP/2 session, for which Node has no timers: pings the peer, which also keeps quiet
 * streams alive through proxies, and destroys the connection when a ping is unanswered; closes idle and old sessions;
 * ends a stream whose request does not arrive completely, or whose response the client does not read. Also ends a session
 * that sends too many PING and SETTINGS frames (CVE-2019-9512, CVE-2019-9515), of which nghttp2 only counts unacknowledged
 * ones.
 * @param connection counts the streams; undefined when its socket has closed
 * @param endsInTime whether the request at a path is subject to `requestTimeout`
 */
export function guardSession(
  session: ServerHttp2Session,
  socket: Socket,
  connection: Connection | undefined,
  limits: SessionLimits,
  endsInTime: (path: string | undefined) => boolean,
): void {
  const begun = performance.now();
  // Jitter, so that sessions that began together, as after a restart, do not end together.
  const maxAge = limits.sessionMaxAge * (1 + Math.random() / 10);
  const openStreams = new OpenStreams(limits);
  let idleSince = begun;
  let pingPending = false;

  const check = setInterval(() => {
    const now = performance.now();
    if (pingPending || (session.closed && openStreams.size === 0)) {
      // A graceful close would wait for the rest of a frame, or for a peer that is gone.
      session.destroy();
      socket.destroy();
      return;
    }
    const isIdle = openStreams.size === 0 && now - idleSince >= limits.sessionIdleTimeout;
    if (!session.closed && (isIdle || now - begun >= maxAge)) session.close();
    // Open streams of a closed session continue without pings, which Node no longer sends (24.21); TCP probes the peer.
    if (session.closed) return;
    pingPending = true;
    session.ping((error) => {
      if (error === null) pingPending = false;
    });
  }, limits.pingInterval);
  socket.once('close', () => {
    clearInterval(check);
    openStreams.forget();
  });

  session.on('stream', (stream: ServerHttp2Stream, headers) => {
    // Reset by the client before it was served.
    if (stream.destroyed) return;
    connection?.begin();
    openStreams.add(stream, stream.endAfterHeaders || !endsInTime(headers[':path']));
    stream.on('close', () => {
      connection?.end();
      if (openStreams.delete(stream) === 0) idleSince = performance.now();
    });
  });

  const takeControlFrame = tokenBucket(limits.maxControlFrames);
  const countControlFrame = () => {
    if (session.destroyed || takeControlFrame()) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  };
  session.on('ping', countControlFrame);
  session.on('remoteSettings', countControlFrame);
  // When a session ends by a protocol error before it has acknowledged our SETTINGS, Node keeps the callback and
  // everything that the session references. If that includes the socket, none of it is ever freed (Node 24.21).
  session.once('close', () => session.removeAllListeners());
}

/**
 * The open streams of a session, with their time limits: checked at intervals and for all at once, since timers of each
 * stream would take longer than most of what a short call takes.
 */
class OpenStreams {
  readonly #requestTimeout: number;
  readonly #stallTimeout: number;
  readonly #interval: number;
  /** With the time of its begin; Infinity for one whose request is complete or may take as long as it likes. */
  readonly #streams = new Map<ServerHttp2Stream, number>();
  /** Those whose client has not read all of the response at a check: their own timer follows what is sent. */
  readonly #pending = new WeakSet<ServerHttp2Stream>();
  #check: NodeJS.Timeout | undefined;

  constructor({ requestTimeout, stallTimeout }: SessionLimits) {
    this.#requestTimeout = requestTimeout;
    this.#stallTimeout = stallTimeout;
    this.#interval = Math.min(CHECK_INTERVAL, Math.min(requestTimeout, stallTimeout) / 4);
  }

  get size(): number {
    return this.#streams.size;
  }

  /** @param isReceived whether no time limit applies to the rest of its request */
  add(stream: ServerHttp2Stream, isReceived: boolean): void {
    this.#streams.set(stream, isReceived ? Number.POSITIVE_INFINITY : performance.now());
    this.#check ??= setTimeout(() => this.#checkAll(), this.#interval);
  }

  /** Returns the number of those that are left. */
  delete(stream: ServerHttp2Stream): number {
    this.#streams.delete(stream);
    return this.#streams.size;
  }

  /** Ends the checks of a session that has ended. */
  forget(): void {
    clearTimeout(this.#check);
  }

  #checkAll(): void {
    if (this.#streams.size === 0) {
      this.#check = undefined;
      return;
    }
    const now = performance.now();
    for (const [stream, begun] of this.#streams) {
      if (now - begun >= this.#requestTimeout && !stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
      else if (stream.writableLength > 0 && !this.#pending.has(stream)) {
        this.#pending.add(stream);
        endStalledStream(stream, this.#stallTimeout);
      }
    }
    this.#check?.refresh();
  }
}

/** Returns a function that is true while it is called at most `rate` times per second, with bursts of `2 * rate`. */
function tokenBucket(rate: number): () => boolean {
  let tokens = 2 * rate;
  let last = performance.now();
  return () => {
    const now = performance.now();
    tokens = Math.min(2 * rate, tokens + ((now - last) / 1000) * rate) - 1;
    last = now;
    return tokens >= 0;
  };
}
