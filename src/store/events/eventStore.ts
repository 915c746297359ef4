import { type CompiledQuery, sql, type Transaction } from 'kysely';
import type { StoredEvent } from '../../core/events/event.ts';
import type { NewEvent } from '../../core/events/eventStore.ts';
import { countFitting } from '../../core/page.ts';
import type { Store } from '../../core/store.ts';
import type { Database, RunAtOnce } from '../database.ts';
import { prepareQuery } from '../preparedQuery.ts';
import type { EventsTable, Tables } from '../schema.ts';
import { eventList } from './eventList.ts';
import { COLUMNS, isOneOf, type ListParameter, SHOWN_COLUMNS, toEvent, toEventRow, toNewEvent } from './eventRows.ts';

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
  const logNow = prepareQuery(() =>
    db
      .selectFrom('change_logs')
      .select(['log', 'position', database.now.as('now')])
      .where('kind', '=', 'event')
      .modifyEnd(database.lockingRows),
  );
  const moveLog = prepareQuery((blank: { last: number }) =>
    db.updateTable('change_logs').set({ position: blank.last }).where('kind', '=', 'event'),
  );
  const none = sql<string | null>`null`;
  /** When events with these digests were stored last, and the names of nodes. */
  const storedAndNamed = prepareQuery((blank: { digests: ListParameter; uuids: ListParameter }) =>
    db
      .selectFrom('events')
      .select(['digest', ({ fn }) => fn.max<number | null>('time').as('time'), none.as('uuid'), none.as('name')])
      .where(isOneOf(dialect, 'digest', blank.digests))
      .groupBy('digest')
      .unionAll(
        db
          .selectFrom('nodes')
          .select([none.as('digest'), sql<number | null>`null`.as('time'), sql<string | null>`uuid`.as('uuid'), 'name'])
          .where(isOneOf(dialect, 'uuid', blank.uuids)),
      ),
  );
  /** Inserts rows and moves the log, on PostgreSQL. */
  const insertAll = prepareQuery((blank: { rows: string; last: number }) => {
    const columns = sql.join(NAMES.map((name) => sql.ref(name)));
    const types = sql.join(NAMES.map((name) => sql`${sql.ref(name)} ${sql.raw(COLUMNS[name])}`));
    const text = sql`with moved as (update change_logs set position = ${blank.last} where kind = 'event')
      insert into events (${columns}) select ${columns}
      from json_to_recordset(cast(${blank.rows} as json)) as added (${types})`;
    return { compile: () => text.compile(db) };
  });
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

  /** Stores events on PostgreSQL: by few statements, since each takes a way to the server and back. */
  async function addInTransaction(
    transaction: Transaction<Tables>,
    events: readonly NewEvent[],
  ): Promise<(StoredEvent | null)[]> {
    const run = async <O>(query: CompiledQuery<O>) => (await transaction.executeQuery(query)).rows;
    // In a statement of its own, so that the next ones see what the process before has stored.
    const [log] = await run(logNow({}));
    const known = await run(storedAndNamed({ digests: digestsOf(events), uuids: uuidsOf(events) }));
    const { rows, added, last } = place(events, log!, known);
    if (rows.length > 0) await run(insertAll({ rows: JSON.stringify(rows), last }));
    return added;
  }

  /** Stores events on SQLite: waits between the statements would cost more than they do. */
  function addAtOnce(run: RunAtOnce, events: readonly NewEvent[]): (StoredEvent | null)[] {
    const [log] = run(logNow({}));
    const lists = { digests: JSON.stringify(digestsOf(events)), uuids: JSON.stringify(uuidsOf(events)) };
    const { rows, added, last } = place(events, log!, run(storedAndNamed(lists)));
    if (rows.length === 0) return added;
    for (const row of rows) run(insertOne(row));
    run(moveLog({ last }));
    return added;
  }

  return {
    async addEvents(events) {
      if (events.length === 0) return [];
      const { durablyAtOnce } = database;
      const added = await (durablyAtOnce === null
        ? db.transaction().execute((transaction) => addInTransaction(transaction, events))
        : durablyAtOnce((run) => addAtOnce(run, events)));
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
}

function digestsOf(events: readonly NewEvent[]): string[] {
  return events.map(({ digest }) => digest).filter((digest) => digest !== null);
}

function uuidsOf(events: readonly NewEvent[]): string[] {
  return [...new Set(events.map(({ nodeUuid }) => nodeUuid))];
}

interface Placed {
  rows: EventsTable[];
  /** For each event what is stored; null for one that was stored before. */
  added: (StoredEvent | null)[];
  /** The position of the last one. */
  last: number;
}

/** What is known of a digest, when it was stored last, or of a node. */
interface Known {
  digest: string | null;
  time: number | null;
  uuid: string | null;
  name: string | null;
}

/** Gives new events their places in the log. */
function place(
  events: readonly NewEvent[],
  { log, position, now }: { log: string; position: number; now: number },
  known: readonly Known[],
): Placed {
  const time = Number(now);
  const times = new Map(known.map((row) => [row.digest, Number(row.time)]));
  const names = new Map(known.map(({ uuid, name }) => [uuid, name]));
  const isNew = ({ digest, repeatedWithin }: NewEvent) => {
    if (digest === null) return true;
    const last = times.get(digest);
    if (last !== undefined && (repeatedWithin === null || time - last <= repeatedWithin)) return false;
    times.set(digest, time);
    return true;
  };
  let last = Number(position);
  const rows: EventsTable[] = [];
  const added = events.map((event) => {
    if (!isNew(event)) return null;
    const row = toEventRow(event, { position: ++last, time, nodeName: names.get(event.nodeUuid) ?? null });
    rows.push(row);
    return toNewEvent(row, event.content, log);
  });
  return { rows, added, last };
}
