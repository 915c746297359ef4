import { sql } from 'kysely';
import { PassthruError } from '../core/errors.ts';
import type { Store } from '../core/store.ts';
import { conductorStore } from './conductors.ts';
import type { Database } from './database.ts';
import { idempotencyStore } from './idempotency.ts';
import { jobStore } from './jobs.ts';
import { nodeStore } from './nodes.ts';
import { reservationStore } from './reservations.ts';
import { PLAIN, type SecretsCipher } from './secretsCipher.ts';

type Method = (...args: never[]) => Promise<unknown>;

/** The store on `database`, whose tables are up to date, with secrets as `cipher` has them; closing the store ends what runs, then closes it. */
export function kyselyStore(database: Database, cipher: SecretsCipher = PLAIN): Store {
  let closing: Promise<void> | null = null;
  const running = new Set<Promise<unknown>>();

  const steps: Omit<Store, 'shared' | 'onChange' | 'close'> = {
    ...nodeStore(database, cipher),
    ...reservationStore(database),
    ...jobStore(database, cipher),
    ...idempotencyStore(database, cipher),
    ...conductorStore(database),
    async ping() {
      await sql`select 1`.execute(database.kysely);
    },
  };

  /** `method` with the troubles of the database as errors of kind `store_unavailable`. */
  function guard(method: Method): Method {
    return async (...args) => {
      if (closing !== null) throw closedError();
      const step = method(...args);
      running.add(step);
      try {
        return await step;
      } catch (error) {
        throw database.toTrouble(error) ?? error;
      } finally {
        running.delete(step);
      }
    };
  }

  const guarded = Object.fromEntries(Object.entries(steps).map(([name, method]) => [name, guard(method)]));
  return {
    ...(guarded as unknown as typeof steps),
    shared: database.shared,
    onChange: (listener) => database.onChange(listener),
    close() {
      closing ??= Promise.allSettled(running).then(() => database.close());
      return closing;
    },
  };
}

function closedError(): PassthruError {
  return new PassthruError('store_unavailable', 'The store is closed');
}
