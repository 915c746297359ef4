import { sql } from 'kysely';
import type { Store } from '../core/store.ts';
import { leaseCheck, validConductor } from './conductors.ts';
import type { Database } from './database.ts';
import { parseJsonObject } from './rows.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/**
 * The part of the store that keeps idempotency keys. Only the acceptance is durable: after a crash of the machine a call
 * that began its work must be known, so that it is not run again; a lost outcome shows as unknown.
 *
 * A fingerprint is encrypted: it is a digest of the arguments, by which a password among them could be guessed.
 */
export function idempotencyStore(database: Database, cipher: SecretsCipher) {
  const db = database.kysely;
  const hasLease = leaseCheck(database);
  return {
    async beginIdempotent({ caller, key, ...call }, conductor, notBefore) {
      const place = `call ${JSON.stringify([caller, key])}`;
      const fingerprint = cipher.seal(call.fingerprint, place);
      // Repeats only if the other call was forgotten between the two statements.
      for (;;) {
        const begun = await db
          .insertInto('idempotency')
          .columns(['caller', 'key', 'fingerprint', 'state', 'owner', 'create_time'])
          // `reap` cleans up only once after a conductor whose lease has run out.
          .expression(
            validConductor(database, conductor).select([
              sql<string>`cast(${caller} as text)`.as('caller'),
              sql<string>`cast(${key} as text)`.as('key'),
              sql<string>`cast(${fingerprint} as text)`.as('fingerprint'),
              sql<'waiting'>`'waiting'`.as('state'),
              'id as owner',
              sql<number>`cast(${call.createTime.getTime()} as bigint)`.as('create_time'),
            ]),
          )
          .onConflict((conflict) =>
            conflict
              .columns(['caller', 'key'])
              .doUpdateSet((row) => ({
                fingerprint: row.ref('excluded.fingerprint'),
                state: row.ref('excluded.state'),
                owner: row.ref('excluded.owner'),
                outcome: null,
                create_time: row.ref('excluded.create_time'),
              }))
              // Older calls have expired.
              .where('idempotency.create_time', '<', notBefore.getTime()),
          )
          .returning('key')
          .executeTakeFirst();
        if (begun !== undefined) return null;
        const stored = await db
          .selectFrom('idempotency')
          .select(['fingerprint', 'state', 'owner', 'outcome'])
          .where(({ and }) => and({ caller, key }))
          .executeTakeFirst();
        if (stored !== undefined) {
          return {
            ...stored,
            fingerprint: cipher.open(stored.fingerprint, place),
            outcome: parseJsonObject(stored.outcome),
          };
        }
        if ((await validConductor(database, conductor).select('id').execute()).length === 0) return 'expired';
      }
    },

    async acceptIdempotent(caller, key, conductor) {
      return database.durably(async (transaction) => {
        if (!(await hasLease(transaction, conductor))) return false;
        const accepted = await transaction
          .updateTable('idempotency')
          .set({ state: 'accepted' })
          .where(({ and }) => and({ caller, key, owner: conductor, state: 'waiting' }))
          .returning('key')
          .execute();
        return accepted.length > 0;
      });
    },

    async finishIdempotent(caller, key, outcome) {
      await db
        .updateTable('idempotency')
        .set({ state: 'done', outcome: JSON.stringify(outcome) })
        .where(({ and }) => and({ caller, key, state: 'accepted' }))
        .execute();
    },

    async forgetIdempotent(caller, key, conductor) {
      await db
        .deleteFrom('idempotency')
        .where(({ and }) => and({ caller, key, owner: conductor }))
        .where('state', '<>', 'done')
        .execute();
    },

    async removeIdempotent(notBefore, limit) {
      const removed = await db
        .deleteFrom('idempotency')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('caller', 'key'),
            'in',
            selectFrom('idempotency as old')
              .select(['old.caller', 'old.key'])
              .where('old.create_time', '<', notBefore.getTime())
              .orderBy('old.create_time')
              .limit(limit)
              .$asTuple('caller', 'key'),
          ),
        )
        .returning('key')
        .execute();
      return removed.length;
    },
  } satisfies Partial<Store>;
}
