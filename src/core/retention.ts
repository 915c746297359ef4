import { KEPT } from './idempotency.ts';
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
export async function removeOld(store: Store, settings: RetentionSettings, signal: AbortSignal): Promise<void> {
  const now = Date.now();
  const endedBefore = settings.time === null ? null : new Date(now - settings.time);
  const jobs = () => store.removeEndedJobs({ endedBefore, keep: settings.count, limit: BATCH });
  const keys = () => store.removeIdempotent(new Date(now - KEPT), BATCH);
  for (const remove of [jobs, keys]) {
    let removed = BATCH;
    while (removed === BATCH && !signal.aborted) {
      removed = await remove();
      await new Promise(setImmediate);
    }
  }
}
