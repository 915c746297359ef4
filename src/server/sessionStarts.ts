import type { Socket } from 'node:net';
import { countResets } from './firstFrames.ts';
import { RAPID_RESETS } from './http2Session.ts';
import { peerOf } from './peer.ts';

/** For how long a client is remembered after a session of it was ended for abuse, in milliseconds. */
const REMEMBERED = 1000;
/** Between two sessions that such a client begins, in milliseconds. One that is abused takes about a fifth of it. */
const INTERVAL = 5;

interface Start {
  socket: Socket;
  begin: () => void;
}

interface Abuser {
  waiting: Start[];
  /** When a session of it was last ended, by the monotonic clock. */
  last: number;
}

/**
 * Begins HTTP/2 sessions, one in each turn of the event loop, so that between two of them everybody else is served.
 * Those of a client that has abused one begin at intervals: however many it opens, most of the processor is others'.
 */
export class SessionStarts {
  readonly #waiting: Start[] = [];
  readonly #abusers = new Map<string, Abuser>();

  /**
   * Calls `begin` when the session over `socket` may begin, which is later; never when the socket has closed by then, or
   * is one that begins with rapid resets, which is ended.
   */
  begin(socket: Socket, begin: () => void): void {
    const abuser = this.#abusers.size === 0 ? undefined : this.#abusers.get(peerOf(socket.remoteAddress ?? ''));
    if (abuser === undefined) this.#inTurn({ socket, begin });
    else abuser.waiting.push({ socket, begin });
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
    const abuser: Abuser = { waiting: [], last };
    this.#abusers.set(name, abuser);
    const timer = setInterval(() => {
      // As many wait as there may be connections of it, since those that have closed take no time.
      let next = abuser.waiting.shift();
      while (next?.socket.destroyed) next = abuser.waiting.shift();
      if (next !== undefined) {
        this.#inTurn(next);
      } else if (performance.now() - abuser.last >= REMEMBERED) {
        clearInterval(timer);
        this.#abusers.delete(name);
      }
    }, INTERVAL).unref();
  }

  #inTurn(start: Start): void {
    if (this.#waiting.push(start) === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    const [start] = this.#waiting;
    if (start !== undefined) this.#start(start);
    this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(() => this.#turn());
  }

  #start({ socket, begin }: Start): void {
    if (socket.destroyed) return;
    // All that has come by now is worked off at once: up to 64 KiB, a thousand streams.
    const first: Buffer | null = socket.read();
    if (first !== null && countResets(first) >= RAPID_RESETS) {
      this.abused(socket);
      socket.destroy();
      return;
    }
    if (first !== null) socket.unshift(first);
    begin();
  }
}
