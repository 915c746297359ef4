import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import type { Tables } from './schema.ts';

/**
 * Tells in a transaction whether a conductor's lease is good. Where it is, those who end what lost conductors have left
 * see what the transaction does, however long that takes to end. Of a database that is not shared every one's is good.
 */
export function livingConductor(database: Database): (transaction: Kysely<Tables>, id: string) => Promise<boolean> {
  if (!database.shared) return async () => true;
  const query = prepareQuery((conductor: { id: string }) =>
    database.kysely
      .selectFrom('conductors')
      .select('id')
      .where('id', '=', conductor.id)
      .where('expires_at', '>', database.now)
      .modifyEnd(database.keepingRows),
  );
  return async (transaction, id) => (await transaction.executeQuery(query({ id }))).rows.length > 0;
}
