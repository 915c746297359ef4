import type { Socket } from 'node:net';
import { peerOf } from '../net/peer.ts';
import { countResets } from './firstFrames.ts';
import { RAPID_RESETS } from './http2Session.ts';

/** For how long a client is remembered after a session of it was ended for abuse, in milliseconds. */
const REMEMBERED = 1000;
/** Between two sessions that such a client begins, in milliseconds. One that is abused takes about a fifth of it. */
const INTERVAL = 5;

type Begin = () => void;

interface Abuser {
  /** Those of its connections that wait, the one that came first in front. */
  readonly waiting: Map<Socket, Begin>;
  /** When a session of it was last ended, by the monotonic clock. */
  last: number;
}

/**
 * Begins HTTP/2 sessions, one in each turn of the event loop, so that between two of them everybody else is served.
 * Those of a client that has abused one begin at intervals: however many it opens, most of the processor is others'.
 */
export class SessionStarts {
  readonly #turns: Begin[] = [];
  readonly #abusers = new Map<string, Abuser>();

  /**
   * Calls `begin` when the session over `socket` may begin, which is later; never when the socket has closed by then, or
   * is one that begins with rapid resets, which is ended.
   */
  begin(socket: Socket, begin: Begin): void {
    const abuser = this.#abusers.size === 0 ? undefined : this.#abusers.get(peerOf(socket.remoteAddress ?? ''));
    if (abuser === undefined) {
      this.#inTurn(() => start(socket, begin));
      return;
    }
    abuser.waiting.set(socket, begin);
    socket.once('close', () => abuser.waiting.delete(socket));
  }

  /** The session over `socket` is ended for abuse. */
  abused({ remoteAddress }: Socket): void {
    // It has gone by itself.
    if (remoteAddress === undefined) return;
    const name = peerOf(remoteAddress);
    const last = performance.now();
    const known = this.#abusers.get(name);
    if (known !== undefined) {
      known.last = last;
      return;
    }
    const abuser: Abuser = { waiting: new Map(), last };
    this.#abusers.set(name, abuser);
    const timer = setInterval(() => {
      const isOver = performance.now() - abuser.last >= REMEMBERED;
      for (const [socket, begin] of abuser.waiting) {
        abuser.waiting.delete(socket);
        this.#inTurn(() => start(socket, begin));
        if (!isOver) break;
      }
      if (!isOver) return;
      clearInterval(timer);
      this.#abusers.delete(name);
    }, INTERVAL).unref();
  }

  #inTurn(begin: Begin): void {
    if (this.#turns.push(begin) === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#turns[0]?.();
    this.#turns.shift();
    if (this.#turns.length > 0) setImmediate(() => this.#turn());
  }
}

function start(socket: Socket, begin: Begin): void {
  if (socket.destroyed) return;
  // All that has come by now is worked off at once: up to 64 KiB, a thousand streams.
  const first: Buffer | null = socket.read();
  if (first !== null && countResets(first) >= RAPID_RESETS) {
    socket.destroy();
    return;
  }
  if (first !== null) socket.unshift(first);
  begin();
}
