import type { Caller } from '../../../src/core/caller.ts';
import type { Core, JobsWatch, NodesWatch } from '../../../src/core/core.ts';
import type { ShownJob } from '../../../src/core/jobs/shownJob.ts';
import type { Node } from '../../../src/core/node.ts';
import type { WatchEvent, WatchSink } from '../../../src/core/watch/watchEvent.ts';
import { operator } from '../harness.ts';

/** A watcher that keeps what it is told. */
export class Watcher<T> implements WatchSink<T> {
  readonly events: WatchEvent<T>[] = [];
  readonly #stop = new AbortController();
  readonly #waiting: (() => void)[] = [];
  /** Ends when the watch has ended, with its error, or null after `stop`. */
  readonly ended: Promise<unknown>;
  #slow: PromiseWithResolvers<void> | null = null;

  constructor(watch: (sink: WatchSink<T>, signal: AbortSignal) => Promise<never>) {
    this.ended = watch(this, this.#stop.signal).catch((error) => {
      for (const wake of this.#waiting.splice(0)) wake();
      return this.#stop.signal.aborted ? null : error;
    });
  }

  /** From now on takes one more piece, until `hurry`. */
  slowDown(): void {
    this.#slow = Promise.withResolvers();
  }

  hurry(): void {
    this.#slow?.resolve();
    this.#slow = null;
  }

  put(events: readonly WatchEvent<T>[]): boolean {
    this.events.push(...events);
    for (const wake of this.#waiting.splice(0)) wake();
    return this.#slow === null;
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#slow?.promise;
    signal.throwIfAborted();
  }

  /** Waits until `found` is true of what was told. */
  async until(found: (events: WatchEvent<T>[]) => boolean): Promise<WatchEvent<T>[]> {
    while (!found(this.events)) {
      const told = new Promise<void>((resolve) => this.#waiting.push(resolve));
      const end = await Promise.race([told.then(() => undefined), this.ended]);
      if (end !== undefined) throw end;
    }
    return this.events;
  }

  /** Waits for the marker `current`. */
  current(): Promise<WatchEvent<T>[]> {
    return this.until((events) => events.some((event) => event.kind === 'marker' && event.marker === 'current'));
  }

  /** The cursor of the last message that has one. */
  get cursor(): string {
    return this.events.findLast(({ cursor }) => cursor !== '')?.cursor ?? '';
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }
}

export function watchNodes({ nodes }: Core, given: Partial<NodesWatch> = {}): Watcher<Node> {
  return new Watcher((sink, signal) => nodes.watch({ nodes: [], driver: null, cursor: null, ...given }, sink, signal));
}

export function watchJobs(
  { jobs }: Core,
  given: Partial<JobsWatch> = {},
  caller: Caller = operator,
): Watcher<ShownJob> {
  const request = { nodes: [], driver: null, state: null, requestedBy: null, cursor: null, ...given };
  return new Watcher((sink, signal) => jobs.watchAll(request, caller, sink, signal));
}

/** Returns each event in one word: of a node its name, reservation and last_error; of a job its revision and state. */
export function words(events: readonly WatchEvent<Node | ShownJob>[]): string[] {
  return events.map((event) => {
    if (event.kind !== 'item') return event.kind === 'marker' ? event.marker.toUpperCase() : 'removed';
    const { item } = event;
    if ('revision' in item) return `${item.method} ${item.revision} ${item.state}`;
    const { reservation, lastError, description } = item;
    const lock =
      reservation === null ? 'free' : `${reservation.method ?? 'held'}${reservation.job === null ? '' : '+job'}`;
    return [item.name, lock, lastError === null ? '' : 'error', description ?? ''].join(' ').trim();
  });
}
