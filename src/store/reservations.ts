import { type CompiledQuery, type ExpressionBuilder, sql } from 'kysely';
import type { Reservation } from '../core/reservation.ts';
import type { NewReservation, Store } from '../core/store.ts';
import { validConductor } from './conductors.ts';
import type { Database } from './database.ts';
import { CallBatches } from './postgres/callBatches.ts';
import { prepareQuery } from './preparedQuery.ts';
import { AFTER_CALL, AFTER_HOLD, toReservation } from './rows.ts';
import type { ReservationsTable, Tables } from './schema.ts';

/** The maximum number of reservations of one node that a process makes without storing them. */
const UNSTORED_FENCES = 2 ** 32;

/** The values of the statements that reserve a node. */
interface Taking extends Omit<Required<NewReservation>, 'since' | 'kind'> {
  nodeUuid: string;
  since: number;
  conductor: string;
}

/**
 * The part of the store that reserves nodes. A `held` reservation comes and goes durably. One of kind `call` is stored only
 * when other processes use the database too; see `LocalReservations`. While a call runs within a hold, the row is that of the
 * call, with the hold in columns of its own.
 */
export function reservationStore(database: Database) {
  const db = database.kysely;
  const { now } = database;

  const updateNode = (nodeUuid: string) => db.updateTable('reservations').where('node_uuid', '=', nodeUuid);
  /** Matches a node that is held, whether or not a call runs within the hold. */
  const isHeld = (row: ExpressionBuilder<Tables, 'reservations'>) =>
    row.or([row('kind', '=', sql.lit('held')), row('held_since', 'is not', null)]);
  /** Matches while the time of the hold has not run out. */
  const isInTime = (row: ExpressionBuilder<Tables, 'reservations'>) =>
    row.or([row('expires_at', 'is', null), row('expires_at', '>', now)]);
  const isOverdue = sql<number>`case when expires_at <= ${now} then 1 else 0 end`;
  const expiry = (duration: number | null) => sql<number | null>`${now} + cast(${duration} as bigint)`;

  /** Takes a node for `blank`, by a conductor with a lease: `reap` cleans up only once after one whose lease has run out. */
  const take = (blank: Taking, kind: Reservation['kind']) =>
    updateNode(blank.nodeUuid)
      .set((column) => ({
        fence: column('fence', '+', 1),
        kind,
        holder: blank.holder,
        method: blank.method,
        requested_by: blank.requestedBy,
        job: blank.job,
        since: blank.since,
        owner: blank.conductor,
      }))
      .where(({ exists }) => exists(validConductor(database, blank.conductor).select('id')));

  const callFree = prepareQuery((blank: Taking) =>
    take(blank, 'call')
      .set({ wanted: 0, reason: null, key_digest: null, expires_at: null })
      .set({ held_holder: null, held_requested_by: null, held_since: null })
      .where('kind', 'is', null)
      .returning('fence'),
  );
  const holdFree = prepareQuery((blank: Taking) =>
    take(blank, 'held')
      .set({ wanted: 0, reason: blank.reason, key_digest: blank.key, expires_at: expiry(blank.duration) })
      .set({ held_holder: null, held_requested_by: null, held_since: null })
      .where('kind', 'is', null)
      .returningAll(),
  );
  // Comparing digests tells by its time nothing about the key. `wanted` stays: who waits for the node still does.
  const callWithin = prepareQuery((blank: Taking) =>
    take(blank, 'call')
      .set(({ ref }) => ({
        held_holder: ref('holder'),
        held_requested_by: ref('requested_by'),
        held_since: ref('since'),
      }))
      .where('kind', '=', sql.lit('held'))
      .where('key_digest', '=', blank.key)
      .where(isInTime)
      .returningAll(),
  );

  const endCall = prepareQuery((blank: { nodeUuid: string; fence: number }) =>
    updateNode(blank.nodeUuid)
      .set(AFTER_CALL)
      .where(({ and }) => and({ fence: blank.fence, kind: 'call' }))
      .returning('wanted'),
  );
  const batches = database.shared ? new CallBatches<Taking>(database, { take: callFree, end: endCall }) : null;
  const endHold = (nodeUuid: string, fence: number) =>
    updateNode(nodeUuid).set(AFTER_HOLD).where('fence', '=', fence).where(isHeld).returning(['kind', 'wanted']);
  const selectNode = prepareQuery((blank: { nodeUuid: string }) =>
    db.selectFrom('reservations').selectAll().select(isOverdue.as('overdue')).where('node_uuid', '=', blank.nodeUuid),
  );
  // As a subquery, the time is a constant to PostgreSQL, which can search the index by it.
  const overdueHolds = prepareQuery(() =>
    db.selectFrom('reservations').selectAll().where('expires_at', '<=', sql<number>`(select ${now})`),
  );

  async function durably<O>(query: CompiledQuery<O>): Promise<O[]> {
    const { rows } = await database.durably((transaction) => transaction.executeQuery(query));
    return rows;
  }

  /** Reports the end of a call; also when its node is held again, for who waits with the key. */
  function freed(nodeUuid: string, rows: { wanted: number }[]): boolean {
    if (rows[0]?.wanted === 1) database.announce({ kind: 'node_freed', nodeUuid });
    return rows.length > 0;
  }

  async function ended(nodeUuid: string, query: ReturnType<typeof endHold>): Promise<boolean> {
    const rows = await durably(query.compile());
    if (rows[0]?.kind === null) freed(nodeUuid, rows);
    return rows.length > 0;
  }

  /** Takes a free node for a call. Returns the fence; null when it is not free, or `batched` and locked by a transaction. */
  async function takenForCall(taking: Taking, batched: boolean): Promise<number | null> {
    if (batched && batches !== null && taking.job === null) return batches.take(taking);
    const [call] = await database.run(callFree(taking));
    return call?.fence ?? null;
  }

  /** Takes the node if it is free, or held with the given key. Returns null otherwise. */
  async function taken(taking: Taking, reservation: NewReservation, batched: boolean) {
    if (reservation.kind === 'call' && taking.key === null) {
      const fence = await takenForCall(taking, batched);
      if (fence === null) return null;
      const { holder, kind, method, requestedBy, job, since, reason } = reservation;
      return { fence, reservation: { holder, kind, method, requestedBy, job, since, reason, expireTime: null } };
    }
    const held = reservation.kind === 'held';
    const [row] = held ? await durably(holdFree(taking)) : await database.run(callWithin(taking));
    return row === undefined ? null : { fence: row.fence, reservation: toReservation(row) as Reservation };
  }

  return {
    async countReserved() {
      const { count } = await db
        .selectFrom('reservations')
        .select((column) => column.fn.countAll().as('count'))
        .where('kind', 'is not', null)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async openReservations() {
      return await database.durably(async (transaction) => {
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
        const held = rows.map((row) => ({
          nodeUuid: row.node_uuid,
          reservation: toReservation(row) as Reservation,
          key: row.key_digest,
        }));
        return { fence, held };
      });
    },

    async acquire(nodeUuid, reservation, conductor) {
      const { key = null, duration = null } = reservation;
      const within = reservation.kind === 'call' && key !== null;
      const taking = { ...reservation, key, duration, nodeUuid, since: reservation.since.getTime(), conductor };
      // Repeats only if the node was released between the two statements, or locked by a transaction at the first.
      for (let batched = true; ; batched = false) {
        const acquired = await taken(taking, reservation, batched);
        if (acquired !== null) return { outcome: 'acquired', ...acquired };
        const [row] = await database.run(selectNode({ nodeUuid }));
        if (row === undefined) return { outcome: 'missing' };
        const overdue = row.overdue === 1;
        if (within && (!isHeldRow(row) || overdue || row.key_digest !== key)) return { outcome: 'ended' };
        const present = toReservation(row);
        if (present !== null && !(within && row.kind === 'held')) {
          const locked = { outcome: 'locked' as const, reservation: present, fence: row.fence };
          return overdue && row.kind === 'held' ? { ...locked, overdue } : locked;
        }
        if ((await validConductor(database, conductor).select('id').execute()).length === 0)
          return { outcome: 'expired' };
      }
    },

    async want(nodeUuid, fence) {
      const wanted = await updateNode(nodeUuid)
        .set({ wanted: 1 })
        .where('fence', '=', fence)
        .where('kind', 'is not', null)
        .returning('fence')
        .execute();
      return wanted.length > 0;
    },

    async release(nodeUuid, fence) {
      const ended = batches === null ? null : await batches.end({ nodeUuid, fence });
      return freed(nodeUuid, ended === null ? await database.run(endCall({ nodeUuid, fence })) : [ended]);
    },

    async releaseOwn(nodeUuid, conductor, key) {
      const rows = await updateNode(nodeUuid)
        .set(AFTER_CALL)
        .where(({ and }) => and({ owner: conductor, kind: 'call' }))
        .where('key_digest', key === null ? 'is' : '=', key)
        .returning('wanted')
        .execute();
      freed(nodeUuid, rows);
    },

    listCalls: (conductor) =>
      db
        .selectFrom('reservations')
        .select(['node_uuid as nodeUuid', 'fence', 'key_digest as key'])
        .where('owner', '=', conductor)
        .where('kind', '=', sql.lit('call'))
        .execute(),

    async getHold(nodeUuid) {
      const [row] = await database.run(selectNode({ nodeUuid }));
      if (row === undefined || !isHeldRow(row)) return null;
      const { fence, key_digest: key, overdue } = row;
      return { reservation: toReservation(row) as Reservation, fence, key, overdue: overdue === 1 };
    },

    async renewHold(nodeUuid, fence, duration) {
      const [row] = await durably(
        updateNode(nodeUuid)
          .set({ expires_at: expiry(duration) })
          .where('fence', '=', fence)
          .where(isHeld)
          .where(isInTime)
          .returningAll()
          .compile(),
      );
      return row === undefined ? null : toReservation(row);
    },

    endHold: (nodeUuid, fence) => ended(nodeUuid, endHold(nodeUuid, fence)),

    async endOverdueHolds() {
      const holds: Awaited<ReturnType<Store['endOverdueHolds']>> = [];
      for (const row of await database.run(overdueHolds({}))) {
        const nodeUuid = row.node_uuid;
        // Unless it was renewed meanwhile.
        const query = endHold(nodeUuid, row.fence).where('expires_at', '<=', now);
        if (await ended(nodeUuid, query)) holds.push({ nodeUuid, reservation: toReservation(row) as Reservation });
      }
      return holds;
    },
  } satisfies Partial<Store>;
}

function isHeldRow({ kind, held_since }: Pick<ReservationsTable, 'kind' | 'held_since'>): boolean {
  return kind === 'held' || held_since !== null;
}
