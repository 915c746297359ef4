import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { type StoredEvent, severityRank } from '../../core/events/event.ts';
import { selects } from '../../core/events/eventFilter.ts';
import type { EventPage, EventQuery } from '../../core/events/eventStore.ts';
import { countFitting } from '../../core/page.ts';
import type { Store } from '../../core/store.ts';
import type { Database } from '../database.ts';
import { prepareQuery } from '../preparedQuery.ts';
import { isOneOf, SHOWN_COLUMNS, toEvent } from './eventRows.ts';

// SQLite runs a statement on the event loop, and everything else waits for it. So each statement here looks at a bounded
// number of rows. What a filter selects is found by the index that is likely to skip most, and then looked at one by one.

/**
 * Rows that one statement looks at, and statements of one page: then it ends early, and the next goes on. So a page costs little
 * also where no index helps, as by an origin alone; an index of origins would cost each event that is stored.
 */
const STEP = 1000;
const MOST_STEPS = 20;

/** The number of values of a filter up to which each is looked up in the index. */
const FEW = 8;

/** A position above all. */
const END = Number.MAX_SAFE_INTEGER;

interface Range {
  /** Both exclusive. */
  after: number;
  before: number;
}

/** The columns that a filter looks at. */
interface Candidate {
  position: number;
  time: number;
  node_uuid: string;
  severity: number;
  registry_key: string;
  message_key: string;
  origin: string;
  bytes: number;
  raw_bytes: number;
}

/** Returns the newest candidates within a range, at most `STEP`. */
type Source = (range: Range) => Promise<Candidate[]>;

