import { ActivityHistory } from './activityHistory.ts';
import { AgeClock } from './ageClock.ts';
import type { CallRule } from './calls/callRules.ts';
import { Dispatch } from './calls/dispatch.ts';
import { Idempotency } from './calls/idempotency.ts';
import { type RetentionSettings, reap, sampleLocks, startChores } from './chores.ts';
import type { Core } from './core.ts';
import { PassthruError } from './errors.ts';
import { EventLog } from './events/eventLog.ts';
import { EventHandover } from './events/handover/eventHandover.ts';
import { type IntakeLimits, StoringIntake } from './events/intake.ts';
import { parseEventBody } from './events/records/readRecords.ts';
import { createEventReceiving } from './events/sources/eventReceiving.ts';
import type { HardwareType } from './hardware.ts';
import { Running, type WorkerShares, Workers } from './inFlight.ts';
import { JobRunner } from './jobs/jobRunner.ts';
import { type ShowJob, showJob } from './jobs/shownJob.ts';
import { Holds } from './locks/holds.ts';
import { Lease } from './locks/lease.ts';
import { LocalReservations } from './locks/localReservations.ts';
import { Locks } from './locks/locks.ts';
import type { Logger } from './logger.ts';
import { NodeManager } from './nodeManager.ts';
import { NO_OBSERVER, type Observer, observers } from './observer.ts';
import { Registry } from './registry.ts';
import type { Store } from './store.ts';
import type { Recording } from './transcript.ts';
import { Transcripts } from './transcripts/transcripts.ts';
import { settledWithin } from './waiting.ts';

export interface CoreSettings {
  /** The number of attempts to reserve a locked node before the call fails. */
  lockedRetryAttempts: number;
  /** Milliseconds between two attempts. */
  lockedRetryInterval: number;
  /** The longest wait for a locked node that a caller may request, in milliseconds. */
  maxLockWait: number;
  /** The longest duration of a hold that a caller may set, in milliseconds. Default a day. */
  maxLockDuration?: number;
  /** The maximum number of concurrent jobs. */
  workers: number;
  /** How many of them one caller and one node may use. Default: all. */
  workerShares?: WorkerShares;
  /** See `Conductor.lease`, in milliseconds; applies to a shared store. Default 30 s. */
  lease?: number;
  /** The minimum `Conductor.grace`, in milliseconds; calls raise it to what their requests may take. Default 5 s. */
  grace?: number;
  /** The roles that methods require. Default: `CALL_ROLE`. */
  rules?: readonly CallRule[];
  /** How long ended jobs are kept. Default forever. */
  retention?: RetentionSettings;
  /** How many events are taken. Default: 100 a second of a node, 5000 of all. */
  events?: IntakeLimits;
  /** The transcripts that are kept, unless a call asks for others. Default `failures`. */
  recorder?: Recording;
}

interface CoreOptions {
  store: Store;
  hardwareTypes: readonly HardwareType[];
  /** The name that reservations of this process show. */
  host: string;
  log: Logger;
  settings: CoreSettings;
  /** Default: by the clocks of this machine, and that of a shared store. */
  clock?: AgeClock;
  /** Default: none. */
  observer?: Observer;
  /** Counts what happens, besides what others tell it. Default: a new one. */
  activity?: ActivityHistory;
}

/** Longer than any statement to the store may take (4 s on PostgreSQL), in milliseconds. */
const MIN_GRACE = 5000;

/** The default of `CoreSettings.maxLockDuration`, in milliseconds. */
const MAX_LOCK_DURATION = 86_400_000;

/** The time for aborted work, and then for the drivers, to end at shutdown, in milliseconds. */
const ABORT_GRACE = 5000;

/**
 * Creates the core and ends the jobs and reservations that an earlier process left in the store.
 * Throws kind `failed_precondition` for a duplicate name of a hardware type, interface or method, or an unusable rule.
 */
