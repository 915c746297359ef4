import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import { peerOf } from '../net/peer.ts';

export interface CallLimits {
  /** How many calls one caller may have under way. */
  callsPerCaller: number;
  /** How many streams of events. */
  watchesPerCaller: number;
}

export const DEFAULT_CALL_LIMITS: Readonly<CallLimits> = { callsPerCaller: 1000, watchesPerCaller: 1000 };

/** A call and where it is answered. */
export interface CallInFlight {
  /** Null for whoever asks what takes no credentials: then it is the peer that counts. */
  caller: Caller | null;
  /** Whether it is a stream, which may stay open for as long as its caller likes. */
  isWatch: boolean;
  request: IncomingMessage | Http2ServerRequest;
  response: ServerResponse | Http2ServerResponse;
}

/** Counts the calls that each caller has under way, by every way in, so that one leaves room for the others. */
export class CallsInFlight {
  readonly #limits: Readonly<CallLimits>;
  readonly #counts = new Map<string, number>();

  constructor(limits: Readonly<CallLimits> = DEFAULT_CALL_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Counts a call until its answer is sent, or its caller has gone.
   * @throws kind `rate_limited` when the caller has as many under way as one may
   */
  begin({ caller, isWatch, request, response }: CallInFlight): void {
    // Its end has been told already; what is left of it ends by itself.
    if (response.destroyed || (response as Http2ServerResponse).stream?.destroyed) return;
    const who = caller === null ? `peer ${peerOf(request.socket.remoteAddress ?? '')}` : `caller ${caller.name}`;
    const key = `${isWatch ? 'watches' : 'calls'} of ${who}`;
    const count = this.#counts.get(key) ?? 0;
    const most = isWatch ? this.#limits.watchesPerCaller : this.#limits.callsPerCaller;
    if (count >= most) {
      const what = isWatch ? 'streams open' : 'calls under way';
      throw new PassthruError('rate_limited', `There are ${count} ${what} of this caller, the most that one may have.`);
    }
    this.#counts.set(key, count + 1);
    response.once('close', () => {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    });
  }
}
