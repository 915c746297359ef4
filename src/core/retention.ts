import { KEPT } from './calls/idempotency.ts';
import type { Store } from './store.ts';

export interface RetentionSettings {
  /** Milliseconds for which an ended job is kept; null: for good. */
  time: number | null;
  /** How many ended jobs are kept; null: all. */
  count: number | null;
}

/** Rows that one step removes: so few that nothing else waits long for it. */
const BATCH = 200;

/** Removes ended jobs and idempotency keys that are kept no longer, in small batches; between two, others have their turn. */
export async function removeOld(store: Store, { time, count }: RetentionSettings, signal: AbortSignal): Promise<void> {
  const now = Date.now();
  const old = time === null ? null : { endTime: new Date(now - time), id: '' };
  const surplus = count === null ? null : await store.placeAfterNewest(count);
  for (const place of [old, surplus]) {
    if (place !== null) await inBatches(() => store.removeEndedJobs(place, BATCH), signal);
  }
  await inBatches(() => store.removeIdempotent(new Date(now - KEPT), BATCH), signal);
}

async function inBatches(remove: () => Promise<number>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await remove()) === BATCH) await new Promise(setImmediate);
}
