import { type CompiledQuery, sql, type Transaction } from 'kysely';
import type { StoredEvent } from '../../core/events/event.ts';
import type { NewEvent } from '../../core/events/eventStore.ts';
import { countFitting } from '../../core/page.ts';
import type { Store } from '../../core/store.ts';
import type { Database } from '../database.ts';
import { prepareQuery } from '../preparedQuery.ts';
import type { EventsTable, Tables } from '../schema.ts';
import { eventList } from './eventList.ts';
import { COLUMNS, isOneOf, SHOWN_COLUMNS, toEvent, toEventRow } from './eventRows.ts';

const NAMES = Object.keys(COLUMNS) as (keyof EventsTable)[];

/** The part of the store that keeps events. */
export function eventStore(database: Database) {
  const db = database.kysely;
  const { dialect } = database;

  const insertOne = prepareQuery((blank: EventsTable) =>
    db
      .insertInto('events')
      .values(Object.fromEntries(NAMES.map((name) => [name, blank[name]])) as unknown as EventsTable),
  );
  const sizesAbove = prepareQuery((blank: { after: number; limit: number }) =>
    db
      .selectFrom('events')
      .select(['position', sql<number>`bytes + raw_bytes`.as('size')])
      .where('position', '>', blank.after)
      .orderBy('position')
      .limit(blank.limit),
  );
  const between = prepareQuery((blank: { after: number; last: number }) =>
    db
      .selectFrom('events')
      .select([...SHOWN_COLUMNS, 'raw'])
      .where('position', '>', blank.after)
      .where('position', '<=', blank.last)
      .orderBy('position'),
  );
  const logId = prepareQuery(() => db.selectFrom('change_logs').select('log').where('kind', '=', 'event'));

  async function readLog(): Promise<string> {
    const [log] = await database.run(logId({}));
    return log!.log;
  }

  /** Inserts rows: on PostgreSQL by one statement, since each takes a way to the server and back. */
  async function insert(transaction: Transaction<Tables>, rows: readonly EventsTable[]): Promise<void> {
    if (dialect === 'sqlite') {
      for (const row of rows) await transaction.executeQuery(insertOne(row) as CompiledQuery<unknown>);
      return;
    }
    const names = sql.join(NAMES.map((name) => sql.ref(name)));
    const types = sql.join(NAMES.map((name) => sql`${sql.ref(name)} ${sql.raw(COLUMNS[name])}`));
    await sql`insert into events (${names}) select ${names}
      from json_to_recordset(cast(${JSON.stringify(rows)} as json)) as added (${types})`.execute(transaction);
  }

  return {
    async addEvents(events) {
      if (events.length === 0) return [];
      const added = await db.transaction().execute(async (transaction) => {
        // In a statement of its own, so that the next ones see what the process before has stored.
        const { log, position, now } = await transaction
          .selectFrom('change_logs')
          .select(['log', 'position', database.now.as('now')])
          .where('kind', '=', 'event')
          .modifyEnd(database.lockingRows)
          .executeTakeFirstOrThrow();
        const time = Number(now);
        const isNew = await findNew(transaction, events, time);
        const names = await nodeNames(transaction, events);
        let last = Number(position);
        const rows: EventsTable[] = [];
        const stored = events.map((event, index): StoredEvent | null => {
          if (!isNew[index]) return null;
          const nodeName = names.get(event.nodeUuid) ?? null;
          const row = toEventRow(event, { position: ++last, time, nodeName });
          rows.push(row);
          return toEvent(row, log);
        });
        if (rows.length === 0) return stored;
        await insert(transaction, rows);
        await transaction.updateTable('change_logs').set({ position: last }).where('kind', '=', 'event').execute();
        return stored;
      });
      if (added.some((event) => event !== null)) database.announce({ kind: 'events_stored' });
      return added;
    },

    ...eventList(database, readLog),

    async eventsAbove(after, limit) {
      const found = await database.run(sizesAbove({ after, limit }));
      const page = found.slice(0, countFitting(found.map(({ size }) => Number(size))));
      if (page.length === 0) return [];
      const log = await readLog();
      const rows = await database.run(between({ after, last: page.at(-1)!.position }));
      return rows.map((row) => toEvent(row, log));
    },
  } satisfies Partial<Store>;

  /** Returns for each event whether it was not stored before, nor comes before in `events`. */
  async function findNew(
    transaction: Transaction<Tables>,
    events: readonly NewEvent[],
    now: number,
  ): Promise<boolean[]> {
    const digests = events.map(({ digest }) => digest).filter((digest) => digest !== null);
    if (digests.length === 0) return events.map(() => true);
    const rows = await transaction
      .selectFrom('events')
      .select(['digest', ({ fn }) => fn.max('time').as('time')])
      .where(isOneOf(dialect, 'digest', digests))
      .groupBy('digest')
      .execute();
    const times = new Map(rows.map((row) => [row.digest, Number(row.time)]));
    return events.map(({ digest, repeatedWithin }) => {
      if (digest === null) return true;
      const before = times.get(digest);
      if (before !== undefined && (repeatedWithin === null || now - before <= repeatedWithin)) return false;
      times.set(digest, now);
      return true;
    });
  }

  async function nodeNames(
    transaction: Transaction<Tables>,
    events: readonly NewEvent[],
  ): Promise<Map<string, string | null>> {
    const uuids = [...new Set(events.map(({ nodeUuid }) => nodeUuid))];
    const rows = await transaction
      .selectFrom('nodes')
      .select(['uuid', 'name'])
      .where(isOneOf(dialect, 'uuid', uuids))
      .execute();
    return new Map(rows.map(({ uuid, name }) => [uuid, name]));
  }
}
