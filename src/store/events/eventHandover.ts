import type { HandoverStore } from '../../core/events/handover/handoverStore.ts';
import { validConductor } from '../conductors.ts';
import type { Database } from '../database.ts';

/** The name of the only hand-over. */
const NAME = 'webhook';

/** The part of the store that keeps how far events were handed over. */
export function eventHandoverStore(database: Database): HandoverStore {
  const db = database.kysely;
  const update = () => db.updateTable('event_handovers').where('name', '=', NAME);

  return {
    async beginHandover() {
      await db
        .insertInto('event_handovers')
        .columns(['name', 'position'])
        .expression((from) =>
          from
            .selectFrom('change_logs')
            .select((select) => [select.val(NAME).as('name'), 'position'])
            .where('kind', '=', 'event'),
        )
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
    },

    async claimHandover(conductor) {
      const living = db.selectFrom('conductors').select('conductors.id').where('expires_at', '>', database.now);
      const [claimed] = await update()
        .set({ owner: conductor })
        .where(({ or, eb }) =>
          or([eb('owner', 'is', null), eb('owner', '=', conductor), eb('owner', 'not in', living)]),
        )
        .where(({ exists }) => exists(validConductor(database, conductor).select('conductors.id')))
        .returning('position')
        .execute();
      return claimed === undefined ? null : Number(claimed.position);
    },

    async recordHandover(conductor, position) {
      const recorded = await update()
        .set({ position })
        .where('owner', '=', conductor)
        .where(({ exists }) => exists(validConductor(database, conductor).select('conductors.id')))
        .returning('position')
        .execute();
      return recorded.length > 0;
    },

    async releaseHandover(conductor) {
      await update().set({ owner: null }).where('owner', '=', conductor).execute();
    },

    async handoverLag() {
      const row = await db
        .selectFrom('event_handovers')
        .innerJoin('change_logs', (join) => join.on('change_logs.kind', '=', 'event'))
        .select(({ selectFrom, ref }) => [
          'event_handovers.position',
          'change_logs.position as last',
          selectFrom('events')
            .select('time')
            .where('events.position', '>', ref('event_handovers.position'))
            .orderBy('events.position')
            .limit(1)
            .as('oldest'),
        ])
        .where('name', '=', NAME)
        .executeTakeFirst();
      if (row === undefined) return { events: 0, oldest: null };
      const oldest = row.oldest === null ? null : new Date(Number(row.oldest));
      return { events: Number(row.last) - Number(row.position), oldest };
    },
  };
}
