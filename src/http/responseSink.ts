import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { EventEncoder } from '../core/watch/eventEncoder.ts';
import type { WatchEvent, WatchSink } from '../core/watch/watchEvent.ts';
import type { HttpResponse } from './message.ts';

/** Writes what a watcher is told to its response. A client that reads slowly is told no more until it has caught up. */
export class ResponseSink<T extends object> implements WatchSink<T> {
  readonly #response: ServerResponse;
  readonly #encoder: EventEncoder<T>;
  readonly #begin: () => void;
  #begun = false;

  /** @param begin sends the head of the response */
  constructor(response: HttpResponse, encoder: EventEncoder<T>, begin: () => void) {
    // The two types of response share what is used here, but a union of overloads cannot be called.
    this.#response = response as ServerResponse;
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
    return this.#response.write(this.#encoder.encode(events));
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const stream = 'stream' in this.#response ? (this.#response.stream as ServerResponse) : this.#response;
    if (!stream.writableNeedDrain) return;
    await once(this.#response, 'drain', { signal }).catch((error) => {
      throw signal.aborted ? signal.reason : error;
    });
  }
}
