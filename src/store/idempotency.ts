import { type Kysely, sql } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import type { IdempotentCall, Store } from '../core/store.ts';
import { leaseCheck } from './conductors.ts';
import type { Database } from './database.ts';
import { parseJsonObject } from './rows.ts';
import type { Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

type IdempotencyStore = Pick<
  Store,
  'beginIdempotent' | 'acceptIdempotent' | 'finishIdempotent' | 'forgetIdempotent' | 'removeIdempotent'
>;

/**
 * The part of the store that keeps idempotency keys. Only the acceptance is durable: after a crash of the machine a call
 * that began its work must be known, so that it is not run again; a lost outcome shows as unknown.
 *
 * A fingerprint is encrypted: it is a digest of the arguments, by which a password among them could be guessed.
 */
export function idempotencyStore(database: Database, cipher: SecretsCipher): IdempotencyStore {
  const db = database.kysely;
  const hasLease = leaseCheck(database);
  return {
    async beginIdempotent(call, conductor, notBefore) {
      const first = {
        fingerprint: cipher.seal(call.fingerprint, fingerprintPlace(call)),
        state: 'waiting' as const,
        owner: conductor,
        outcome: null,
        create_time: call.createTime.getTime(),
      };
      const living = db.selectFrom('conductors').where('id', '=', conductor).where('expires_at', '>', database.now);
      const whole = { caller: call.caller, key: call.key, ...first };
      // Repeats only if the other call was forgotten between the two statements.
      for (;;) {
        const begun = await db
          .insertInto('idempotency')
          .$call((insert) =>
            // `reap` never looks again at a conductor whose lease has expired and that it has cleaned up after.
            database.shared
              ? insert
                  .columns(['caller', 'key', 'fingerprint', 'state', 'owner', 'create_time'])
                  .expression(
                    living.select([
                      sql<string>`cast(${whole.caller} as text)`.as('caller'),
                      sql<string>`cast(${whole.key} as text)`.as('key'),
                      sql<string>`cast(${whole.fingerprint} as text)`.as('fingerprint'),
                      sql<'waiting'>`cast(${whole.state} as text)`.as('state'),
                      'id as owner',
                      sql<number>`cast(${whole.create_time} as bigint)`.as('create_time'),
                    ]),
                  )
              : insert.values(whole),
          )
          .onConflict((conflict) =>
            conflict
              .columns(['caller', 'key'])
              .doUpdateSet(first)
              // Older calls have expired.
              .where('idempotency.create_time', '<', notBefore.getTime()),
          )
          .returning('key')
          .executeTakeFirst();
        if (begun !== undefined) return null;
        const known = await db
          .selectFrom('idempotency')
          .select(['fingerprint', 'state', 'owner', 'outcome'])
          .where('caller', '=', call.caller)
          .where('key', '=', call.key)
          .executeTakeFirst();
        if (known !== undefined) {
          const fingerprint = cipher.open(known.fingerprint, fingerprintPlace(call));
          return { ...known, fingerprint, outcome: parseJsonObject(known.outcome) };
        }
        if (database.shared && (await living.select('id').execute()).length === 0) return 'expired';
      }
    },

    async acceptIdempotent(caller, key, conductor) {
      return db.transaction().execute(async (transaction) => {
        if (!(await hasLease(transaction, conductor))) return false;
        const accepted = await transaction
          .updateTable('idempotency')
          .set({ state: 'accepted' })
          .where('caller', '=', caller)
          .where('key', '=', key)
          .where('owner', '=', conductor)
          .where('state', '=', 'waiting')
          .returning('key')
          .execute();
        return accepted.length > 0;
      });
    },

    async finishIdempotent(caller, key, outcome) {
      await db
        .updateTable('idempotency')
        .set({ state: 'done', outcome: JSON.stringify(outcome) })
        .where('caller', '=', caller)
        .where('key', '=', key)
        .where('state', '=', 'accepted')
        .execute();
    },

    async forgetIdempotent(caller, key, conductor) {
      await db
        .deleteFrom('idempotency')
        .where('caller', '=', caller)
        .where('key', '=', key)
        .where('owner', '=', conductor)
        .where('state', '<>', 'done')
        .execute();
    },

    async removeIdempotent(notBefore, limit) {
      const removed = await db
        .deleteFrom('idempotency')
        .where((row) =>
          row(
            row.refTuple('caller', 'key'),
            'in',
            row
              .selectFrom('idempotency as old')
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
  };
}

/** Stores the outcome of a call that `owner` began; returns false when that conductor does not own it any more. */
export async function keepOutcome(
  db: Kysely<Tables>,
  { caller, key }: IdempotentCall,
  owner: string,
  outcome: JsonObject,
): Promise<boolean> {
  const kept = await db
    .updateTable('idempotency')
    .set({ state: 'done', outcome: JSON.stringify(outcome) })
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('owner', '=', owner)
    .where('state', '<>', 'done')
    .returning('key')
    .execute();
  return kept.length > 0;
}

/** Where the ciphertext of a fingerprint stands, for `SecretsCipher`. */
function fingerprintPlace({ caller, key }: IdempotentCall): string {
  return `call ${JSON.stringify([caller, key])}`;
}
