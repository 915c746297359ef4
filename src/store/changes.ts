import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { countFitting } from '../core/page.ts';
import type { Store } from '../core/store.ts';
import type { ChangeBounds, ChangeKind, NodeChange, NodePart } from '../core/watch/changeStore.ts';
import type { LocalNodeChanges } from '../core/watch/localNodeChanges.ts';
import type { Database } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import { jobColumns, type NodeChangeRow, octets, toJob, toNodeChange } from './rows.ts';

/** Maximum number of changes that one statement gives positions. */
const SEQUENCED = 2000;

/** More than what is written between two writes to the disk. */
const LOST_POSITIONS = 1_000_000;

const PARTS: readonly NodePart[] = ['existence', 'content', 'last_error', 'reservation'];

/**
 * The part of the store that reads and removes logged changes.
 *
 * Transactions of PostgreSQL commit in another order than that in which their changes got their ids, so that a reader who
 * went by ids could pass over a change that is committed late. So a change has no position at first, and committed ones get
 * positions in a step of their own, one process at a time. Nobody does that while nobody watches. SQLite has one writer at a
 * time: there a change's id is its position.
 */
export function changeStore(database: Database, local: LocalNodeChanges | null) {
  const db = database.kysely;
  /** Whether changes get positions after their commit. */
  const sequenced = database.dialect === 'postgres';
  const position = sql.raw<number>(sequenced ? 'job_changes.position' : 'job_changes.id');
  const table = { job: 'job_changes', node: 'node_changes' } as const;

  const logs = { job: boundsQuery('job'), node: boundsQuery('node') };
  function boundsQuery(kind: ChangeKind) {
    const changes = sql.table(table[kind]);
    return prepareQuery(() =>
      db
        .selectFrom('change_logs')
        .select([
          'log',
          'floor',
          (sequenced ? sql<number>`position` : sql<number>`coalesce((select max(id) from ${changes}), floor)`).as(
            'last',
          ),
          (sequenced
            ? sql<boolean>`exists (select from ${changes} as added where added.position is null)`
            : sql<boolean>`false`
          ).as('added'),
        ])
        .where('kind', '=', kind),
    );
  }

  async function readBounds(kind: ChangeKind): Promise<ChangeBounds & { added: unknown }> {
    const [bounds] = await database.run(logs[kind]({}));
    return bounds!;
  }

  /** Gives positions to changes that are committed. Returns whether there may be more. */
  async function sequence(kind: ChangeKind): Promise<boolean> {
    const changes = sql.table(table[kind]);
    return db.transaction().execute(async (transaction) => {
      // One process at a time. In a statement of its own, so that the next one sees what the process before has done.
      const { position } = await transaction
        .selectFrom('change_logs')
        .select('position')
        .where('kind', '=', kind)
        .forUpdate()
        .executeTakeFirstOrThrow();
      const { numAffectedRows = 0n } = await sql`update ${changes} as change
        set position = cast(${position} as bigint) + added.place
        from (
          select id, row_number() over (order by id) as place from ${changes} as change
          where change.position is null order by id limit ${sql.lit(SEQUENCED)}
        ) as added
        where change.id = added.id and change.position is null`.execute(transaction);
      const added = Number(numAffectedRows);
      await transaction
        .updateTable('change_logs')
        .set({ position: position + added })
        .where('kind', '=', kind)
        .execute();
      return added === SEQUENCED;
    });
  }

  const sizesAbove = prepareQuery((blank: { after: number; limit: number }) =>
    db
      .selectFrom('job_changes')
      .leftJoin('job_revisions', (join) =>
        join
          .onRef('job_revisions.job_id', '=', 'job_changes.job_id')
          .onRef('job_revisions.revision', '=', 'job_changes.revision'),
      )
      .leftJoin('jobs', (join) =>
        join.onRef('jobs.id', '=', 'job_changes.job_id').on('job_revisions.state', '<>', sql.lit('running')),
      )
      .select([octets(['jobs.result', 'jobs.error']).as('size'), 'job_revisions.job_id', position.as('position')])
      .where(position, '>', blank.after)
      .orderBy(position)
      .limit(blank.limit),
  );
  const jobsBetween = prepareQuery((blank: { after: number; last: number }) =>
    db
      .selectFrom('job_changes')
      .innerJoin('job_revisions', (join) =>
        join
          .onRef('job_revisions.job_id', '=', 'job_changes.job_id')
          .onRef('job_revisions.revision', '=', 'job_changes.revision'),
      )
      .innerJoin('jobs', 'jobs.id', 'job_changes.job_id')
      .select([
        ...jobColumns.filter((column) => column !== 'jobs.result'),
        // Only with the last revision, as a long one is read once then.
        sql<string | null>`case when job_revisions.state = 'running' then null else jobs.result end`.as('result'),
        position.as('position'),
      ])
      .where(position, '>', blank.after)
      .where(position, '<=', blank.last)
      .orderBy(position),
  );

  const selectNodeChanges = () =>
    db.selectFrom('node_changes').select(['id', 'position', 'node_uuid', 'part', 'before']);
  const nodeChangesAbove = prepareQuery((blank: { after: number; limit: number }) =>
    selectNodeChanges().where('position', '>', blank.after).orderBy('position').limit(blank.limit),
  );

  return {
    async changeBounds(kind) {
      if (kind === 'node' && local !== null) return local.bounds();
      let bounds = await readBounds(kind);
      if (bounds.added === true) {
        while (await sequence(kind));
        bounds = await readBounds(kind);
      }
      const { log, floor, last } = bounds;
      return { log, floor, last };
    },

    async jobChanges(after, limit) {
      const found = await database.run(sizesAbove({ after, limit }));
      const page = found.slice(0, countFitting(found.map(({ size }) => Number(size))));
      if (page.length === 0) return [];
      const rows = await database.run(jobsBetween({ after, last: page.at(-1)!.position }));
      const jobs = new Map(rows.map((row) => [row.position, toJob(row)]));
      return page.map(({ position, size }) => ({ position, bytes: Number(size), job: jobs.get(position) ?? null }));
    },

    async jobsChangedSince(ids, after) {
      if (ids.length === 0) return new Set();
      const rows = await db
        .selectFrom('job_changes')
        .select('job_id')
        .distinct()
        .where('job_id', 'in', ids)
        .where(sequenced ? sql<boolean>`(position is null or position > ${after})` : sql<boolean>`id > ${after}`)
        .execute();
      return new Set(rows.map((row) => row.job_id));
    },

    async nodeChanges(after, limit) {
      if (local !== null) return local.above(after, limit);
      return (await database.run(nodeChangesAbove({ after, limit }))).map(toNodeChange);
    },

    async nextNodeChanges(changes) {
      if (changes.length === 0) return [];
      if (local !== null) {
        // What is committed is logged by now.
        await nextTurn();
        return local.next(changes);
      }
      return nextChanges(database, changes);
    },

    async nodesChangedSince(uuids, after) {
      if (uuids.length === 0) return new Set();
      if (local !== null) {
        await nextTurn();
        return local.changedSince(uuids, after);
      }
      const rows = await db
        .selectFrom('node_changes')
        .select('node_uuid')
        .distinct()
        .where('node_uuid', 'in', uuids)
        .where(sql<boolean>`(position is null or position > ${after})`)
        .execute();
      return new Set(rows.map((row) => row.node_uuid));
    },

    async removeChanges(kind, notBefore, count, limit) {
      // The memory of `LocalNodeChanges` is bounded.
      if (kind === 'node' && local !== null) return 0;
      return sequenced
        ? removeSequenced(database, kind, notBefore, count, limit)
        : removeById(database, notBefore, count, limit);
    },
  } satisfies Partial<Store>;
}

