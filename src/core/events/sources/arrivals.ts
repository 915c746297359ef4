import type { Logger } from '../../logger.ts';
import type { Store } from '../../store.ts';
import { type Periodic, pause, periodically } from '../../waiting.ts';
import type { EventGap, EventRecord, StoredEvent } from '../event.ts';
import type { EventIntake, EventResolver } from '../eventIntake.ts';

/** The interval at which the times of arrival are stored, in milliseconds. */
const FLUSH_INTERVAL = 2000;

/** The interval at which the store is asked for an arrival at another replica, in milliseconds. */
const POLL_INTERVAL = 1000;

interface Waiting {
  matches(record: EventRecord): boolean;
  arrived(time: number): void;
}

/** An intake that notes when the events of a node arrive, for the node's source and its tests. */
export class Arrivals implements EventIntake {
  readonly #intake: EventIntake;
  readonly #store: Store;
  readonly #now: () => number;
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #log: Logger;
  #flush: Periodic | null = null;
  #heard = new Set<string>();

  constructor(intake: EventIntake, store: Store, now: () => number, log: Logger) {
    this.#intake = intake;
    this.#store = store;
    this.#now = now;
    this.#log = log;
  }

  /** Begins to store when events arrive. */
  start(): void {
    const failure = 'storing when events arrived failed, retrying';
    this.#flush = periodically(FLUSH_INTERVAL, () => this.flush(), this.#log, failure);
  }

  async take(nodeUuid: string, records: readonly EventRecord[]): Promise<void> {
    await this.#intake.take(nodeUuid, records);
    const time = this.#now();
    this.#heard.add(nodeUuid);
    for (const one of this.#waiting.get(nodeUuid) ?? []) if (records.some(one.matches)) one.arrived(time);
  }

  noteGap(nodeUuid: string, gap: EventGap): Promise<void> {
    return this.#intake.noteGap(nodeUuid, gap);
  }

  onStored(listener: (events: readonly StoredEvent[]) => void): void {
    this.#intake.onStored(listener);
  }

  completeWith(resolver: EventResolver): void {
    this.#intake.completeWith(resolver);
  }

  /**
   * Starts to wait for a record, by whichever replica it arrives.
   * @returns a function that waits up to `time` milliseconds, and returns when it arrived, in milliseconds; null when it has
   *   not. At another replica only that any record of the node has arrived is known.
   */
  expect(
    nodeUuid: string,
    matches: (record: EventRecord) => boolean,
  ): { within(time: number, signal: AbortSignal): Promise<number | null>; end(): void } {
    const { promise, resolve } = Promise.withResolvers<number>();
    const since = this.#now();
    const waiting = { matches, arrived: resolve };
    const all = this.#waiting.get(nodeUuid) ?? new Set();
    this.#waiting.set(nodeUuid, all.add(waiting));
    const elsewhere = async (signal: AbortSignal): Promise<number | null> => {
      for (;;) {
        await pause(POLL_INTERVAL, signal, false);
        const last = (await this.#store.getEventSource(nodeUuid))?.lastEventTime?.getTime() ?? 0;
        if (last >= since && !this.#heard.has(nodeUuid)) return last;
      }
    };
    return {
      within: async (time, signal) => {
        const over = new AbortController();
        const limit = AbortSignal.any([signal, over.signal, AbortSignal.timeout(time)]);
        const ended = new Promise<null>((done) => limit.addEventListener('abort', () => done(null), { once: true }));
        const others = this.#store.shared ? [elsewhere(limit).catch(() => ended)] : [];
        try {
          return await Promise.race([promise, ended, ...others]);
        } finally {
          over.abort();
          signal.throwIfAborted();
        }
      },
      end: () => {
        all.delete(waiting);
        if (all.size === 0) this.#waiting.delete(nodeUuid);
      },
    };
  }

  /** Stores when events have arrived. */
  async flush(): Promise<void> {
    const heard = this.#heard;
    if (heard.size === 0) return;
    this.#heard = new Set();
    try {
      await this.#store.noteEventsArrived([...heard], new Date(this.#now()));
    } catch (error) {
      for (const nodeUuid of heard) this.#heard.add(nodeUuid);
      throw error;
    }
  }

  /** Stores the last times, if the store can be reached. */
  async stop(): Promise<void> {
    await this.#flush?.stop();
    await this.flush().catch(() => {});
  }
}