export async function createCore(options: CoreOptions): Promise<Core> {
  const { store, host, log, settings, activity = new ActivityHistory() } = options;
  const observer = observers(options.observer ?? NO_OBSERVER, activity.observer);
  const { lease: leaseTime = 30_000, grace = MIN_GRACE, retention = { time: null, count: null } } = settings;
  const registry = new Registry(options.hardwareTypes, settings.rules ?? []);
  // No other process uses this store, so everything left in it belongs to lost ones.
  if (!store.shared) await reap(store, log, { all: true, orphans: true });
  const local = store.shared ? null : await LocalReservations.open(store);
  const lease = new Lease(store, { host, lease: leaseTime, grace }, log, observer);
  const { lockedRetryInterval: retryInterval, maxLockWait: maxWait } = settings;
  // An interval lies between two attempts: three take two intervals.
  const defaultWait = Math.max(0, settings.lockedRetryAttempts - 1) * retryInterval;
  const locks = new Locks(store, local, lease, { retryInterval, defaultWait, maxWait }, log, observer);
  const clock = options.clock ?? new AgeClock(log);
  await clock.follow(store);
  const newest = await store.newestTime();
  if (newest !== null) clock.startedAfter(newest);
  const running = new Running();
  const holds = new Holds(locks, settings.maxLockDuration ?? MAX_LOCK_DURATION, log);
  const nodes = new NodeManager(store, registry, locks, holds, running, host, log);
  const events = new EventLog(store, nodes, log);
  const intake = new StoringIntake(store, log, observer, settings.events);
  let handover: EventHandover | null = null;
  const eventsStored = () => {
    events.watched.wake();
    handover?.wake();
  };
  intake.onStored((stored) => {
    events.watched.committed(stored);
    handover?.wake();
  });
  const receiving = createEventReceiving({
    ...{ store, registry, nodes, locks, lease, host, log, intake },
    parse: parseEventBody,
  });
  const { sources } = receiving;
  const calling = observers(observer, receiving.observer);
  const transcripts = new Transcripts(store, settings.recorder ?? 'failures', registry, log);
  const show: ShowJob = (job, caller) => showJob(job, caller, registry.roleOfPast(job));
  const jobs = new JobRunner(store, lease, log, nodes, transcripts, show, calling);
  const workers = new Workers(settings.workers, settings.workerShares);
  const idempotency = new Idempotency(store, lease, log, clock);
  const calls = { jobs, workers, running, idempotency, transcripts };
  const sourceOf = sources.ofTask.bind(sources);
  const dispatch = new Dispatch({
    sourceOf,
    store,
    registry,
    nodes,
    lease,
    locks,
    ...calls,
    host,
    log,
    observer: calling,
  });

  store.onOwnChange(() => {
    jobs.watchedAll.wake();
    nodes.watched.wake();
  });
  await lease.start();
  const stopChores = startChores({
    store,
    locks,
    nodes,
    jobs,
    eventsStored,
    sourcesDue: () => sources.othersDue(),
    activity,
    lease: leaseTime,
    retention,
    clock,
    log,
  });

  return {
    host,
    nodes,
    drivers: registry,
    jobs,
    events,
    intake: receiving.intake,
    senders: receiving.senders,
    eventSources: sources,
    receiveEvents: (settings) => receiving.begin(settings),
    async handOverEvents(settings) {
      handover = new EventHandover({ ...settings, store, lease, observer, log });
      await handover.begin();
    },
    handoverLag: async () => (handover === null ? null : store.handoverLag()),
    listNodeMethods(ident) {
      const found = nodes.interfaceOf(ident);
      return found instanceof Promise ? found.then((node) => registry.listOf(node)) : registry.listOf(found);
    },
    callNodeMethod: (call) => dispatch.callNode(call),
    listDriverMethods: (driver) => registry.driverMethods(driver).list,
    callDriverMethod: (call) => dispatch.callDriver(call),
    hosts: () => store.listHosts(),
    processes: () => store.listProcesses(),
    load() {
      return {
        busyWorkers: workers.busy,
        workers: workers.size,
        runningCalls: running.count - jobs.running,
        runningJobs: jobs.running,
        watches: jobs.watched.count + jobs.watchedAll.count + nodes.watched.count + events.watched.count,
      };
    },
    async activity() {
      await sampleLocks(locks, activity);
      return activity.report();
    },
    async checkReady() {
      running.checkOpen();
      lease.current();
      await store.ping();
    },
    async shutdown(grace) {
      running.close();
      jobs.watchedAll.close();
      nodes.watched.close();
      events.watched.close();
      await stopChores();
      if (!(await running.drain(grace))) {
        running.abort(new PassthruError('shutting_down', 'The service was shut down before the call ended.'));
        if (!(await running.drain(ABORT_GRACE))) log.warn({}, 'some calls did not end in time at shutdown');
      }
      await receiving.stop();
      await intake.drain();
      await handover?.stop();
      await Promise.all(registry.list().map((hardwareType) => closeInTime(hardwareType, log)));
      // Otherwise other processes clean up when the lease has run out.
      if (running.count === 0) await lease.stop();
    },
  };
}

/** Closes a hardware type; logs a failure or a timeout. */
async function closeInTime(hardwareType: HardwareType, log: Logger): Promise<void> {
  const driver = hardwareType.name;
  const close = async () => {
    try {
      await hardwareType.close?.();
    } catch (error) {
      log.warn({ err: error, driver }, 'closing a driver failed');
    }
  };
  if (!(await settledWithin([close()], ABORT_GRACE))) log.warn({ driver }, 'closing a driver timed out');
}