/** Finds, for each node and part, the first change after those in `changes`. */
async function nextChanges({ kysely: db }: Database, changes: readonly NodeChange[]): Promise<NodeChange[]> {
  const last = Math.max(...changes.map(({ position }) => position ?? 0));
  // The changes of one part of a node have their ids in order.
  const orders = new Map<string, number>();
  for (const { nodeUuid, part, order } of changes) orders.set(`${nodeUuid} ${part}`, order);
  const uuids = [...new Set(changes.map(({ nodeUuid }) => nodeUuid))];
  const asked = uuids.flatMap((uuid) =>
    PARTS.map((part) => ({ uuid, part, order: orders.get(`${uuid} ${part}`) ?? 0 })),
  );
  const { rows } = await sql<NodeChangeRow>`
    select next.id, next.position, next.node_uuid, next.part, next.before
    from unnest(
      cast(${asked.map(({ uuid }) => uuid)} as text[]),
      cast(${asked.map(({ part }) => part)} as text[]),
      cast(${asked.map(({ order }) => order)} as bigint[])
    ) as asked (uuid, part, last_id) cross join lateral (
      select * from node_changes as change
      where change.node_uuid = asked.uuid collate "C" and change.part = asked.part collate "C" and change.id > asked.last_id
        and (change.position is null or change.position > ${last})
      order by change.id limit 1
    ) as next`.execute(db);
  return rows.map(toNodeChange);
}

