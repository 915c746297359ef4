import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from './connections.ts';
import type { ListenerLimits } from './limits.ts';

/** How many streams of one turn of the event loop may be reset in it. */
export const RAPID_RESETS = 50;

export interface SessionGuard {
  /** Whether the request of a stream has to end in time, by its path. */
  awaitsEnd(path: string | undefined): boolean;
  /** The session is ended because its client abuses it. */
  abused(): void;
}

/**
 * Owns the timers of an HTTP/2 session, of which Node arms none: it pings the peer, which also keeps quiet streams
 * alive through proxies, and destroys the connection of one that does not answer; it closes a session that is idle or
 * old; and it ends a stream whose request does not arrive whole. It ends a session that sends too many PING and SETTINGS
 * frames (CVE-2019-9512, CVE-2019-9515), of which nghttp2 counts those alone that wait to be acknowledged.
 * @param connection counts the streams; undefined when its socket has closed
 */
export function guardSession(
  session: ServerHttp2Session,
  socket: Socket,
  connection: Connection | undefined,
  limits: Pick<
    ListenerLimits,
    'pingInterval' | 'sessionIdleTimeout' | 'sessionMaxAge' | 'requestTimeout' | 'maxControlFrames'
  >,
  { awaitsEnd, abused }: SessionGuard,
): void {
  const begun = Date.now();
  // Sessions that began together, as after a restart, do not end together.
  const maxAge = limits.sessionMaxAge * (1 + Math.random() / 10);
  let openStreams = 0;
  let idleSince = begun;
  let unanswered = false;

  const check = setInterval(() => {
    const now = Date.now();
    if (unanswered || (session.closed && openStreams === 0)) {
      // Closed politely it would wait for the rest of a frame, or for a peer that is gone.
      session.destroy();
      socket.destroy();
      return;
    }
    const isIdle = openStreams === 0 && now - idleSince >= limits.sessionIdleTimeout;
    if (!session.closed && (isIdle || now - begun >= maxAge)) session.close();
    // What is left of one that was closed ends in peace: Node does not ping on it any more (24.21). TCP asks after its peer.
    if (session.closed) return;
    unanswered = true;
    session.ping((error) => {
      if (error === null) unanswered = false;
    });
  }, limits.pingInterval);

  const endAbuse = () => {
    if (session.destroyed) return;
    abused();
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  };
  const isRapidReset = rapidResetGauge();
  session.on('stream', (stream: ServerHttp2Stream, headers) => {
    if (isRapidReset(stream)) endAbuse();
    openStreams += 1;
    connection?.begin();
    const timer =
      stream.endAfterHeaders || !awaitsEnd(headers[':path'])
        ? undefined
        : setTimeout(() => {
            if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
          }, limits.requestTimeout);
    stream.once('close', () => {
      clearTimeout(timer);
      openStreams -= 1;
      connection?.end();
      if (openStreams === 0) idleSince = Date.now();
    });
  });

  const flooded = floodGauge(limits.maxControlFrames);
  const count = () => {
    if (flooded()) endAbuse();
  };
  session.on('ping', count);
  session.on('remoteSettings', count);
  socket.once('close', () => clearInterval(check));
  // Of a session that ends by a protocol error before it has acknowledged our SETTINGS Node keeps the callback, and with it
  // all that the session leads to; if that is the socket, none of it is ever freed (Node 24.21).
  session.once('close', () => session.removeAllListeners());
}

/**
 * Answers, at each new stream, whether so many before it were begun and reset within one turn of the event loop
 * (CVE-2023-44487) as nobody does who wants an answer. nghttp2 lets a thousand resets pass, which clients may need whose
 * calls meet one deadline together; here those take the processor that nobody waited for.
 */
function rapidResetGauge(): (stream: ServerHttp2Stream) => boolean {
  const begun: ServerHttp2Stream[] = [];
  return (stream) => {
    if (begun.push(stream) === 1) setImmediate(() => begun.splice(0));
    return begun.length % RAPID_RESETS === 0 && begun.filter(({ closed }) => closed).length >= RAPID_RESETS - 1;
  };
}

/** Answers, at each event, whether there were more than `rate` a second and `2 * rate` at once. */
function floodGauge(rate: number): () => boolean {
  let left = 2 * rate;
  let last = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(2 * rate, left + ((now - last) / 1000) * rate) - 1;
    last = now;
    return left < 0;
  };
}
