import { INTERRUPTED, recordError } from './calls/idempotency.ts';
import type { ErrorRecord } from './errors.ts';
import { type Job, lastErrorText } from './job.ts';
import type { Logger } from './logger.ts';
import type { Reaped, Store } from './store.ts';

/** What a job that its process left behind is failed with. It is never run again by itself. */
export const WORKER_LOST: ErrorRecord = {
  kind: 'worker_lost',
  message:
    'worker lost: the process that ran the job ended before it did; look at the machine before you repeat the call',
  violations: [],
  lock: null,
  bmc: null,
};

/**
 * Ends what processes that are gone have left in the store, see `Store.reap`.
 * @param all whether every process counts as gone
 */
export async function reap(store: Store, log: Logger, all: boolean): Promise<Reaped> {
  const reaped = await store.reap({
    all,
    now: new Date(),
    error: WORKER_LOST,
    lastError: (job: Job) => lastErrorText(job.method, WORKER_LOST.message),
    unknown: recordError(INTERRUPTED),
  });
  for (const { id, nodeUuid, method } of reaped.failed) {
    log.warn({ job: id, node: nodeUuid, method }, 'job failed: worker lost');
  }
  for (const node of reaped.freed) log.warn({ node }, 'the node of a lost process is free again');
  return reaped;
}
