import { sql } from 'kysely';
import type { AttributeCount } from '../core/store.ts';
import type { Database } from './database.ts';
import { fillValues } from './nodeAttributes.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/** Implements `Store.countAttribute` in one statement, so that the counts are of one moment. */
export async function countAttribute(
  database: Database,
  name: string,
  cipher: SecretsCipher,
): Promise<AttributeCount[]> {
  await fillValues(database, cipher);
  const rows = await database.kysely
    .selectFrom('node_attributes')
    .select(({ fn }) => [fn.min('value').as('value'), fn.countAll().as('count'), sql<number>`0`.as('of_all')])
    .where('name', '=', name)
    // As the index has them; equal values have equal digests.
    .groupBy('digest')
    .unionAll(
      database.kysely
        .selectFrom('nodes')
        .select(({ fn }) => [sql<string>`null`.as('value'), fn.countAll().as('count'), sql<number>`1`.as('of_all')]),
    )
    .execute();
  const counts = rows.map(({ value, count, of_all }) => ({ value, count: Number(count), ofAll: Number(of_all) === 1 }));
  const values = counts.filter(({ ofAll }) => !ofAll).map(({ value, count }) => ({ value, count }));
  const all = counts.find(({ ofAll }) => ofAll)?.count ?? 0;
  const without = values.reduce((rest, { count }) => rest - count, all);
  return without > 0 ? [{ value: null, count: without }, ...values] : values;
}
