import type { CompiledQuery } from 'kysely';
import type { Reservation } from '../core/node.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import { toReservation } from './rows.ts';
import type { ReservationsTable } from './schema.ts';

/** The columns of a node that nobody holds; the fence stays. */
export const FREE = {
  kind: null,
  holder: null,
  method: null,
  requested_by: null,
  job: null,
  since: null,
  owner: null,
} satisfies Partial<ReservationsTable>;

/**
 * The part of the store that reserves nodes. A `held` reservation comes and goes durably; one of kind `call` need not,
 * since it would not outlive the process anyway.
 */
export function reservationStore(database: Database): Pick<Store, 'acquire' | 'release'> {
  const db = database.kysely;

  const acquireFree = prepareQuery((blank: Omit<ReservationsTable, 'fence'>) =>
    db
      .updateTable('reservations')
      .set((column) => ({
        fence: column('fence', '+', 1),
        kind: blank.kind,
        holder: blank.holder,
        method: blank.method,
        requested_by: blank.requested_by,
        job: blank.job,
        since: blank.since,
        owner: blank.owner,
      }))
      .where('node_uuid', '=', blank.node_uuid)
      .where('kind', 'is', null)
      .returning('fence'),
  );

  const releaseKind = prepareQuery((blank: { node_uuid: string; fence: number; kind: Reservation['kind'] }) =>
    db
      .updateTable('reservations')
      .set(FREE)
      .where('node_uuid', '=', blank.node_uuid)
      .where('fence', '=', blank.fence)
      .where('kind', '=', blank.kind)
      .returning('fence'),
  );

  async function durably<O>(query: CompiledQuery<O>): Promise<O[]> {
    const { rows } = await db.transaction().execute((transaction) => transaction.executeQuery(query));
    return rows;
  }

  return {
    async acquire(nodeUuid, reservation, owner) {
      const query = acquireFree({
        node_uuid: nodeUuid,
        kind: reservation.kind,
        holder: reservation.holder,
        method: reservation.method,
        requested_by: reservation.requestedBy,
        job: reservation.job,
        since: reservation.since.getTime(),
        owner,
      });
      // Another lap only when the holder let go between the two statements.
      for (;;) {
        const [taken] = reservation.kind === 'held' ? await durably(query) : await database.run(query);
        if (taken !== undefined) return { outcome: 'acquired', fence: taken.fence };
        const row = await db
          .selectFrom('reservations')
          .selectAll()
          .where('node_uuid', '=', nodeUuid)
          .executeTakeFirst();
        if (row === undefined) return { outcome: 'missing' };
        const held = toReservation(row);
        if (held !== null) return { outcome: 'locked', reservation: held };
      }
    },

    async release(nodeUuid, fence) {
      const node = { node_uuid: nodeUuid, fence };
      const call = await database.run(releaseKind({ ...node, kind: 'call' }));
      if (call.length > 0) return true;
      const held = await durably(releaseKind({ ...node, kind: 'held' }));
      return held.length > 0;
    },
  };
}
