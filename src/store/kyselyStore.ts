import { sql } from 'kysely';
import { isStoreUnavailable, PassthruError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import type { Store } from '../core/store.ts';
import { LocalNodeChanges } from '../core/watch/localNodeChanges.ts';
import { withBusyRetry } from './busyRetry.ts';
import { changeStore } from './changes.ts';
import { conductorStore } from './conductors.ts';
import type { Database } from './database.ts';
import { eventHandoverStore } from './events/eventHandover.ts';
import { eventSourceStore } from './events/eventSources.ts';
import { eventStore } from './events/eventStore.ts';
import { FleetKeys } from './fleetKeys.ts';
import { StoreHealth } from './health.ts';
import { idempotencyStore } from './idempotency.ts';
import { EndedJobs, jobRetention } from './jobRetention.ts';
import { jobStore } from './jobs.ts';
import { NodeLog } from './nodeLog.ts';
import { nodeStore } from './nodes.ts';
import { LogNotReady } from './postgres/nodeLogReaders.ts';
import { reservationStore } from './reservations.ts';
import { PLAIN, type SecretsCipher } from './secretsCipher.ts';
import { transcriptStore } from './transcripts.ts';

type Method = (...args: never[]) => Promise<unknown>;

/** The members of a store that are no steps of the database. */
type NotStep = 'shared' | 'takesChanges' | 'closed' | 'onChange' | 'onOwnChange' | 'noteReservation' | 'close';

/** The steps after which `onOwnChange` calls. */
const CHANGING: ReadonlySet<string> = new Set<keyof Store>([
  'createNode',
  'updateNode',
  'deleteNode',
  'acquire',
  'release',
  'releaseOwn',
  'renewHold',
  'endHold',
  'endOverdueHolds',
  'acceptJob',
  'addJob',
  'recordProgress',
  'endJob',
  'reap',
]);

interface KyselyStoreOptions {
  /** Encrypts the secrets of nodes. Default: none. */
  cipher?: SecretsCipher;
  fleetKeys?: FleetKeys;
  /** Called for each step that fails with `store_unavailable`. */
  onUnavailable?: () => void;
}

/**
 * Creates the store on `database`, whose tables are up to date. Closing the store waits for running steps, then closes the
 * database.
 */
export function kyselyStore(database: Database, options: KyselyStoreOptions = {}): Store {
  const { cipher = PLAIN, onUnavailable = () => {} } = options;
  const { fleetKeys = new FleetKeys(database, cipher, silentLogger) } = options;
  let closing: Promise<void> | null = null;
  const closed = new AbortController();
  /** The number of running steps. A set of their promises would be slower. */
  let running = 0;
  const idle = Promise.withResolvers<void>();

  const endedJobs = new EndedJobs();
  const local = database.dialect === 'postgres' ? null : new LocalNodeChanges();
  const log = new NodeLog(database, local);
  const listeners: (() => void)[] = [];
  const health = new StoreHealth(database, cipher, closed.signal);
  database.stopWaiting?.();
  const steps: Omit<Store, NotStep> = {
    ...nodeStore(database, cipher, log, (error) => health.failed(error)),
    ...reservationStore(database),
    ...jobStore(database, endedJobs, log),
    ...jobRetention(database, endedJobs),
    ...transcriptStore(database),
    ...idempotencyStore(database, cipher),
    ...conductorStore(database, endedJobs, log, cipher, fleetKeys),
    ...changeStore(database, local, closed.signal),
    ...eventStore(database),
    ...eventSourceStore(database, cipher),
    ...eventHandoverStore(database),
    async ping() {
      await sql`select 1`.execute(database.kysely);
      await health.check();
    },
  };

  const isBusy = (error: unknown) => database.isBusy?.(error) ?? false;

  /** Wraps `method` so that errors of the database become errors of kind `store_unavailable`. */
  function guard(name: string, method: Method): Method {
    const changes = CHANGING.has(name);
    return async (...args) => {
      if (closing !== null) throw closedError();
      running++;
      try {
        database.checkFile?.();
        const result = await withBusyRetry(() => method(...args), isBusy, closed.signal);
        if (changes) health.changed();
        return result;
      } catch (error) {
        const unavailable = isStoreUnavailable(error) ? (error as PassthruError) : database.toStoreError(error);
        if (unavailable !== null && !(error instanceof LogNotReady)) {
          health.failed(unavailable);
          onUnavailable();
        }
        throw unavailable ?? error;
      } finally {
        running--;
        // Also after a failure, whose change may have been made.
        if (changes) for (const listener of listeners) listener();
        if (running === 0 && closing !== null) idle.resolve();
      }
    };
  }

  const guarded = Object.fromEntries(Object.entries(steps).map(([name, method]) => [name, guard(name, method)]));
  return {
    ...(guarded as unknown as typeof steps),
    shared: database.shared,
    get takesChanges() {
      try {
        database.checkFile?.();
      } catch {
        return false;
      }
      return health.takesChanges;
    },
    closed: closed.signal,
    onChange: (listener) => database.onChange(listener),
    onOwnChange: (listener) => void listeners.push(listener),
    noteReservation(nodeUuid, before, after) {
      if (local?.begun !== true) return;
      local.reservationChanged(nodeUuid, before, after);
      for (const listener of listeners) listener();
    },
    close() {
      if (running === 0) idle.resolve();
      closed.abort(closedError());
      closing ??= idle.promise.then(() => fleetKeys.stop()).then(() => database.close());
      return closing;
    },
  };
}

function closedError(): PassthruError {
  return new PassthruError('store_unavailable', 'The store is closed');
}
