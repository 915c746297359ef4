import type { Database } from '../database.ts';

/** Implements `removeChanges` for events: the oldest positions first, which are without gaps. */
export async function removeEvents(
  { kysely: db, lockingRows }: Database,
  notBefore: Date,
  count: number,
  limit: number,
): Promise<number> {
  return db.transaction().execute(async (transaction) => {
    const { position: last, floor } = await transaction
      .selectFrom('change_logs')
      .select(['position', 'floor'])
      .where('kind', '=', 'event')
      .modifyEnd(lockingRows)
      .executeTakeFirstOrThrow();
    const oldest = await transaction
      .selectFrom('events')
      .select(['position', 'time'])
      .where('position', '>', floor)
      .orderBy('position')
      .limit(limit)
      .execute();
    const kept = oldest.findIndex(({ position, time }) => time >= notBefore.getTime() && position > last - count);
    const removed = kept === -1 ? oldest : oldest.slice(0, kept);
    const removedTo = removed.at(-1)?.position;
    if (removedTo === undefined) return 0;
    await transaction.deleteFrom('events').where('position', '<=', removedTo).execute();
    await transaction.updateTable('change_logs').set({ floor: removedTo }).where('kind', '=', 'event').execute();
    return removed.length;
  });
}
