import { untilAborted } from '../waiting.ts';
import type { WatchEvent, WatchSink } from './watchEvent.ts';

/** What one watcher is told, for a reader that asks for one event after the other. */
export class EventQueue<T> implements WatchSink<T> {
  readonly #events: WatchEvent<T>[] = [];
  #told = Promise.withResolvers<void>();
  #taken = Promise.withResolvers<void>();

  put(events: readonly WatchEvent<T>[]): boolean {
    this.#events.push(...events);
    this.#taken = Promise.withResolvers();
    this.#told.resolve();
    return false;
  }

  ready(signal: AbortSignal): Promise<void> {
    return untilAborted(this.#taken.promise, signal);
  }

  /** Returns the waiting events; no more come before `taken`. */
  take(): WatchEvent<T>[] {
    return this.#events.splice(0);
  }

  /** Lets more events come. */
  taken(): void {
    this.#taken.resolve();
  }

  /**
   * Yields the events that `watch` tells, until the reader leaves.
   * @throws what `watch` rejects with, such as the reason of `signal`
   */
  async *read(
    signal: AbortSignal,
    watch: (sink: WatchSink<T>, signal: AbortSignal) => Promise<never>,
  ): AsyncGenerator<WatchEvent<T>, void> {
    const left = new AbortController();
    const ended = watch(this, AbortSignal.any([signal, left.signal]));
    // It is awaited below.
    ended.catch(() => {});
    try {
      for (;;) {
        await Promise.race([this.#told.promise, ended]);
        for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) yield event;
        this.#told = Promise.withResolvers();
        this.#taken.resolve();
      }
    } finally {
      left.abort();
    }
  }
}
