import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { EventEncoder } from '../core/watch/eventEncoder.ts';
import type { WatchEvent, WatchSink } from '../core/watch/watchEvent.ts';
import type { HttpResponse } from './message.ts';

/** Writes what a watcher is told to its response. A client that reads slowly is told no more until it has caught up. */
export class ResponseSink<T extends object> implements WatchSink<T> {
  /** Over HTTP/2 the stream itself, which costs less than the response around it. */
  readonly #stream: Writable;
  readonly #encoder: EventEncoder<T>;
  readonly #begin: () => void;
  #begun = false;

  /** @param begin sends the head of the response */
  constructor(response: HttpResponse, encoder: EventEncoder<T>, begin: () => void) {
    this.#stream = 'stream' in response ? response.stream : response;
    this.#encoder = encoder;
    this.#begin = begin;
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#begin();
  }

  put(events: readonly WatchEvent<T>[]): boolean {
    this.begin();
    return this.#stream.write(this.#encoder.encode(events));
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#stream.writableNeedDrain) return;
    await once(this.#stream, 'drain', { signal }).catch((error) => {
      throw signal.aborted ? signal.reason : error;
    });
  }
}
