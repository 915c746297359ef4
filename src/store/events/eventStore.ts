import { sql } from 'kysely';
import type { StoredEvent } from '../../core/events/event.ts';
import type { NewEvent } from '../../core/events/eventStore.ts';
import { countFitting } from '../../core/page.ts';
import type { Store } from '../../core/store.ts';
import type { Database, RunAtOnce } from '../database.ts';
import { prepareQuery } from '../preparedQuery.ts';
import type { EventsTable } from '../schema.ts';
import { eventList } from './eventList.ts';
import { COLUMNS, isOneOf, type ListParameter, SHOWN_COLUMNS, toEvent, toEventRow, toNewEvent } from './eventRows.ts';

const NAMES = Object.keys(COLUMNS) as (keyof EventsTable)[];

/** Milliseconds for which the log is locked first, after another process has stored events at the same time: it will do so again. */
const CONTENDED_TIME = 1000;

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
  /**
   * Adds to the log, on PostgreSQL, those of `rows` that were not stored before, each with the next position, the time and the name
   * of its node. Their own positions number them. Returns nothing, and adds nothing, when another process has stored events since
   * the statement began: its view of the table, which is as old, lacks them. All digests are looked up in one pass: a lookup for
   * each event would read the table as many times whenever PostgreSQL takes it for a small one.
   */
  const addAll = prepareQuery(
    (blank: { rows: string; count: number; digests: ListParameter; uuids: ListParameter }) => {
      const given = NAMES.filter((name) => !['time', 'node_name'].includes(name));
      const typed = (name: keyof EventsTable) => sql`${sql.ref(name)} ${sql.raw(COLUMNS[name])}`;
      const text = sql<Added>`with seen as (select position from change_logs where kind = 'event'),
      held as (select log, position from change_logs where kind = 'event' ${database.lockingRows}),
      log as materialized (select log, position, ${database.now} as time from held natural join seen),
      last as materialized (
        select digest, max(time) as time from events where ${isOneOf(dialect, 'digest', blank.digests)} group by digest
      ),
      added as materialized (
        select given.position as number, log.position + row_number() over (order by given.position) as position,
          log.time, nodes.name as node_name, ${sql.join(given.slice(1).map((name) => sql`given.${sql.ref(name)}`))}
        from log
          cross join json_to_recordset(cast(${blank.rows} as json)) as given (${sql.join(given.map(typed))}, within bigint)
          left join last on last.digest = given.digest
          left join nodes on nodes.uuid = given.node_uuid
        where last.time is null or log.time - last.time > given.within
      ),
      moved as (
        update change_logs set position = log.position + (select count(*) from added)
        from log where kind = 'event' and exists (select from added)
      ),
      inserted as (
        insert into events (${sql.join(NAMES.map((name) => sql.ref(name)))})
        select ${sql.join(NAMES.map((name) => sql.ref(name)))} from added
      )
      select log, position, time,
        (
          select coalesce(json_agg(number order by number), '[]') from added having count(*) < cast(${blank.count} as integer)
        ) as numbers,
        (select json_object_agg(uuid, name) from nodes where ${isOneOf(dialect, 'uuid', blank.uuids)}) as names
      from log`;
      return { compile: () => text.compile(db) };
    },
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
  /** Until when others are taken to store events too, by the monotonic clock. */
  let contendedUntil = 0;
  const logId = prepareQuery(() => db.selectFrom('change_logs').select('log').where('kind', '=', 'event'));

  async function readLog(): Promise<string> {
    const [log] = await database.run(logId({}));
    return log!.log;
  }

  /** Stores events on PostgreSQL: by one statement, since each takes a way to the server and back. */
  async function addByOne(events: readonly NewEvent[]): Promise<(StoredEvent | null)[]> {
    const rows = numberRows(events);
    const values = {
      rows: JSON.stringify(rows.filter((row) => row !== null)),
      count: rows.length,
      digests: digestsOf(events),
      uuids: uuidsOf(events),
    };
    if (performance.now() >= contendedUntil) {
      const [added] = await database.run(addAll(values));
      if (added !== undefined) return toAdded(events, rows, added);
      contendedUntil = performance.now() + CONTENDED_TIME;
    }
    // In a statement of its own the lock comes before the view of the next one.
    const added = await db.transaction().execute(async (transaction) => {
      await transaction.executeQuery(logNow({}));
      return (await transaction.executeQuery(addAll(values))).rows[0];
    });
    return toAdded(events, rows, added!);
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
      const added = await (durablyAtOnce === null ? addByOne(events) : durablyAtOnce((run) => addAtOnce(run, events)));
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
      // A cursor must not lead past what a crash of the machine has left.
      await database.onDisk();
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

/** What a statement has added. */
interface Added {
  log: string;
  /** The position of the log before. */
  position: number;
  time: number;
  /** The numbers of the rows that were added; null for all. */
  numbers: readonly number[] | null;
  /** The names of nodes by their UUIDs; null for none. */
  names: Readonly<Record<string, string | null>> | null;
}

/** A row that has its number in place of a position, and nothing that only the database knows. */
type NumberedRow = EventsTable & { within: number | null };

/** Returns the rows of events; null for one that is repeated among them. */
function numberRows(events: readonly NewEvent[]): (NumberedRow | null)[] {
  const digests = new Set<string>();
  return events.map((event, number) => {
    const { digest, repeatedWithin } = event;
    if (digest !== null && digests.size === digests.add(digest).size) return null;
    const row = toEventRow(event, { position: number, time: 0, nodeName: null }) as NumberedRow;
    row.within = repeatedWithin;
    return row;
  });
}

/** Returns for each event what was stored; null for one that was stored before. */
function toAdded(
  events: readonly NewEvent[],
  rows: readonly (NumberedRow | null)[],
  { log, position, time, numbers, names }: Added,
): (StoredEvent | null)[] {
  const added = numbers === null ? null : new Set(numbers);
  let last = Number(position);
  return rows.map((row, number) => {
    if (row === null || added?.has(number) === false) return null;
    row.position = ++last;
    row.time = Number(time);
    row.node_name = names?.[row.node_uuid] ?? null;
    return toNewEvent(row, events[number]!.content, log);
  });
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
