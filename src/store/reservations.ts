import { type CompiledQuery, sql } from 'kysely';
import type { Reservation } from '../core/reservation.ts';
import type { Store } from '../core/store.ts';
import { validConductor } from './conductors.ts';
import type { Database } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import { FREE, toReservation } from './rows.ts';

/** The maximum number of reservations of one node that a process makes without storing them. */
const UNSTORED_FENCES = 2 ** 32;

/**
 * The part of the store that reserves nodes. A `held` reservation comes and goes durably. One of kind `call` is stored only
 * when other processes use the database too; see `LocalReservations`.
 */
export function reservationStore(database: Database) {
  const db = database.kysely;

  const acquireFree = prepareQuery(
    (blank: Omit<Reservation, 'since'> & { nodeUuid: string; since: number; conductor: string }) =>
      db
        .updateTable('reservations')
        .set((column) => ({
          fence: column('fence', '+', 1),
          kind: blank.kind,
          holder: blank.holder,
          method: blank.method,
          requested_by: blank.requestedBy,
          job: blank.job,
          since: blank.since,
          owner: blank.conductor,
          wanted: 0,
        }))
        .where('node_uuid', '=', blank.nodeUuid)
        .where('kind', 'is', null)
        // `reap` cleans up only once after a conductor whose lease has run out.
        .where(({ exists }) => exists(validConductor(database, blank.conductor).select('id')))
        .returning('fence'),
  );

  const releaseKind = prepareQuery((blank: { nodeUuid: string; fence: number; kind: Reservation['kind'] }) =>
    db
      .updateTable('reservations')
      .set(FREE)
      .where(({ and }) => and({ node_uuid: blank.nodeUuid, fence: blank.fence, kind: blank.kind }))
      .returning('wanted'),
  );

  async function durably<O>(query: CompiledQuery<O>): Promise<O[]> {
    const { rows } = await db.transaction().execute((transaction) => transaction.executeQuery(query));
    return rows;
  }

  function freed(nodeUuid: string, rows: { wanted: number }[]): boolean {
    if (rows[0]?.wanted === 1) database.announce({ kind: 'node_freed', nodeUuid });
    return rows.length > 0;
  }

  return {
    async openReservations() {
      return await db.transaction().execute(async (transaction) => {
        const { last } = await transaction
          .selectFrom('reservations')
          .select((column) => column.fn.max('fence').as('last'))
          .executeTakeFirstOrThrow();
        const fence = Math.max(Date.now() * 1000, (last ?? 0) + UNSTORED_FENCES);
        await transaction.updateTable('reservations').set({ fence }).execute();
        const rows = await transaction
          .selectFrom('reservations')
          .selectAll()
          .where('kind', '=', sql.lit('held'))
          .execute();
        const held = rows.map((row) => ({ nodeUuid: row.node_uuid, reservation: toReservation(row) as Reservation }));
        return { fence, held };
      });
    },

    async acquire(nodeUuid, reservation, conductor) {
      const query = acquireFree({ ...reservation, nodeUuid, since: reservation.since.getTime(), conductor });
      // Repeats only if the node was released between the two statements.
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
        if (held !== null) return { outcome: 'locked', reservation: held, fence: row.fence };
        if ((await validConductor(database, conductor).select('id').execute()).length === 0)
          return { outcome: 'expired' };
      }
    },

    async want(nodeUuid, fence) {
      const wanted = await db
        .updateTable('reservations')
        .set({ wanted: 1 })
        .where(({ and }) => and({ node_uuid: nodeUuid, fence }))
        .where('kind', 'is not', null)
        .returning('fence')
        .execute();
      return wanted.length > 0;
    },

    async release(nodeUuid, fence) {
      if (freed(nodeUuid, await database.run(releaseKind({ nodeUuid, fence, kind: 'call' })))) return true;
      return freed(nodeUuid, await durably(releaseKind({ nodeUuid, fence, kind: 'held' })));
    },

    async releaseOwn(nodeUuid, conductor) {
      const rows = await db
        .updateTable('reservations')
        .set(FREE)
        .where(({ and }) => and({ node_uuid: nodeUuid, owner: conductor, kind: 'call' }))
        .returning('wanted')
        .execute();
      freed(nodeUuid, rows);
    },

    listCalls: (conductor) =>
      db
        .selectFrom('reservations')
        .select(['node_uuid as nodeUuid', 'fence'])
        .where('owner', '=', conductor)
        .where('kind', '=', sql.lit('call'))
        .execute(),
  } satisfies Partial<Store>;
}
