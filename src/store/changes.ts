import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { PAGE_BYTES } from '../core/bounds.ts';
import { countFitting } from '../core/page.ts';
import type { Store } from '../core/store.ts';
import type { NodeChange, NodePart } from '../core/watch/changeStore.ts';
import type { LocalNodeChanges } from '../core/watch/localNodeChanges.ts';
import { ChangeLog } from './changeLog.ts';
import { removeById, removeSequenced } from './changeRetention.ts';
import type { Database } from './database.ts';
import { removeEvents } from './events/eventRetention.ts';
import { prepareQuery } from './preparedQuery.ts';
import { jobColumns, type NodeChangeRow, octets, toJob, toNodeChange } from './rows.ts';

const PARTS: readonly NodePart[] = ['existence', 'content', 'last_error', 'reservation'];

/** The part of the store that reads and removes logged changes; see `ChangeLog`. */
export function changeStore(database: Database, local: LocalNodeChanges | null, closed: AbortSignal) {
  const db = database.kysely;
  /** Whether changes get positions after their commit. */
  const sequenced = database.dialect === 'postgres';
  const position = sql.raw<number>(sequenced ? 'job_changes.position' : 'job_changes.id');
  const log = new ChangeLog(database, closed);

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

  const nodeChangesAbove = prepareQuery((blank: { after: number; limit: number }) =>
    db
      .selectFrom(
        db
          .selectFrom('node_changes')
          .select([
            'id',
            'position',
            'node_uuid',
            'part',
            'before',
            octets(['before']).as('bytes'),
            sql<number>`sum(octet_length(before)) over (order by position)`.as('sum'),
            sql<number>`row_number() over (order by position)`.as('number'),
          ])
          .where('position', '>', blank.after)
          .orderBy('position')
          .limit(blank.limit)
          .as('page'),
      )
      .select(['id', 'position', 'node_uuid', 'part', 'before', 'bytes'])
      .where(sql<boolean>`(number = 1 or coalesce(sum, 0) <= ${sql.lit(PAGE_BYTES)})`)
      .orderBy('position'),
  );

  return {
    async changeBounds(kind) {
      if (kind === 'node' && local !== null) return local.bounds();
      const bounds = await log.bounds(kind);
      await database.onDisk();
      return bounds;
    },

    changeFloor: async (kind) => (kind === 'node' && local !== null ? local.bounds().floor : log.floor(kind)),

    async jobChanges(after, limit) {
      const found = await database.run(sizesAbove({ after, limit }));
      const page = found.slice(0, countFitting(found.map(({ size }) => Number(size))));
      if (page.length === 0) return [];
      const rows = await database.run(jobsBetween({ after, last: page.at(-1)!.position }));
      // A cursor must not lead past what a crash of the machine has left.
      await database.onDisk();
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
      if (kind === 'event') return removeEvents(database, notBefore, count, limit);
      // The memory of `LocalNodeChanges` is bounded.
      if (kind === 'node' && local !== null) return 0;
      if (kind === 'node') await log.removeReaders(notBefore);
      return sequenced
        ? removeSequenced(database, kind, notBefore, count, limit)
        : removeById(database, notBefore, count, limit);
    },
  } satisfies Partial<Store>;
}

/** Implements `nextNodeChanges` on PostgreSQL. */
async function nextChanges({ kysely: db }: Database, changes: readonly NodeChange[]): Promise<NodeChange[] | null> {
  const last = Math.max(...changes.map(({ position }) => position ?? 0));
  // The changes of one part of a node have their ids in order.
  const orders = new Map<string, number>();
  for (const { nodeUuid, part, order } of changes) orders.set(`${nodeUuid} ${part}`, order);
  const uuids = [...new Set(changes.map(({ nodeUuid }) => nodeUuid))];
  const asked = uuids.flatMap((uuid) =>
    PARTS.map((part) => ({ uuid, part, order: orders.get(`${uuid} ${part}`) ?? 0 })),
  );
  const maximum = uuids.length === 1 ? Number.MAX_SAFE_INTEGER : PAGE_BYTES;
  const { rows } = await sql<NodeChangeRow & { sum: number | null }>`
    select id, position, node_uuid, part, bytes, sum, case when sum <= ${maximum} then before end as before
    from (
      select next.id, next.position, next.node_uuid, next.part, next.before, ${octets(['next.before'])} as bytes,
        coalesce(sum(octet_length(next.before)) over (), 0) as sum
      from unnest(
        cast(${asked.map(({ uuid }) => uuid)} as text[]),
        cast(${asked.map(({ part }) => part)} as text[]),
        cast(${asked.map(({ order }) => order)} as bigint[])
      ) as asked (uuid, part, last_id) cross join lateral (
        select * from node_changes as change
        where change.node_uuid = asked.uuid collate "C" and change.part = asked.part collate "C" and change.id > asked.last_id
          and (change.position is null or change.position > ${last})
        order by change.id limit 1
      ) as next
    ) as found`.execute(db);
  if (Number(rows[0]?.sum ?? 0) > maximum) return null;
  return rows.map(toNodeChange);
}
