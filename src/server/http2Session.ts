import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { ListenerLimits } from './limits.ts';

/**
 * Owns the timers of an HTTP/2 session, of which Node arms none: it pings the peer, which also keeps quiet streams
 * alive through proxies, and destroys the connection of one that does not answer; it closes a session that is idle; and
 * it ends a stream whose request does not arrive whole.
 * @param awaitsEnd whether the request of a stream has to end in time, by its path
 */
export function guardSession(
  session: ServerHttp2Session,
  socket: Socket,
  limits: Pick<ListenerLimits, 'pingInterval' | 'sessionIdleTimeout' | 'requestTimeout'>,
  awaitsEnd: (path: string | undefined) => boolean,
): void {
  let openStreams = 0;
  let idleSince = Date.now();
  let unanswered = false;

  const check = setInterval(() => {
    if (unanswered || (session.closed && openStreams === 0)) {
      // Closed politely it would wait for the rest of a frame, or for a peer that is gone.
      session.destroy();
      socket.destroy();
    } else if (openStreams === 0 && Date.now() - idleSince >= limits.sessionIdleTimeout) {
      session.close();
    } else {
      unanswered = true;
      session.ping((error) => {
        if (error === null) unanswered = false;
      });
    }
  }, limits.pingInterval);

  session.on('stream', (stream: ServerHttp2Stream, headers) => {
    openStreams += 1;
    const timer =
      stream.endAfterHeaders || !awaitsEnd(headers[':path'])
        ? undefined
        : setTimeout(() => {
            if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
          }, limits.requestTimeout);
    stream.once('close', () => {
      clearTimeout(timer);
      openStreams -= 1;
      if (openStreams === 0) idleSince = Date.now();
    });
  });
  socket.once('close', () => clearInterval(check));
}
