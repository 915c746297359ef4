import type { Socket } from 'node:net';

/** The start of an HTTP/2 connection with prior knowledge (RFC 9113, 3.4). No HTTP/1.1 method starts like it. */
const PREFACE = Buffer.from('PRI ');

/**
 * Reads enough of a new connection to tell the version of HTTP, puts it back and hands the socket over. Destroys a
 * connection that is silent for `timeout` ms.
 */
export function sniffHttpVersion(
  socket: Socket,
  timeout: number,
  serve: { http1(socket: Socket): void; http2(socket: Socket): void },
): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeout);
  const stopTimer = () => clearTimeout(timer);
  const read = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, PREFACE.length);
    const isPreface = PREFACE.compare(seen, 0, compared, 0, compared) === 0;
    if (isPreface && compared < PREFACE.length) return;
    socket.off('data', read);
    socket.off('close', stopTimer);
    stopTimer();
    socket.pause();
    socket.unshift(seen);
    if (isPreface) {
      serve.http2(socket);
    } else {
      serve.http1(socket);
      // The parser listens now: it gets what was put back, then reads from the socket itself.
      process.nextTick(() => socket.resume());
    }
  };
  socket.on('data', read);
  socket.on('close', stopTimer);
  // A broken connection is closed anyway; there is no one to report the error to.
  socket.on('error', () => {});
}