/** The part of the store that lists events. */
export function eventList(database: Database, readLog: () => Promise<string>) {
  const db = database.kysely;
  const inRange = (blank: Range) =>
    db
      .selectFrom('events')
      .select([
        'position',
        'time',
        'node_uuid',
        'severity',
        'registry_key',
        'message_key',
        'origin',
        'bytes',
        'raw_bytes',
      ])
      .where('position', '>', blank.after)
      .where('position', '<', blank.before)
      .orderBy('position', 'desc')
      .limit(sql.lit(STEP));
  const newest = prepareQuery(inRange);
  // The conditions of partial indexes, word for word.
  const atLeast = {
    2: prepareQuery((blank: Range) => inRange(blank).where(sql<boolean>`severity >= 2`)),
    3: prepareQuery((blank: Range) => inRange(blank).where(sql<boolean>`severity >= 3`)),
  };
  const byKey = {
    node_uuid: prepareQuery((blank: Range & { key: string }) => inRange(blank).where('node_uuid', '=', blank.key)),
    registry_key: prepareQuery((blank: Range & { key: string }) =>
      inRange(blank).where('registry_key', '=', blank.key),
    ),
    message_key: prepareQuery((blank: Range & { key: string }) => inRange(blank).where('message_key', '=', blank.key)),
  };
  const firstSince = prepareQuery((blank: { time: number }) =>
    db
      .selectFrom('events')
      .select('position')
      .where('time', '>=', blank.time)
      .orderBy('time')
      .orderBy('position')
      .limit(1),
  );
  const lastUntil = prepareQuery((blank: { time: number }) =>
    db
      .selectFrom('events')
      .select('position')
      .where('time', '<', blank.time)
      .orderBy('time', 'desc')
      .orderBy('position', 'desc')
      .limit(1),
  );

  /** Returns the sources that together have every event that the filter selects. */
  function sourcesOf({ nodes, messages, minSeverity }: EventQuery): Source[] {
    const keyed = (column: keyof typeof byKey, key: string): Source => {
      return ({ after, before }) => database.run(byKey[column]({ after, before, key }));
    };
    if (nodes !== null && nodes.size <= FEW) return [...nodes].map((uuid) => keyed('node_uuid', uuid));
    const rank = severityRank(minSeverity);
    if (rank === 3) return [(range) => database.run(atLeast[3]({ ...range }))];
    if (messages !== null && messages.length <= FEW) {
      return messages.flatMap((pattern) => {
        if (pattern.kind === 'message') return [keyed('message_key', pattern.message)];
        if (pattern.kind === 'registry') return [keyed('registry_key', pattern.registry)];
        return [keyed('message_key', pattern.key), keyed('registry_key', pattern.key)];
      });
    }
    if (rank === 2) return [(range) => database.run(atLeast[2]({ ...range }))];
    return [(range) => database.run(newest({ ...range }))];
  }

  /** Returns the positions between which all events of the query's times are; null when there are none. */
  async function rangeOf({ since, until, before }: EventQuery): Promise<Range | null> {
    const range = { after: 0, before: before ?? END };
    if (since !== null) {
      const [first] = await database.run(firstSince({ time: since.getTime() }));
      if (first === undefined) return null;
      range.after = first.position - 1;
    }
    if (until !== null) {
      const [last] = await database.run(lastUntil({ time: until.getTime() }));
      if (last === undefined) return null;
      range.before = Math.min(range.before, last.position + 1);
    }
    return range;
  }

  async function read(positions: readonly number[], withRaw: boolean): Promise<StoredEvent[]> {
    const log = await readLog();
    const list = database.dialect === 'sqlite' ? JSON.stringify(positions) : positions;
    const rows = await db
      .selectFrom('events')
      .select([...SHOWN_COLUMNS])
      .$if(withRaw, (query) => query.select('raw'))
      .where(isOneOf(database.dialect, 'position', list, 'bigint'))
      .orderBy('position', 'desc')
      .execute();
    return rows.map((row) => toEvent(row, log));
  }

  return {
    async listEvents(query) {
      const range = await rangeOf(query);
      if (range === null) return { events: [], next: null };
      const sources = sourcesOf(query);
      const { limit, withRaw } = query;
      const found: Candidate[] = [];
      let next: number | null = null;
      for (let step = 0; found.length <= limit; step++) {
        const { candidates, end } = await newestOf(sources, range);
        found.push(...candidates.filter((candidate) => isSelected(query, candidate)));
        if (end === null) break;
        range.before = end;
        if (step === MOST_STEPS) {
          next = end;
          break;
        }
        await nextTurn();
      }
      const sizes = found.slice(0, limit).map(({ bytes, raw_bytes: raw }) => (withRaw ? bytes + raw : bytes));
      const page = found.slice(0, countFitting(sizes)).map(({ position }) => position);
      if (page.length < found.length) next = page.at(-1)!;
      return { events: page.length === 0 ? [] : await read(page, withRaw), next } satisfies EventPage;
    },
  } satisfies Partial<Store>;
}

/** Returns the newest candidates of all sources, and the position below which there may be more; null when there are none. */
async function newestOf(
  sources: readonly Source[],
  range: Range,
): Promise<{ candidates: Candidate[]; end: number | null }> {
  const found = new Map<number, Candidate>();
  let end: number | null = null;
  for (const source of sources) {
    const candidates = await source(range);
    for (const candidate of candidates) found.set(candidate.position, candidate);
    // Others of this source are below.
    if (candidates.length === STEP) end = Math.max(end ?? 0, candidates.at(-1)!.position);
  }
  const all = [...found.values()].sort((a, b) => b.position - a.position);
  return { candidates: end === null ? all : all.filter(({ position }) => position >= (end ?? 0)), end };
}

function isSelected(query: EventQuery, candidate: Candidate): boolean {
  const { since, until } = query;
  const { time, node_uuid: nodeUuid, severity, registry_key: registry, message_key: message, origin } = candidate;
  return (
    (since === null || time >= since.getTime()) &&
    (until === null || time < until.getTime()) &&
    selects(query, { nodeUuid, severity, registry, message, origin })
  );
}
