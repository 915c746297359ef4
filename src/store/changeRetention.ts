import { sql } from 'kysely';
import type { Database } from './database.ts';

/** Implements `removeChanges` on SQLite, in order of the ids. */
export async function removeById(
  { kysely: db }: Database,
  notBefore: Date,
  count: number,
  limit: number,
): Promise<number> {
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

/**
 * Implements `removeChanges` on PostgreSQL, for changes with positions, among them those that a raised floor has left behind, then
 * for those that nobody has read.
 */
export async function removeSequenced(
  { kysely: db }: Database,
  kind: 'job' | 'node',
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
      // The floor of nodes is raised over changes, those of jobs by removing them alone.
      .where('position', '>', kind === 'job' ? floor : -1)
      .orderBy('position')
      .limit(limit)
      .execute();
    const surplus = last - count;
    const beyond = old.findIndex((row) => row.time >= time && (row.position ?? 0) > Math.max(surplus, floor));
    const oldest = old.slice(0, beyond === -1 ? old.length : beyond);
    const removedTo = oldest.at(-1)?.position ?? null;
    if (removedTo !== null) {
      await transaction.deleteFrom(table).where('position', '<=', removedTo).execute();
      const raised = Math.max(floor, removedTo);
      await transaction.updateTable('change_logs').set({ floor: raised }).where('kind', '=', kind).execute();
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
