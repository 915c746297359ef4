import { type InferResult, type Kysely, sql, type Updateable } from 'kysely';
import type { EventSelection, EventSourceTest } from '../../core/events/eventSource.ts';
import type { EventSourceStore, SourceProgress, StoredSource } from '../../core/events/sources/sourceStore.ts';
import { validConductor } from '../conductors.ts';
import type { Database } from '../database.ts';
import type { EventSourcesTable, Tables } from '../schema.ts';
import type { SecretsCipher } from '../secretsCipher.ts';
import { toFormerNode } from './formerNodes.ts';

/** The part of the store that keeps event sources. Changes of a wish are durable. */
export function eventSourceStore(database: Database, cipher: SecretsCipher): EventSourceStore {
  const db = database.kysely;
  const announce = () => database.announce({ kind: 'event_sources_due' });
  const woken = { due_time: 0, revision: sql<number>`revision + 1` };

  const read = async (kysely: Kysely<Tables>, nodeUuid: string): Promise<StoredSource | null> => {
    const row = await selectSources(kysely).where('event_sources.node_uuid', '=', nodeUuid).executeTakeFirst();
    return row === undefined ? null : toSource(row, cipher);
  };

  return {
    async setEventSource(nodeUuid, { transport, selection }, now) {
      const source = await db.transaction().execute(async (transaction) => {
        const node = await transaction
          .selectFrom('nodes')
          .select('uuid')
          .where('uuid', '=', nodeUuid)
          .modifyEnd(database.keepingRows)
          .executeTakeFirst();
        if (node === undefined) return null;
        const wish = { transport, selection: JSON.stringify(selection) };
        const time = now.getTime();
        await transaction
          .insertInto('event_sources')
          .values({
            node_uuid: nodeUuid,
            ...wish,
            generation: 1,
            revision: 1,
            state: 'pending',
            state_time: time,
            token_generation: 0,
            renewals: 0,
            due_time: 0,
            create_time: time,
          })
          .onConflict((conflict) =>
            conflict.column('node_uuid').doUpdateSet({
              ...wish,
              due_time: 0,
              revision: sql<number>`event_sources.revision + 1`,
              generation: sql<number>`event_sources.generation + 1`,
              state: 'pending',
              reason: null,
              state_time: time,
              update_time: time,
              former_node: null,
              former_driver_info: null,
            }),
          )
          .execute();
        return read(transaction, nodeUuid);
      });
      if (source !== null) announce();
      return source;
    },

    getEventSource: (nodeUuid) => read(db, nodeUuid),

    async listEventSources({ limit, after, state, driver }) {
      let place = 0;
      if (after !== null) {
        const row = await db.selectFrom('event_sources').select('id').where('node_uuid', '=', after).executeTakeFirst();
        if (row === undefined) return null;
        place = row.id;
      }
      let query = selectSources(db)
        .where('nodes.uuid', 'is not', null)
        .where('event_sources.id', '>', place)
        .orderBy('event_sources.id')
        .limit(limit);
      if (state !== null) query = query.where('event_sources.state', '=', state);
      if (driver !== null) query = query.where('nodes.driver', '=', driver);
      return (await query.execute()).map((row) => toSource(row, cipher));
    },

    async countEventSources() {
      const rows = await db
        .selectFrom('event_sources')
        .select((select) => ['state', select.fn.countAll().as('count')])
        .groupBy('state')
        .execute();
      return rows.map(({ state, count }) => ({ state, count: Number(count) }));
    },

    async deleteEventSource(nodeUuid, now) {
      const time = now.getTime();
      const marked = await db.transaction().execute((transaction) =>
        transaction
          .updateTable('event_sources')
          .set({ ...woken, state: 'deleting', reason: null, state_time: time, update_time: time })
          .where('node_uuid', '=', nodeUuid)
          .where('state', '<>', 'deleting')
          .returning('id')
          .execute(),
      );
      if (marked.length > 0) announce();
      return marked.length > 0 || (await read(db, nodeUuid)) !== null;
    },

    async removeEventSource(nodeUuid, revision) {
      const removed = await db
        .deleteFrom('event_sources')
        .where(({ and }) => and({ node_uuid: nodeUuid, revision, state: 'deleting' }))
        .returning('id')
        .execute();
      return removed.length > 0;
    },

    async wakeEventSource(nodeUuid) {
      const due = await db
        .updateTable('event_sources')
        .set(woken)
        .where('node_uuid', '=', nodeUuid)
        .returning('id')
        .execute();
      if (due.length > 0) announce();
    },

    async findEventSource(digest) {
      // Each by its index.
      const having = (column: 'token_digest' | 'previous_digest') =>
        db
          .selectFrom('event_sources')
          .select(['node_uuid', 'token_digest', 'previous_digest'])
          .where(column, '=', digest)
          .where('state', '<>', 'deleting');
      const row = await having('token_digest').unionAll(having('previous_digest')).executeTakeFirst();
      if (row === undefined) return null;
      const digests = [row.token_digest, row.previous_digest].filter((each) => each !== null);
      return { nodeUuid: row.node_uuid, digests };
    },

    async claimEventSources(conductor, limit) {
      const living = db.selectFrom('conductors').select('conductors.id').where('expires_at', '>', database.now);
      const claim = async (isLost: boolean) => {
        const free = db
          .selectFrom('event_sources')
          .select('event_sources.id')
          .where(isLost ? (eb) => eb('owner', 'not in', living) : (eb) => eb('owner', 'is', null))
          .where(({ exists }) => exists(validConductor(database, conductor).select('conductors.id')))
          .orderBy(isLost ? 'event_sources.id' : 'event_sources.due_time')
          .limit(limit)
          .modifyEnd(database.untouchedRows);
        const claimed = await db
          .updateTable('event_sources')
          // The owner before may have been away for long.
          .set({ owner: conductor, due_time: 0 })
          .where('id', 'in', free)
          .returning('id')
          .execute();
        return claimed.length;
      };
      // Those without an owner are found by an index; those of lost ones only among all.
      return (await claim(false)) || (await claim(true));
    },

    async releaseEventSources(conductor) {
      await db.updateTable('event_sources').set({ owner: null }).where('owner', '=', conductor).execute();
    },

    async dueEventSources(conductor, now, limit) {
      const rows = await selectSources(db)
        .where('event_sources.owner', '=', conductor)
        .where('due_time', '<=', now.getTime())
        .orderBy('due_time')
        .limit(limit)
        .execute();
      return rows.map((row) => toSource(row, cipher));
    },

    async recordEventSource(nodeUuid, conductor, revision, progress, due) {
      const updated = await db
        .updateTable('event_sources')
        .set(toColumns(progress, revision, due))
        .where(({ and }) => and({ node_uuid: nodeUuid, owner: conductor }))
        .where(({ exists }) => exists(validConductor(database, conductor).select('conductors.id')))
        .returning('id')
        .execute();
      return updated.length > 0;
    },

    async recordEventTest(nodeUuid, test) {
      await db
        .updateTable('event_sources')
        .set({ ...woken, ...testColumns(test) })
        .where('node_uuid', '=', nodeUuid)
        .execute();
    },

    async noteEventsArrived(nodeUuids, time) {
      if (nodeUuids.length === 0) return;
      await db
        .updateTable('event_sources')
        .set({ last_event_time: time.getTime() })
        .where('node_uuid', 'in', nodeUuids)
        .execute();
    },

    async serviceId() {
      // The name of the log of jobs, which never changes.
      const row = await db.selectFrom('change_logs').select('log').where('kind', '=', 'job').executeTakeFirstOrThrow();
      return row.log;
    },
  };
}

