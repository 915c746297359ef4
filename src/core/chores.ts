import type { ActivityHistory } from './activityHistory.ts';
import type { AgeClock } from './ageClock.ts';
import { INTERRUPTED, RETENTION, recordError } from './calls/idempotency.ts';
import { isStoreUnavailable, PassthruError, toErrorRecord } from './errors.ts';
import { type Job, lastErrorText } from './job.ts';
import type { JobRunner } from './jobs/jobRunner.ts';
import type { Locks } from './locks/locks.ts';
import type { Logger } from './logger.ts';
import type { NodeManager } from './nodeManager.ts';
import type { Reaped, Store } from './store.ts';
import { type Periodic, periodically } from './waiting.ts';

/** The interval at which old jobs and idempotency keys are removed, in milliseconds. */
const RETENTION_INTERVAL = 60_000;

/** The interval at which reservations that have run out are ended, in milliseconds. */
const EXPIRY_INTERVAL = 1000;

/** The interval at which a shared store is polled for changes without a notification, in milliseconds. */
const SWEEP_INTERVAL = 5000;

/** One in so many searches for lost processes also looks for what processes that are removed already have left, which is rare. */
const ORPHANS_EACH = 12;

/** The interval at which the locked nodes are counted for the history, in milliseconds. */
const SAMPLE_INTERVAL = 10_000;

interface ChoresParts {
  store: Store;
  locks: Locks;
  nodes: NodeManager;
  jobs: JobRunner;
  /** Called when another process has stored events. */
  eventsStored: () => void;
  /** Called when another process has made event sources due. */
  sourcesDue: () => void;
  activity: ActivityHistory;
  /** Milliseconds. */
  lease: number;
  retention: RetentionSettings;
  clock: AgeClock;
  log: Logger;
}

/**
 * Starts the background tasks of a core, and returns a function that stops them. They end reservations that have run out,
 * remove old jobs and, on a shared store, follow the changes of other processes and clean up after lost ones.
 */
export function startChores({
  store,
  locks,
  nodes,
  jobs,
  eventsStored,
  sourcesDue,
  activity,
  lease,
  retention,
  clock,
  log,
}: ChoresParts): () => Promise<void> {
  const stopping = new AbortController();
  const remove = () => removeOld(store, clock, retention, stopping.signal);
  const endHolds = () => locks.endOverdueHolds();
  const chores = [
    periodically(RETENTION_INTERVAL, remove, log, 'removing old jobs failed, retrying'),
    periodically(EXPIRY_INTERVAL, endHolds, log, 'ending reservations that have run out failed, retrying'),
    periodically(SAMPLE_INTERVAL, () => sampleLocks(locks, activity), log, 'counting locked nodes failed, retrying'),
  ];
  if (store.shared) chores.push(...followOthers({ store, locks, nodes, jobs, eventsStored, sourcesDue, lease, log }));
  return async () => {
    stopping.abort();
    await Promise.all(chores.map((chore) => chore.stop()));
  };
}

/** Notes in `activity` how many nodes are locked; nothing while the store cannot tell. */
export async function sampleLocks(locks: Locks, activity: ActivityHistory): Promise<void> {
  try {
    activity.sampleLocks(await locks.count());
  } catch (error) {
    if (!isStoreUnavailable(error)) throw error;
  }
}

/** Follows the changes of other processes, by the store's notifications and by polling. */
function followOthers({
  store,
  locks,
  nodes,
  jobs,
  eventsStored,
  sourcesDue,
  lease,
  log,
}: Omit<ChoresParts, 'activity' | 'retention' | 'clock'>): Periodic[] {
  const followJobs = async () => {
    await Promise.all([jobs.stopRequested(), jobs.watched.poll()]);
  };
  const failure = 'reading jobs changed by other processes failed, retrying';
  const followJobsNow = () => void followJobs().catch((error: unknown) => log.warn({ err: error }, failure));
  store.onChange((change) => {
    if (change.kind === 'events_stored' || change.kind === 'missed') eventsStored();
    if (change.kind === 'event_sources_due' || change.kind === 'missed') sourcesDue();
    if (change.kind === 'events_stored' || change.kind === 'event_sources_due') return;
    jobs.watchedAll.wake();
    nodes.watched.wake();
    if (change.kind === 'node_freed') locks.nudge(change.nodeUuid);
    else if (change.kind === 'job_changed') jobs.watched.changed(change.id, change.revision);
    else {
      if (change.kind === 'missed') locks.nudgeAll();
      followJobsNow();
    }
  });
  const sweepLateCommits = async () => {
    await locks.releaseUnknown();
    await jobs.abandoned.poll();
  };
  let reaped = 0;
  const reapLost = async () => {
    const { failed, freed } = await reap(store, log, { all: false, orphans: reaped++ % ORPHANS_EACH === 0 });
    for (const { id, revision } of failed) jobs.watched.changed(id, revision);
    for (const nodeUuid of freed) locks.nudge(nodeUuid);
  };
  const reapInterval = Math.min(SWEEP_INTERVAL, lease / 3);
  return [
    periodically(SWEEP_INTERVAL, followJobs, log, failure),
    periodically(SWEEP_INTERVAL, sweepLateCommits, log, 'late-commit sweep failed, retrying'),
    periodically(reapInterval, reapLost, log, 'ending the work of lost processes failed, retrying'),
  ];
}

