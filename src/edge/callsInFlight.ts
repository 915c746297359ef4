import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { HttpResponse, RequestHead } from '../http/message.ts';
import { peerOf } from '../net/networks.ts';

export interface CallLimits {
  /** The maximum number of concurrent calls of one caller. */
  callsPerCaller: number;
  /** The maximum number of concurrent streams of one caller. */
  watchesPerCaller: number;
}

/** A call with its request and response. */
interface CallInFlight {
  /** Null for a method without authentication, where the peer counts instead. */
  caller: Caller | null;
  /** Whether it is a stream, which may stay open as long as its caller likes. */
  isWatch: boolean;
  request: Pick<RequestHead, 'socket'>;
  /** Over HTTP/2 also the stream itself. */
  response: HttpResponse | ServerHttp2Stream;
}

/** Counts the concurrent calls of each caller over all protocols, so that one leaves room for the others. */
export class CallsInFlight {
  readonly #limits: Readonly<CallLimits>;
  readonly #counts = new Map<string, number>();

  constructor(limits: Readonly<CallLimits>) {
    this.#limits = limits;
  }

  /**
   * Counts a call until its response is closed.
   * @throws kind `rate_limited` when the caller already has the maximum number
   */
  begin({ caller, isWatch, request, response }: CallInFlight): void {
    // Already closed: 'close' will not fire again.
    if (response.destroyed || (response as Http2ServerResponse).stream?.destroyed) return;
    const owner = caller === null ? `peer ${peerOf(request.socket.remoteAddress ?? '')}` : `caller ${caller.name}`;
    const key = `${isWatch ? 'watches' : 'calls'} of ${owner}`;
    const count = this.#counts.get(key) ?? 0;
    const limit = isWatch ? this.#limits.watchesPerCaller : this.#limits.callsPerCaller;
    if (count >= limit) {
      const kind = isWatch ? 'open streams' : 'concurrent calls';
      throw new PassthruError('rate_limited', `This caller already has ${count} ${kind}, the maximum allowed.`);
    }
    this.#counts.set(key, count + 1);
    response.once('close', () => {
      const remaining = (this.#counts.get(key) ?? 1) - 1;
      if (remaining === 0) this.#counts.delete(key);
      else this.#counts.set(key, remaining);
    });
  }
}
