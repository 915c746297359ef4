import { type Kysely, type Selectable, sql } from 'kysely';
import type { FormerNode } from '../../core/events/sources/sourceStore.ts';
import type { JsonObject } from '../../core/json.ts';
import { type NodeRow, secretsPlace } from '../rows.ts';
import type { EventSourcesTable, Tables } from '../schema.ts';
import type { SecretsCipher } from '../secretsCipher.ts';

/**
 * Keeps what it takes to remove the subscription from the BMC that a node had before its driver_info is changed in this
 * transaction, in case that it gets another one.
 */
export async function keepFormerBmc(transaction: Kysely<Tables>, row: NodeRow): Promise<void> {
  const source = await transaction
    .selectFrom('event_sources')
    .select(['subscription', 'token_digest', 'previous_digest', 'former_node'])
    .where('node_uuid', '=', row.uuid)
    .where('state', '<>', 'deleting')
    .executeTakeFirst();
  if (source === undefined) return;
  const { subscription, token_digest: present, previous_digest: previous } = source;
  const digests = [present, previous].filter((each) => each !== null);
  // Of several changes in a row the first counts: no subscription was made between.
  const isKept = source.former_node !== null || digests.length === 0;
  const { name, driver, vendor_interface: vendorInterface } = row;
  const left = { subscription, digests };
  await transaction
    .updateTable('event_sources')
    .set({
      due_time: 0,
      revision: sql<number>`revision + 1`,
      ...(isKept
        ? {}
        : {
            former_node: JSON.stringify({ name, driver, vendorInterface, left }),
            former_driver_info: row.driver_info,
          }),
    })
    .where('node_uuid', '=', row.uuid)
    .execute();
}

/** Marks the source of a node that is deleted in this transaction, and keeps what it takes to remove its subscription. */
export async function keepFormerNode(transaction: Kysely<Tables>, row: NodeRow): Promise<void> {
  const { name, driver, vendor_interface: vendorInterface } = row;
  await transaction
    .updateTable('event_sources')
    .set({
      due_time: 0,
      revision: sql<number>`revision + 1`,
      state: 'deleting',
      reason: null,
      state_time: Date.now(),
      update_time: Date.now(),
      former_node: JSON.stringify({ name, driver, vendorInterface, left: null }),
      // Encrypted for the same place, from which it is read.
      former_driver_info: row.driver_info,
    })
    .where('node_uuid', '=', row.uuid)
    .execute();
}

/** The columns of a source that a former node is in. */
type FormerColumns = Pick<Selectable<EventSourcesTable>, 'node_uuid' | 'former_node' | 'former_driver_info'>;

/** Returns the former node of a source's row; null for none. */
export function toFormerNode(row: FormerColumns, cipher: SecretsCipher): FormerNode | null {
  if (row.former_node === null) return null;
  const node = JSON.parse(row.former_node) as Omit<FormerNode, 'driverInfo'>;
  return { ...node, driverInfo: openDriverInfo(row, cipher) };
}

/** Returns an empty object when the key is missing: then nothing can be removed from the BMC. */
function openDriverInfo(
  { node_uuid: uuid, former_driver_info: sealed }: FormerColumns,
  cipher: SecretsCipher,
): JsonObject {
  try {
    return JSON.parse(cipher.open(sealed ?? '{}', secretsPlace(uuid, 'driver_info'))) as JsonObject;
  } catch {
    return {};
  }
}