function selectSources(db: Kysely<Tables>) {
  return db
    .selectFrom('event_sources')
    .leftJoin('nodes', 'nodes.uuid', 'event_sources.node_uuid')
    .leftJoin('conductors', 'conductors.id', 'event_sources.owner')
    .select([
      'event_sources.node_uuid',
      'nodes.name as node_name',
      'event_sources.transport',
      'event_sources.selection',
      'event_sources.generation',
      'event_sources.revision',
      'event_sources.state',
      'event_sources.reason',
      'event_sources.state_time',
      'event_sources.active_transport',
      'event_sources.subscription',
      'event_sources.token_digest',
      'event_sources.token_generation',
      'event_sources.previous_digest',
      'event_sources.address',
      'event_sources.verify_time',
      'event_sources.due_time',
      'event_sources.last_event_time',
      'event_sources.test_time',
      'event_sources.test_round_trip',
      'event_sources.test_error',
      'event_sources.last_drift',
      'event_sources.last_drift_time',
      'event_sources.renewals',
      'event_sources.last_reset',
      'event_sources.last_event_id',
      'event_sources.former_node',
      'event_sources.former_driver_info',
      'event_sources.create_time',
      'event_sources.update_time',
      'conductors.host as owner_host',
    ]);
}

type SourceRow = InferResult<ReturnType<typeof selectSources>>[number];

