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

/** The open calls or streams of each caller, and of each peer. Never 0. */
class Counts {
  readonly ofCallers = new Map<string, number>();
  readonly ofPeers = new Map<string, number>();
}

/** Counts the concurrent calls of each caller over all protocols, so that one leaves room for the others. */
export class CallsInFlight {
  readonly #limits: Readonly<CallLimits>;
  readonly #calls = new Counts();
  readonly #watches = new Counts();

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
    const { ofCallers, ofPeers } = isWatch ? this.#watches : this.#calls;
    const counts = caller === null ? ofPeers : ofCallers;
    const owner = caller === null ? peerOf(request.socket.remoteAddress ?? '') : caller.name;
    const count = counts.get(owner) ?? 0;
    const limit = isWatch ? this.#limits.watchesPerCaller : this.#limits.callsPerCaller;
    if (count >= limit) {
      const kind = isWatch ? 'open streams' : 'concurrent calls';
      throw new PassthruError('rate_limited', `This caller already has ${count} ${kind}, the maximum allowed.`);
    }
    counts.set(owner, count + 1);
    // It fires once; `once` would cost more.
    response.on('close', () => {
      const remaining = (counts.get(owner) ?? 1) - 1;
      if (remaining === 0) counts.delete(owner);
      else counts.set(owner, remaining);
    });
  }
}
