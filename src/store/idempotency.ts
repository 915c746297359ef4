import type { Kysely } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import type { IdempotentCall, Store } from '../core/store.ts';
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
  return {
    async beginIdempotent(call, conductor, notBefore) {
      const first = {
        fingerprint: cipher.seal(call.fingerprint, fingerprintPlace(call)),
        state: 'waiting' as const,
        owner: conductor,
        outcome: null,
        create_time: call.createTime.getTime(),
      };
      // Another lap only when the other call was forgotten between the two statements.
      for (;;) {
        const begun = await db
          .insertInto('idempotency')
          .values({ caller: call.caller, key: call.key, ...first })
          .onConflict((conflict) =>
            conflict
              .columns(['caller', 'key'])
              .doUpdateSet(first)
              // What is older counts no more.
              .where('idempotency.create_time', '<', notBefore.getTime()),
          )
          .returning('key')
          .executeTakeFirst();
        if (begun !== undefined) return null;
        const known = await db
          .selectFrom('idempotency')
          .select(['fingerprint', 'state', 'outcome'])
          .where('caller', '=', call.caller)
          .where('key', '=', call.key)
          .executeTakeFirst();
        if (known === undefined) continue;
        const fingerprint = cipher.open(known.fingerprint, fingerprintPlace(call));
        return { ...known, fingerprint, outcome: parseJsonObject(known.outcome) };
      }
    },

    async acceptIdempotent(caller, key, conductor) {
      return await db.transaction().execute(async (transaction) => {
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

/** Keeps the outcome of `call`, whether or not its beginning is still known. */
export async function keepOutcome(
  db: Kysely<Tables>,
  call: IdempotentCall,
  outcome: JsonObject,
  cipher: SecretsCipher,
): Promise<void> {
  const done = { state: 'done', outcome: JSON.stringify(outcome) } as const;
  await db
    .insertInto('idempotency')
    .values({
      caller: call.caller,
      key: call.key,
      fingerprint: cipher.seal(call.fingerprint, fingerprintPlace(call)),
      create_time: call.createTime.getTime(),
      ...done,
    })
    .onConflict((conflict) => conflict.columns(['caller', 'key']).doUpdateSet(done))
    .execute();
}

/** Where the ciphertext of a fingerprint stands, for `SecretsCipher`. */
function fingerprintPlace({ caller, key }: IdempotentCall): string {
  return `call ${JSON.stringify([caller, key])}`;
}
