import type { ExpressionBuilder, Kysely } from 'kysely';
import type { PassthruError } from '../core/errors.ts';
import type { NodeConflict, Store, StoredNode } from '../core/store.ts';
import { countAttribute } from './attributeCounts.ts';
import type { Database } from './database.ts';
import { keepFormerBmc, keepFormerNode } from './events/formerNodes.ts';
import { insertAttributes, replaceAttributes, TakenAttribute } from './nodeAttributes.ts';
import { CompiledLists, LONG_COLUMNS, listNodes, sizeNodes } from './nodeList.ts';
import type { NodeLog } from './nodeLog.ts';
import { prepareQuery } from './preparedQuery.ts';
import {
  type NodeRow,
  octets,
  selectNodes,
  toLoggedContent,
  toLoggedNode,
  toNewNodeColumns,
  toNode,
  toNodeColumns,
  toWatchedNode,
} from './rows.ts';
import type { Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/**
 * The part of the store that keeps nodes, their secrets encrypted by `cipher`. Every change is durable.
 * @param onUnreadable called when a list has a node whose key is missing
 */
export function nodeStore(
  database: Database,
  cipher: SecretsCipher,
  log: NodeLog,
  onUnreadable: (error: PassthruError) => void,
) {
  const db = database.kysely;
  const compiledLists = new CompiledLists();
  const nodeByUuid = prepareQuery((node: { uuid: string }) => selectNodes(db).where('nodes.uuid', '=', node.uuid));
  const lockedNode = prepareQuery((node: { uuid: string }) =>
    // A job that is ending may set its last_error.
    selectNodes(db).where('nodes.uuid', '=', node.uuid).modifyEnd(database.lockingRows),
  );
  const nodeByName = prepareQuery((node: { name: string }) => selectNodes(db).where('nodes.name', '=', node.name));

  async function readNode(transaction: Kysely<Tables>, uuid: string): Promise<StoredNode | null> {
    const { rows } = await transaction.executeQuery(nodeByUuid({ uuid }));
    return firstNode(rows, cipher);
  }

  return {
    async createNode(node) {
      const create = log.transaction(async (transaction, note): Promise<StoredNode | NodeConflict> => {
        const created = await transaction
          .insertInto('nodes')
          .values(toNewNodeColumns(node, cipher))
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .executeTakeFirst();
        if (created === undefined) {
          const same = await readNode(transaction, node.uuid);
          return { taken: same === null ? 'name' : 'uuid' };
        }
        await transaction
          .insertInto('reservations')
          .values({ node_uuid: node.uuid, fence: node.fence, wanted: 0 })
          .execute();
        await insertAttributes(transaction, node.uuid, node.attributes);
        await note(node.uuid, 'existence', () => null);
        return (await readNode(transaction, node.uuid)) as StoredNode;
      });
      return create.catch(conflictOf);
    },

    getNodeByUuid: async (uuid) => firstNode(await database.run(nodeByUuid({ uuid })), cipher),

    getNodeByName: async (name) => firstNode(await database.run(nodeByName({ name })), cipher),

    listNodes: (query) => listNodes(database, query, cipher, compiledLists, onUnreadable),
    sizeNodes: (query) => sizeNodes(database, query, cipher, compiledLists),
    countAttribute: (name) => countAttribute(database, name, cipher),

    async updateNode(uuid, fence, changes, updateTime) {
      try {
        return await log.transaction(async (transaction, note) => {
          // Nobody else changes the content under this reservation.
          const before = await transaction.executeQuery(nodeByUuid({ uuid }));
          const updated = await transaction
            .updateTable('nodes')
            .set({ ...toNodeColumns(uuid, changes, cipher), update_time: updateTime.getTime() })
            .where(isReserved(uuid, fence))
            .returning('uuid')
            .execute();
          const [row] = before.rows;
          if (row === undefined || updated.length === 0) return null;
          await note(uuid, 'content', () => toLoggedContent(row, cipher));
          if (changes.driverInfo !== undefined || changes.driver !== undefined) await keepFormerBmc(transaction, row);
          const node = await readNode(transaction, uuid);
          if (changes.attributes !== undefined) {
            await replaceAttributes(transaction, uuid, changes.attributes);
          }
          return node;
        });
      } catch (error) {
        // A node's UUID never changes, so only the name can be another's.
        if (database.isUniqueViolation(error)) return { taken: 'name' };
        return conflictOf(error);
      }
    },

    async deleteNode(uuid, fence) {
      return await log.transaction(async (transaction, note) => {
        const locked = await transaction.executeQuery(lockedNode({ uuid }));
        const deleted = await transaction.deleteFrom('nodes').where(isReserved(uuid, fence)).returning('id').execute();
        const [row] = locked.rows;
        if (row === undefined || deleted.length === 0) return false;
        await keepFormerNode(transaction, row);
        await note(uuid, 'existence', () => toLoggedNode(row, cipher));
        return true;
      });
    },

    async scanNodes({ after, limit, uuids, driver }) {
      const scan = db
        .selectFrom('nodes')
        .select(['uuid as key', 'id', octets(LONG_COLUMNS).as('size')])
        .where(({ and }) => and({ driver }))
        .limit(limit);
      const rows = await (uuids === undefined
        ? scan.where('id', '>', Number(after)).orderBy('id').execute()
        : scan.where('uuid', 'in', uuids).where('uuid', '>', after).orderBy('uuid').execute());
      return rows.map(({ key, id, size }) => ({
        key,
        place: uuids === undefined ? String(id) : key,
        size: Number(size),
      }));
    },

    async nodesByUuid(uuids) {
      if (uuids.length === 0) return [];
      const rows = await selectNodes(db).where('nodes.uuid', 'in', uuids).orderBy('nodes.uuid').execute();
      return rows.map((row) => toWatchedNode(row, cipher));
    },
  } satisfies Partial<Store>;
}

function firstNode(rows: NodeRow[], cipher: SecretsCipher): StoredNode | null {
  return rows[0] === undefined ? null : toNode(rows[0], cipher);
}

/** Matches the node while its reservation has this fence; always when `fence` is null. */
function isReserved(uuid: string, fence: number | null) {
  return (where: ExpressionBuilder<Tables, 'nodes'>) => {
    const isNode = where('uuid', '=', uuid);
    if (fence === null) return isNode;
    const reservation = where.selectFrom('reservations').select('node_uuid').where('kind', 'is not', null);
    return isNode.and(
      'uuid',
      'in',
      reservation.where(({ and }) => and({ node_uuid: uuid, fence })),
    );
  };
}

/** Returns the conflict that rolled a transaction back. Throws every other error again. */
function conflictOf(error: unknown): NodeConflict {
  if (error instanceof TakenAttribute) return { taken: error.attribute };
  throw error;
}
