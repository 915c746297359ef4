import { randomUUID } from 'node:crypto';
import type { Core } from './core.ts';
import { Dispatch } from './dispatch.ts';
import { type ErrorRecord, PassthruError } from './errors.ts';
import type { HardwareType } from './hardware.ts';
import { Idempotency, INTERRUPTED, recordError } from './idempotency.ts';
import { JobRunner, lastErrorText } from './jobRunner.ts';
import { Locks } from './locks.ts';
import type { Logger } from './logger.ts';
import { NodeManager } from './nodeManager.ts';
import { Registry } from './registry.ts';
import { Running, settledWithin } from './running.ts';
import type { Store } from './store.ts';
import { Workers } from './workers.ts';

export interface CoreSettings {
  /** How often a locked node is tried before the call fails. */
  lockedRetryAttempts: number;
  /** Milliseconds between two attempts. */
  lockedRetryInterval: number;
  /** The longest wait for a locked node that a caller may ask for, in milliseconds. */
  maxLockWait: number;
  /** How many jobs may run at once. */
  workers: number;
}

export interface CoreOptions {
  store: Store;
  hardwareTypes: readonly HardwareType[];
  /** The name that reservations of this process show. */
  host: string;
  log: Logger;
  settings: CoreSettings;
}

/** How long aborted work, and after it each driver, may take to end at shutdown, in milliseconds. */
const ABORT_GRACE = 5000;

/** What a job that its process left behind is failed with. */
const WORKER_LOST: ErrorRecord = {
  kind: 'worker_lost',
  message:
    'worker lost: the process that ran the job ended before it did; look at the machine before you repeat the call',
  violations: [],
  lock: null,
  bmc: null,
};

/**
 * Makes the core and ends what an earlier process left in the store.
 * Throws kind `failed_precondition` when two hardware types, interfaces or methods have the same name.
 */
export async function createCore(options: CoreOptions): Promise<Core> {
  const { store, host, log, settings } = options;
  const owner = randomUUID();
  const registry = new Registry(options.hardwareTypes);
  const locks = new Locks(
    store,
    owner,
    {
      retryInterval: settings.lockedRetryInterval,
      // Attempts stand an interval apart: three of them take two intervals.
      defaultWait: Math.max(0, settings.lockedRetryAttempts - 1) * settings.lockedRetryInterval,
      maxWait: settings.maxLockWait,
    },
    log,
  );
  const nodes = new NodeManager(store, registry, locks, host, log);
  const jobs = new JobRunner(store, log, (ident) => nodes.get(ident));
  const running = new Running();
  const dispatch = new Dispatch({
    store,
    registry,
    nodes,
    locks,
    jobs,
    workers: new Workers(settings.workers),
    running,
    idempotency: new Idempotency(store, owner, log),
    host,
    log,
  });

  const lost = await store.recover({
    owner,
    now: new Date(),
    error: WORKER_LOST,
    lastError: (job) => lastErrorText(job.method, WORKER_LOST.message),
    unknown: recordError(INTERRUPTED),
  });
  for (const job of lost) log.warn({ job: job.id, node: job.nodeUuid, method: job.method }, 'job failed: worker lost');

  return {
    host,
    nodes,
    drivers: registry,
    jobs,
    async listNodeMethods(ident) {
      const node = await nodes.get(ident);
      return registry.nodeMethods(node.driver, node.vendorInterface).list;
    },
    async callNodeMethod(call) {
      running.checkOpen();
      return dispatch.callNode(call);
    },
    listDriverMethods: (driver) => registry.driverMethods(driver).list,
    async callDriverMethod(call) {
      running.checkOpen();
      return dispatch.callDriver(call);
    },
    async checkReady() {
      running.checkOpen();
      await store.ping();
    },
    async shutdown(grace) {
      running.close();
      if (!(await running.drain(grace))) {
        running.abort(new PassthruError('shutting_down', 'The service was shut down before the call ended.'));
        if (!(await running.drain(ABORT_GRACE))) log.warn({}, 'some calls did not end at shutdown');
      }
      await Promise.all(registry.list().map((hardwareType) => closeInTime(hardwareType, log)));
    },
  };
}

/** Closes a hardware type. One that fails or hangs is logged, and holds up nothing. */
async function closeInTime(hardwareType: HardwareType, log: Logger): Promise<void> {
  let closed = false;
  const close = async () => {
    try {
      await hardwareType.close?.();
    } catch (error) {
      log.warn({ err: error, driver: hardwareType.name }, 'a driver could not be closed');
    }
    closed = true;
  };
  await settledWithin([close()], ABORT_GRACE);
  if (!closed) log.warn({ driver: hardwareType.name }, 'a driver did not close in time');
}
