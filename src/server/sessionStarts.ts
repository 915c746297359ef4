import type { Socket } from 'node:net';
import { countResets } from './firstFrames.ts';
import { RAPID_RESETS } from './http2Session.ts';
import { peerOf } from './peer.ts';

/** For how long a client is remembered after a session of it was ended for abuse, in milliseconds. */
const REMEMBERED = 1000;
/** Between two sessions that such a client begins, in milliseconds. One that is abused takes about a fifth of it. */
const INTERVAL = 5;

interface Abuser {
  /** When its next session may begin, by the monotonic clock. */
  next: number;
  forget: NodeJS.Timeout;
}

/**
 * Begins HTTP/2 sessions, one in each turn of the event loop, so that between two of them everybody else is served.
 * Those of a client that has abused one begin at intervals: however many it opens, most of the processor is others'.
 */
export class SessionStarts {
  readonly #waiting: (() => void)[] = [];
  readonly #abusers = new Map<string, Abuser>();

  /**
   * Calls `begin` when the session over `socket` may begin, which is later; never when the socket has closed by then, or
   * is one that begins with rapid resets, which is ended.
   */
  begin(socket: Socket, begin: () => void): void {
    const start = () => {
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
    };
    const abuser = this.#abusers.size === 0 ? undefined : this.#abusers.get(peerOf(socket.remoteAddress ?? ''));
    if (abuser === undefined) {
      this.#inTurn(start);
      return;
    }
    const now = performance.now();
    const at = Math.max(now, abuser.next);
    abuser.next = at + INTERVAL;
    setTimeout(() => this.#inTurn(start), at - now);
  }

  /** The session over `socket` is ended for abuse. */
  abused({ remoteAddress }: Socket): void {
    // It has gone by itself.
    if (remoteAddress === undefined) return;
    const name = peerOf(remoteAddress);
    const abuser = this.#abusers.get(name);
    if (abuser !== undefined) {
      abuser.forget.refresh();
      return;
    }
    const forget = setTimeout(() => this.#abusers.delete(name), REMEMBERED).unref();
    this.#abusers.set(name, { next: performance.now() + INTERVAL, forget });
  }

  #inTurn(start: () => void): void {
    if (this.#waiting.push(start) === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#waiting[0]?.();
    this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(() => this.#turn());
  }
}
