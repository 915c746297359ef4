import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from './connections.ts';
import type { ListenerLimits } from './limits.ts';

type SessionLimits = Pick<
  ListenerLimits,
  'pingInterval' | 'sessionIdleTimeout' | 'sessionMaxAge' | 'requestTimeout' | 'maxControlFrames'
>;

/**
 * Enforces the time limits of an HTTP/2 session, for which Node has no timers: pings the peer, which also keeps quiet
 * streams alive through proxies, and destroys the connection when a ping is unanswered; closes idle and old sessions;
 * ends a stream whose request does not arrive completely. Also ends a session that sends too many PING and SETTINGS
 * frames (CVE-2019-9512, CVE-2019-9515), of which nghttp2 only counts unacknowledged ones.
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
  let openStreams = 0;
  let idleSince = begun;
  let pingPending = false;

  const check = setInterval(() => {
    const now = performance.now();
    if (pingPending || (session.closed && openStreams === 0)) {
      // A graceful close would wait for the rest of a frame, or for a peer that is gone.
      session.destroy();
      socket.destroy();
      return;
    }
    const isIdle = openStreams === 0 && now - idleSince >= limits.sessionIdleTimeout;
    if (!session.closed && (isIdle || now - begun >= maxAge)) session.close();
    // Open streams of a closed session continue without pings, which Node no longer sends (24.21); TCP probes the peer.
    if (session.closed) return;
    pingPending = true;
    session.ping((error) => {
      if (error === null) pingPending = false;
    });
  }, limits.pingInterval);
  socket.once('close', () => clearInterval(check));

  session.on('stream', (stream: ServerHttp2Stream, headers) => {
    openStreams += 1;
    connection?.begin();
    const timer =
      stream.endAfterHeaders || !endsInTime(headers[':path'])
        ? undefined
        : setTimeout(() => {
            if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
          }, limits.requestTimeout);
    stream.once('close', () => {
      clearTimeout(timer);
      openStreams -= 1;
      connection?.end();
      if (openStreams === 0) idleSince = performance.now();
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