function toSource(row: SourceRow, cipher: SecretsCipher): StoredSource {
  return {
    nodeUuid: row.node_uuid,
    nodeName: row.node_name,
    transport: row.transport,
    selection: JSON.parse(row.selection) as EventSelection,
    generation: Number(row.generation),
    revision: Number(row.revision),
    state: row.state,
    reason: row.reason,
    stateTime: new Date(Number(row.state_time)),
    activeTransport: row.active_transport,
    subscription: row.subscription,
    tokenDigest: row.token_digest,
    tokenGeneration: Number(row.token_generation),
    previousDigest: row.previous_digest,
    address: row.address,
    verifyTime: toTime(row.verify_time),
    nextVerifyTime: Number(row.due_time) === 0 ? null : toTime(row.due_time),
    lastEventTime: toTime(row.last_event_time),
    lastTest: toTest(row),
    lastDrift: row.last_drift,
    lastDriftTime: toTime(row.last_drift_time),
    renewals: Number(row.renewals),
    lastReset: toTime(row.last_reset),
    lastEventId: row.last_event_id,
    owner: row.owner_host,
    formerNode: toFormerNode(row, cipher),
    createTime: new Date(Number(row.create_time)),
    updateTime: toTime(row.update_time),
  };
}

function toTest({ test_time, test_round_trip, test_error }: SourceRow): EventSourceTest | null {
  if (test_time === null) return null;
  const roundTrip = test_round_trip === null ? null : Number(test_round_trip);
  return { requestTime: new Date(Number(test_time)), roundTrip, error: test_error };
}

function toTime(time: number | null): Date | null {
  return time === null ? null : new Date(Number(time));
}

function testColumns({ requestTime, roundTrip, error }: EventSourceTest): Updateable<EventSourcesTable> {
  return { test_time: requestTime.getTime(), test_round_trip: roundTrip, test_error: error };
}

/** The columns of the members of `SourceProgress` that are stored as they are. */
const PLAIN_COLUMNS = {
  state: 'state',
  reason: 'reason',
  activeTransport: 'active_transport',
  subscription: 'subscription',
  lastDrift: 'last_drift',
  renewals: 'renewals',
  tokenDigest: 'token_digest',
  tokenGeneration: 'token_generation',
  previousDigest: 'previous_digest',
  address: 'address',
  lastEventId: 'last_event_id',
} as const;

const TIME_COLUMNS = {
  stateTime: 'state_time',
  verifyTime: 'verify_time',
  lastDriftTime: 'last_drift_time',
  lastReset: 'last_reset',
} as const;

/** The columns that describe the wish of a revision: after a change of the wish, as its deletion, they stay. */
const OF_REVISION = ['state', 'reason', 'state_time'];

function toColumns(progress: Partial<SourceProgress>, revision: number, due: Date): Updateable<EventSourcesTable> {
  const columns: Record<string, unknown> = {};
  const unlessChanged = (value: unknown, type: string, otherwise: string) =>
    sql`case when revision = ${revision} then cast(${value} as ${sql.raw(type)}) else ${sql.raw(otherwise)} end`;
  for (const [member, column] of Object.entries(PLAIN_COLUMNS)) {
    const value = progress[member as keyof typeof PLAIN_COLUMNS];
    if (value !== undefined) columns[column] = value;
  }
  if (progress.formerNode === null) {
    columns.former_node = unlessChanged(null, 'text', 'former_node');
    columns.former_driver_info = unlessChanged(null, 'text', 'former_driver_info');
  }
  for (const [member, column] of Object.entries(TIME_COLUMNS)) {
    const value = progress[member as keyof typeof TIME_COLUMNS];
    if (value !== undefined) columns[column] = value?.getTime() ?? null;
  }
  for (const column of OF_REVISION) {
    if (!(column in columns)) continue;
    const type = column === 'state_time' ? 'bigint' : 'text';
    columns[column] = unlessChanged(columns[column], type, column);
  }
  columns.due_time = unlessChanged(due.getTime(), 'bigint', '0');
  return { ...columns, ...(progress.lastTest ? testColumns(progress.lastTest) : {}) };
}
