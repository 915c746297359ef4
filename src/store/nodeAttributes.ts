import { type Kysely, sql } from 'kysely';
import { PassthruError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { UNIQUE_ATTRIBUTES } from '../core/node.ts';
import type { Database } from './database.ts';
import { attributeDigest, secretsPlace } from './rows.ts';
import type { Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/** Number of nodes whose attributes are read at once for `fillValues`. */
const BATCH = 200;

/** Thrown inside a transaction, which it rolls back: another node has a unique attribute's value. */
export class TakenAttribute extends Error {
  readonly attribute: string;

  constructor(attribute: string) {
    super(`${attribute} is taken`);
    this.attribute = attribute;
  }
}

/** Stores the searchable attributes of a node in place of its earlier ones. Throws `TakenAttribute`. */
export async function replaceAttributes(db: Kysely<Tables>, uuid: string, attributes: JsonObject): Promise<void> {
  await db.deleteFrom('node_attributes').where('node_uuid', '=', uuid).execute();
  await db.deleteFrom('unique_attributes').where('node_uuid', '=', uuid).execute();
  await insertAttributes(db, uuid, attributes);
}

/** Stores the searchable attributes of a new node. Throws `TakenAttribute`. */
export async function insertAttributes(db: Kysely<Tables>, uuid: string, attributes: JsonObject): Promise<void> {
  const rows = searchable(attributes).map(([name, value]) => ({
    node_uuid: uuid,
    name,
    digest: attributeDigest(value),
    value: String(value),
  }));
  if (rows.length > 0) await db.insertInto('node_attributes').values(rows).execute();
  for (const { name, digest } of rows) {
    if (!UNIQUE_ATTRIBUTES.includes(name)) continue;
    const inserted = await db
      .insertInto('unique_attributes')
      .values({ name, digest, node_uuid: uuid })
      .onConflict((conflict) => conflict.doNothing())
      .returning('name')
      .execute();
    if (inserted.length === 0) throw new TakenAttribute(name);
  }
}

/** Leaves out objects: they are not searched for, and may hold secrets, which could be guessed by the digest. */
function searchable(attributes: JsonObject): [string, Json][] {
  return Object.entries(attributes).filter(([, value]) => value !== null && typeof value !== 'object');
}

/**
 * Stores the values of attributes that an earlier program has stored without, which it cannot do in a migration: only a
 * process with the key of the secrets can read them. The values of a node that cannot be decrypted stay missing.
 */
export async function fillValues({ kysely: db }: Database, cipher: SecretsCipher): Promise<void> {
  // Counts an index that is empty, except after an upgrade.
  const missing = db.selectFrom('node_attributes').where('value', 'is', null);
  const counted = await missing.select((column) => column.fn.countAll().as('count')).executeTakeFirst();
  if (Number(counted?.count ?? 0) === 0) return;
  for (let last = ''; ; ) {
    const unread = missing
      .select('node_uuid')
      .distinct()
      .where('node_uuid', '>', last)
      .orderBy('node_uuid')
      .limit(BATCH);
    const uuids = (await unread.execute()).map((row) => row.node_uuid);
    if (uuids.length === 0) return;
    last = uuids.at(-1)!;
    const nodes = await db.selectFrom('nodes').select(['uuid', 'attributes']).where('uuid', 'in', uuids).execute();
    await db.transaction().execute(async (transaction) => {
      for (const { uuid, attributes } of nodes) {
        for (const [name, value] of searchable(readable(uuid, attributes, cipher))) {
          // Unless it has changed since it was read.
          const row = { node_uuid: uuid, name, digest: attributeDigest(value) };
          await transaction
            .updateTable('node_attributes')
            .set({ value: String(value) })
            .where(({ and }) => and(row))
            .execute();
        }
      }
    });
  }
}

/** Returns the attributes of a node; none if they cannot be decrypted, which the list itself tells. */
function readable(uuid: string, sealed: string, cipher: SecretsCipher): JsonObject {
  try {
    return JSON.parse(cipher.open(sealed, secretsPlace(uuid, 'attributes'))) as JsonObject;
  } catch (error) {
    if (error instanceof PassthruError) return {};
    throw error;
  }
}

/** Selects the value of a node's attribute; null when it has none. */
export function attributeValue(name: string) {
  return sql<string | null>`(select node_attributes.value from node_attributes
    where node_attributes.node_uuid = nodes.uuid and node_attributes.name = ${name})`;
}