/**
 * Makes the positions of this process those that no earlier one gave: a crash of the machine may have lost the last ones, of
 * which a watcher was told. For a database that is not shared.
 */
export async function skipLostPositions({ kysely }: Database): Promise<void> {
  await sql`update sqlite_sequence set seq = seq + ${sql.lit(LOST_POSITIONS)} where name = 'job_changes'`.execute(
    kysely,
  );
}

/** Implements `removeChanges` on SQLite, in order of the ids. */
async function removeById({ kysely: db }: Database, notBefore: Date, count: number, limit: number): Promise<number> {
  return db.transaction().execute(async (transaction) => {
    // By their number, not their ids: each start leaves a gap, see `skipLostPositions`.
    const surplus = transaction.selectFrom('job_changes').select('id').orderBy('id', 'desc').limit(1).offset(count);
    const old = await transaction
      .selectFrom('job_changes')
      .select('id')
      .where((row) => row.or([row('time', '<', notBefore.getTime()), row('id', '<=', surplus)]))
      .orderBy('id')
      .limit(limit)
      .execute();
    const floor = old.at(-1)?.id;
    if (floor === undefined) return 0;
    await transaction.deleteFrom('job_changes').where('id', '<=', floor).execute();
    await transaction.updateTable('change_logs').set({ floor }).where('kind', '=', 'job').execute();
    return old.length;
  });
}

/** Implements `removeChanges` on PostgreSQL, for changes with positions, then for those that nobody has read. */
async function removeSequenced(
  { kysely: db }: Database,
  kind: ChangeKind,
  notBefore: Date,
  count: number,
  limit: number,
): Promise<number> {
  const table = kind === 'job' ? 'job_changes' : 'node_changes';
  const time = notBefore.getTime();
  return db.transaction().execute(async (transaction) => {
    const { position: last, floor } = await transaction
      .selectFrom('change_logs')
      .select(['position', 'floor'])
      .where('kind', '=', kind)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const old = await transaction
      .selectFrom(table)
      .select(['position', 'time'])
      .where('position', '>', floor)
      .orderBy('position')
      .limit(limit)
      .execute();
    const surplus = last - count;
    const beyond = old.findIndex((row) => row.time >= time && (row.position ?? 0) > surplus);
    const oldest = old.slice(0, beyond === -1 ? old.length : beyond);
    const removedTo = oldest.at(-1)?.position ?? null;
    if (removedTo !== null) {
      await transaction.deleteFrom(table).where('position', '<=', removedTo).execute();
      await transaction.updateTable('change_logs').set({ floor: removedTo }).where('kind', '=', kind).execute();
      return oldest.length;
    }
    const unread = await transaction
      .selectFrom(table)
      .select(['id'])
      .where('position', 'is', null)
      .where((row) =>
        row.or([
          row('time', '<', time),
          row(
            'id',
            '<=',
            sql<number>`(select id from ${sql.table(table)} as newer where newer.position is null order by id desc limit 1 offset ${count})`,
          ),
        ]),
      )
      .orderBy('id')
      .limit(limit)
      .execute();
    if (unread.length === 0) return 0;
    await transaction
      .deleteFrom(table)
      .where(
        'id',
        'in',
        unread.map(({ id }) => id),
      )
      .execute();
    // Every cursor is too old now.
    await transaction.deleteFrom(table).where('position', '<=', last).execute();
    await transaction
      .updateTable('change_logs')
      .set({ position: last + 1, floor: last + 1 })
      .where('kind', '=', kind)
      .execute();
    return unread.length;
  });
}
