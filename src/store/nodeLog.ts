import type { Kysely } from 'kysely';
import type { Node } from '../core/node.ts';
import type { NodePart } from '../core/watch/changeStore.ts';
import type { LocalNodeChanges } from '../core/watch/localNodeChanges.ts';
import type { Database, RunAtOnce, TransactAtOnce } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import { toPartColumn } from './rows.ts';
import type { Tables } from './schema.ts';

/**
 * Logs a change of a node that the running transaction makes; see `NodeChange`.
 * @param readBefore not called when nobody watches a log in memory
 */
export type NoteChange = (nodeUuid: string, part: NodePart, readBefore: () => Partial<Node> | null) => Promise<void>;

/**
 * Logs the changes of nodes, except those of reservations, which triggers log on PostgreSQL and `LocalReservations`
 * elsewhere.
 */
export class NodeLog {
  readonly #database: Database;
  readonly #local: LocalNodeChanges | null;
  readonly #readLastError;
  readonly #writeLastError;
  readonly #insert;

  /** @param local null when the log is a table */
  constructor(database: Database, local: LocalNodeChanges | null) {
    const db = database.kysely;
    this.#database = database;
    this.#local = local;
    this.#readLastError = prepareQuery((node: { uuid: string }) =>
      // Held until the transaction ends: the changes of a node get their ids in their order.
      db.selectFrom('nodes').select('last_error').where('uuid', '=', node.uuid).modifyEnd(database.lockingRows),
    );
    this.#writeLastError = prepareQuery((node: { uuid: string; lastError: string | null }) =>
      db.updateTable('nodes').set({ last_error: node.lastError }).where('uuid', '=', node.uuid),
    );
    this.#insert = prepareQuery((change: { nodeUuid: string; part: NodePart; before: string | null }) =>
      db.insertInto('node_changes').values({ node_uuid: change.nodeUuid, part: change.part, before: change.before }),
    );
  }

  /** Runs a transaction, and logs what it notes if it is committed. */
  async transaction<T>(work: (transaction: Kysely<Tables>, note: NoteChange) => Promise<T>): Promise<T> {
    const local = this.#local;
    const noted: Parameters<NoteChange>[] = [];
    const result = await this.#database.durably((transaction) =>
      work(transaction, async (...change) => {
        if (local !== null) noted.push(change);
        else {
          const [nodeUuid, part, readBefore] = change;
          await transaction.executeQuery(this.#insert({ nodeUuid, part, before: toPartColumn(part, readBefore()) }));
        }
      }),
    );
    this.#addLocal(noted);
    return result;
  }

  /** As `transaction`, for work that is run at once, which can set the `last_error` of nodes. */
  async transactionAtOnce<T>(
    transact: TransactAtOnce,
    work: (run: RunAtOnce, setLastError: (uuid: string, lastError: string | null) => void) => T,
  ): Promise<T> {
    const noted: Parameters<NoteChange>[] = [];
    const result = await transact((run) =>
      work(run, (uuid, lastError) => {
        const [before] = run(this.#readLastError({ uuid }));
        if (before === undefined || before.last_error === lastError) return;
        run(this.#writeLastError({ uuid, lastError }));
        noted.push([uuid, 'last_error', () => ({ lastError: before.last_error })]);
      }),
    );
    this.#addLocal(noted);
    return result;
  }

  #addLocal(noted: Parameters<NoteChange>[]): void {
    if (!this.#local?.begun) return;
    for (const [nodeUuid, part, readBefore] of noted) {
      const before = readBefore();
      this.#local.add(nodeUuid, part, before, JSON.stringify(before).length);
    }
  }

  /** Sets a node's `last_error`, if the node exists and that is a change. */
  async setLastError(db: Kysely<Tables>, note: NoteChange, uuid: string, lastError: string | null): Promise<void> {
    const { rows } = await db.executeQuery(this.#readLastError({ uuid }));
    const before = rows[0];
    if (before === undefined || before.last_error === lastError) return;
    await db.executeQuery(this.#writeLastError({ uuid, lastError }));
    await note(uuid, 'last_error', () => ({ lastError: before.last_error }));
  }
}
