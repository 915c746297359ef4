import type { Kysely } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import type { IdempotentCall, Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { parseJsonObject } from './rows.ts';
import type { Tables } from './schema.ts';

type IdempotencyStore = Pick<Store, 'beginIdempotent' | 'acceptIdempotent' | 'finishIdempotent' | 'forgetIdempotent'>;

/**
 * The part of the store that keeps idempotency keys. Only the acceptance is durable: after a crash of the machine a call
 * that began its work must be known, so that it is not run again; a lost outcome shows as unknown.
 */
export function idempotencyStore(database: Database): IdempotencyStore {
  const db = database.kysely;
  return {
    async beginIdempotent(call, owner, notBefore) {
      // What is older counts no more, for any caller; so the table holds no more than what does count.
      await db.deleteFrom('idempotency').where('create_time', '<', notBefore.getTime()).execute();
      // Another lap only when the other call was forgotten between the two statements.
      for (;;) {
        const begun = await db
          .insertInto('idempotency')
          .values({
            caller: call.caller,
            key: call.key,
            fingerprint: call.fingerprint,
            state: 'waiting',
            owner,
            create_time: call.createTime.getTime(),
          })
          .onConflict((conflict) => conflict.columns(['caller', 'key']).doNothing())
          .returning('key')
          .executeTakeFirst();
        if (begun !== undefined) return null;
        const known = await db
          .selectFrom('idempotency')
          .select(['fingerprint', 'state', 'outcome'])
          .where('caller', '=', call.caller)
          .where('key', '=', call.key)
          .executeTakeFirst();
        if (known !== undefined) return { ...known, outcome: parseJsonObject(known.outcome) };
      }
    },

    async acceptIdempotent(caller, key) {
      await db.transaction().execute(async (transaction) => {
        await transaction
          .updateTable('idempotency')
          .set({ state: 'accepted' })
          .where('caller', '=', caller)
          .where('key', '=', key)
          .where('state', '=', 'waiting')
          .execute();
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

    async forgetIdempotent(caller, key) {
      await db
        .deleteFrom('idempotency')
        .where('caller', '=', caller)
        .where('key', '=', key)
        .where('state', '=', 'waiting')
        .execute();
    },
  };
}

/** Keeps the outcome of `call`, whether or not its beginning is still known. */
export async function keepOutcome(db: Kysely<Tables>, call: IdempotentCall, outcome: JsonObject): Promise<void> {
  const done = { state: 'done', outcome: JSON.stringify(outcome) } as const;
  await db
    .insertInto('idempotency')
    .values({
      caller: call.caller,
      key: call.key,
      fingerprint: call.fingerprint,
      create_time: call.createTime.getTime(),
      ...done,
    })
    .onConflict((conflict) => conflict.columns(['caller', 'key']).doUpdateSet(done))
    .execute();
}