/** The error of a job whose process was lost. Such a job is never repeated automatically. */
export const WORKER_LOST = toErrorRecord(
  new PassthruError(
    'worker_lost',
    'worker lost: the process that ran the job ended before it did; check the machine before you repeat the call',
  ),
);

/** Ends the jobs and reservations of lost processes; see `Store.reap`. */
export async function reap(store: Store, log: Logger, which: { all: boolean; orphans: boolean }): Promise<Reaped> {
  const reaped = await store.reap({
    ...which,
    now: new Date(),
    error: WORKER_LOST,
    lastError: (job: Job) => lastErrorText(job.method, WORKER_LOST.message),
    unknown: recordError(INTERRUPTED),
  });
  for (const { id, nodeUuid, method } of reaped.failed) {
    log.warn({ job: id, node: nodeUuid, method }, 'job failed: worker lost');
  }
  for (const node of reaped.freed) log.warn({ node }, 'node of a lost process released');
  return reaped;
}

export interface RetentionSettings {
  /** How long an ended job is kept, in milliseconds; null: forever. */
  time: number | null;
  /** The maximum number of ended jobs kept; null: no limit. */
  count: number | null;
  /** How long changes are kept for watchers that resume, in milliseconds. Default: an hour. */
  changes?: number;
  /** How long events are kept, in milliseconds, and how many at most. Default: 30 days, a million. */
  events?: { time: number; count: number };
}

const EVENT_RETENTION = { time: 30 * 86_400_000, count: 1_000_000 };

const CHANGE_RETENTION = 3_600_000;

/** The maximum number of changes of jobs, and of nodes, that are kept. */
const MAX_CHANGES = 100_000;

/** Jobs, transcripts or keys removed by one step. The store bounds the rows of each statement itself. */
const BATCH = 200;

/** Changes removed by one step. */
const CHANGES = 1000;

/** Removes expired jobs, transcripts and idempotency keys in small batches, with other work in between. */
async function removeOld(
  store: Store,
  clock: AgeClock,
  { time, count, changes, events = EVENT_RETENTION }: RetentionSettings,
  signal: AbortSignal,
): Promise<void> {
  await clock.follow(store);
  const now = clock.now();
  const old = time === null ? null : { endTime: new Date(now - time), id: '' };
  const surplus = count === null ? null : await store.placeAfterNewest(count);
  for (const place of [old, surplus]) {
    if (place !== null) await inBatches(() => store.removeEndedJobs(place, BATCH), signal);
  }
  const surplusCalls = count === null ? null : await store.transcriptAfterNewest(count);
  for (const place of [old, surplusCalls]) {
    if (place !== null) await inBatches(() => store.removeTranscripts(place, BATCH), signal);
  }
  await inBatches(() => store.removeIdempotent(new Date(now - RETENTION), BATCH), signal);
  for (const kind of ['job', 'node'] as const) {
    const notBefore = new Date(now - (changes ?? CHANGE_RETENTION));
    await inBatches(() => store.removeChanges(kind, notBefore, MAX_CHANGES, CHANGES), signal, CHANGES);
  }
  const notBefore = new Date(now - events.time);
  await inBatches(() => store.removeChanges('event', notBefore, events.count, CHANGES), signal, CHANGES);
}

async function inBatches(remove: () => Promise<number>, signal: AbortSignal, batch = BATCH): Promise<void> {
  while (!signal.aborted && (await remove()) === batch) await new Promise(setImmediate);
}
