import type { Logger } from '../logger.ts';
import { untilAborted } from '../waiting.ts';
import type { EventRecord } from './event.ts';
import type { EventResolver } from './eventIntake.ts';

/** How long records wait for what is missing in them, in milliseconds: meanwhile the BMC waits for its response. */
const TIMEOUT = 2000;

/** How long a BMC that did not respond in time is not asked again, in milliseconds. */
const PAUSE = 60_000;

/** The number of BMCs that are not asked for now; beyond, the oldest are asked again. */
const MAX_PAUSED = 10_000;

/** Completes records before they are stored, as far as that is possible in time. */
export class RecordCompletion {
  /** Null while there is none. */
  resolver: EventResolver | null = null;
  readonly #log: Logger;
  readonly #now: () => number;
  /** The nodes that are not asked, and until when. */
  readonly #paused = new Map<string, number>();

  constructor(log: Logger, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** Whether `complete` can make something of the records. */
  canComplete(nodeUuid: string, records: readonly EventRecord[]): boolean {
    if (this.resolver === null || !records.some(lacksSomething)) return false;
    const until = this.#paused.get(nodeUuid);
    return until === undefined || until <= this.#now();
  }

  /** Returns the records, completed or as they are. Never throws. */
  async complete(nodeUuid: string, records: readonly EventRecord[]): Promise<readonly EventRecord[]> {
    const { resolver } = this;
    if (resolver === null || !this.canComplete(nodeUuid, records)) return records;
    this.#paused.delete(nodeUuid);
    const signal = AbortSignal.timeout(TIMEOUT);
    try {
      return await untilAborted(resolver.complete(nodeUuid, records, signal), signal);
    } catch (error) {
      this.#log.debug({ err: error, node: nodeUuid }, 'events are stored without what their BMC left out');
      const [oldest] = this.#paused.keys();
      if (this.#paused.size >= MAX_PAUSED && oldest !== undefined) this.#paused.delete(oldest);
      this.#paused.set(nodeUuid, this.#now() + PAUSE);
      return records;
    }
  }
}

function lacksSomething({ kind, messageId, message, severity, reference }: EventRecord): boolean {
  if (kind !== 'record') return false;
  return reference !== null || (messageId !== '' && (message === '' || severity === null));
}
