import { type Kysely, sql } from 'kysely';
import { PassthruError } from '../core/errors.ts';
import type { Database } from './database.ts';
import { SECRET_COLUMNS, type SecretColumn, secretsPlace } from './rows.ts';
import type { Tables } from './schema.ts';
import { type SecretsCipher, sealedWith } from './secretsCipher.ts';

/** Nodes read in one query; each is changed in its own transaction. */
const BATCH = 100;

/** Maximum number of passes over all nodes, for those that are written concurrently. */
const PASSES = 3;

/** Returns the number of nodes with secrets under each key id; null stands for unencrypted ones. */
export async function countSecretsKeys(database: Database): Promise<Map<string | null, number>> {
  const counts = new Map<string | null, number>();
  for (const column of SECRET_COLUMNS) {
    const found = await database.kysely
      .selectFrom('nodes')
      .select((select) => [keyColumn(`nodes.${column}`).as('key'), select.fn.countAll().as('nodes')])
      .where(column, '<>', '{}')
      .groupBy(keyColumn(`nodes.${column}`))
      .execute();
    for (const { key, nodes } of found) {
      const id = key === '' ? null : key;
      counts.set(id, Math.max(counts.get(id) ?? 0, Number(nodes)));
    }
  }
  return counts;
}

/** Throws kind `failed_precondition` when there are secrets that `cipher` cannot decrypt. */
export async function checkSecretsKeys(
  database: Database,
  cipher: SecretsCipher,
  noKey = 'no key is given',
): Promise<void> {
  const counts = await countSecretsKeys(database);
  for (const [id, nodes] of counts) {
    if (id === null || cipher.keyIds.includes(id)) continue;
    const keys = cipher.keyIds.length === 0 ? noKey : `the keys given are ${cipher.keyIds.join(', ')}`;
    throw new PassthruError(
      'failed_precondition',
      `secrets.key_file: the store holds secrets (nodes: ${nodes}) that are encrypted with the key ${id}, and ${keys}; add that key (the first line is the key that encrypts)`,
    );
  }
}

export interface Rotated {
  /** Nodes whose secrets were encrypted with another key or in plain text. */
  changed: number;
  /** Nodes that still have such secrets, since they are written concurrently. */
  remaining: number;
}

/**
 * Encrypts all secrets with the first key of `cipher`, one node at a time. May be interrupted and repeated at any time, while
 * others use the store. A node that changes concurrently is left to the next pass.
 *
 * @param progress receives the number of nodes changed so far
 */
export async function rotateSecrets(
  database: Database,
  cipher: SecretsCipher,
  progress: (changed: number) => void = () => {},
): Promise<Rotated> {
  const before = await countSecretsKeys(database);
  before.delete(cipher.keyId);
  const former = await oldFormer(database.kysely, cipher);
  if (before.size === 0 && former.length === 0 && !(await database.isErasing())) return { changed: 0, remaining: 0 };
  cipher.writeWith(cipher.keyId);
  const changed = await database.erasing(async () => {
    const nodes = await rotateAll(database, cipher, progress);
    return nodes + (await rotateFormer(database.kysely, cipher));
  });
  const counts = await countSecretsKeys(database);
  let remaining = 0;
  for (const [id, nodes] of counts) if (id !== cipher.keyId) remaining += nodes;
  return { changed, remaining };
}

/** Returns the number of nodes changed. */
async function rotateAll(
  database: Database,
  cipher: SecretsCipher,
  progress: (changed: number) => void,
): Promise<number> {
  let changed = 0;
  for (let pass = 0; pass < PASSES; pass++) {
    let found = 0;
    for (let after = ''; ; ) {
      const rows = await database.kysely
        .selectFrom('nodes')
        .select(['uuid', ...SECRET_COLUMNS])
        .where('uuid', '>', after)
        .where((where) => where.or(SECRET_COLUMNS.map((column) => isOld(`nodes.${column}`, cipher))))
        .orderBy('uuid')
        .limit(BATCH)
        .execute();
      found += rows.length;
      for (const row of rows) if (await resealNode(database.kysely, row, cipher)) changed++;
      progress(changed);
      if (rows.length < BATCH) break;
      after = rows.at(-1)!.uuid;
    }
    if (found === 0) break;
  }
  return changed;
}

/** A column with secrets. */
type Column = `nodes.${SecretColumn}` | 'event_sources.former_driver_info';

/** `sealedWith` in SQL, with '' for plain text. */
function keyColumn(column: Column) {
  return sql<string>`case when ${sql.ref(column)} like '{%' then '' else substr(${sql.ref(column)}, 1, 16) end`;
}

function isOld(column: Column, cipher: SecretsCipher) {
  return sql<boolean>`(${sql.ref(column)} <> '{}' and ${keyColumn(column)} <> ${cipher.keyId ?? ''})`;
}

/** Returns the driver_info of BMCs that nodes had, kept by event sources, which another key has encrypted. */
async function oldFormer(db: Kysely<Tables>, cipher: SecretsCipher) {
  return db
    .selectFrom('event_sources')
    .select(['node_uuid as uuid', 'former_driver_info as sealed'])
    .where('former_driver_info', 'is not', null)
    .where(isOld('event_sources.former_driver_info', cipher))
    .$narrowType<{ sealed: string }>()
    .execute();
}

/** Encrypts those as `rotateAll` does nodes. What cannot be decrypted stays: its source does without. */
async function rotateFormer(db: Kysely<Tables>, cipher: SecretsCipher): Promise<number> {
  let changed = 0;
  for (const { uuid, sealed } of await oldFormer(db, cipher)) {
    const from = sealedWith(sealed);
    if (from !== null && !cipher.keyIds.includes(from)) continue;
    const place = secretsPlace(uuid, 'driver_info');
    const updated = await db.transaction().execute((transaction) =>
      transaction
        .updateTable('event_sources')
        .set({ former_driver_info: cipher.seal(cipher.open(sealed, place), place) })
        .where(({ and }) => and({ node_uuid: uuid, former_driver_info: sealed }))
        .returning('id')
        .execute(),
    );
    changed += updated.length;
  }
  return changed;
}

/** Encrypts a node's secrets unless it has changed since `row` was read; returns whether it did. Sets no `update_time`. */
async function resealNode(
  db: Kysely<Tables>,
  row: { uuid: string } & Record<SecretColumn, string>,
  cipher: SecretsCipher,
): Promise<boolean> {
  const reseal = (column: SecretColumn) => {
    const text = row[column];
    const place = secretsPlace(row.uuid, column);
    return sealedWith(text) === cipher.keyId ? text : cipher.seal(cipher.open(text, place), place);
  };
  // In a transaction, which is durable.
  const updated = await db.transaction().execute((transaction) =>
    transaction
      .updateTable('nodes')
      .set({ driver_info: reseal('driver_info'), attributes: reseal('attributes') })
      .where(({ and }) => and({ uuid: row.uuid, driver_info: row.driver_info, attributes: row.attributes }))
      .returning('uuid')
      .execute(),
  );
  return updated.length > 0;
}
