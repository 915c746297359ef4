import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import type { EndPlace, Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import { removeTranscriptsOf } from './transcripts.ts';

// SQLite runs a statement on the event loop, and everything else waits for it. So each statement here touches a bounded
// number of rows (about 10 ms), however many jobs there are and however many revisions they have.

/** Maximum number of index entries that one statement steps over, and of revisions that one removes. */
const WALK = 10_000;
const REVISIONS = 2000;

/** A position before the end of every job. */
const START: EndPlace = { endTime: new Date(0), id: '' };

/** The number of ended jobs of a database that is not shared. Jobs that end during the first count may distort it by a few. */
export class EndedJobs {
  #count: number | null = null;
  #change = 0;

  /** Records that jobs have ended (positive) or that ended jobs were removed (negative). */
  add(jobs: number): void {
    this.#change += jobs;
  }

  async total(count: () => Promise<number>): Promise<number> {
    if (this.#count === null) {
      this.#change = 0;
      this.#count = await count();
    }
    return this.#count + this.#change;
  }

  /** Makes the next call of `total` count again. */
  reset(): void {
    this.#count = null;
  }
}

/** The part of the store that removes ended jobs. */
export function jobRetention(database: Database, ended: EndedJobs) {
  const db = database.kysely;

  /** Selects the jobs that ended after a position. */
  const afterPlace = (blank: { time: number; id: string }) =>
    db
      .selectFrom('jobs')
      // Implied by the next; lets the scan start in the middle of the index.
      .where('end_time', '>=', blank.time)
      .where((where) => where.or([where('end_time', '>', blank.time), where('id', '>', blank.id)]));
  const stepFrom = prepareQuery((blank: { time: number; id: string; steps: number }) =>
    afterPlace(blank)
      .select(['id', (column) => column.ref('end_time').$notNull().as('end_time')])
      .orderBy('end_time')
      .orderBy('id')
      .limit(1)
      .offset(blank.steps),
  );
  const countFrom = prepareQuery((blank: { time: number; id: string }) =>
    afterPlace(blank).select(({ fn }) => fn.countAll<number>().as('jobs')),
  );
  const stepFromNewest = prepareQuery((blank: { steps: number }) =>
    db
      .selectFrom('jobs')
      .select(['id', (column) => column.ref('end_time').$notNull().as('end_time')])
      .where('end_time', 'is not', null)
      .orderBy('end_time', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(blank.steps),
  );

  /** Returns the position of the `steps`-th ended job after `from`; null when there are fewer. */
  async function step(from: EndPlace, steps: number): Promise<EndPlace | null> {
    const [row] = await database.run(stepFrom({ time: from.endTime.getTime(), id: from.id, steps: steps - 1 }));
    return row === undefined ? null : { endTime: new Date(row.end_time), id: row.id };
  }

  async function countAll(): Promise<number> {
    let place = START;
    for (let jobs = 0; ; jobs += WALK) {
      const next = await step(place, WALK);
      if (next === null) {
        const [rest] = await database.run(countFrom({ time: place.endTime.getTime(), id: place.id }));
        return jobs + Number(rest?.jobs ?? 0);
      }
      place = next;
      await nextTurn();
    }
  }

  return {
    async placeAfterNewest(count) {
      if (database.shared) {
        // An index-only scan in the server's process.
        const [row] = await database.run(stepFromNewest({ steps: count }));
        return row === undefined ? null : { endTime: new Date(row.end_time), id: row.id };
      }
      let surplus = (await ended.total(countAll)) - count;
      if (surplus <= 0) return null;
      let place = START;
      for (; surplus > 0; surplus -= WALK) {
        const next = await step(place, Math.min(surplus, WALK));
        if (next === null) {
          ended.reset();
          return null;
        }
        place = next;
        await nextTurn();
      }
      return place;
    },

    async newestTime() {
      const calls = db.selectFrom('idempotency').select(({ fn }) => fn.max<number | null>('create_time').as('time'));
      const jobs = db.selectFrom('jobs').select(({ fn }) => fn.max<number | null>('end_time').as('time'));
      const times = (await calls.unionAll(jobs).execute()).map(({ time }) => Number(time ?? 0));
      const newest = Math.max(...times);
      return newest === 0 ? null : new Date(newest);
    },

    async time() {
      const { rows } = await sql<{ time: number }>`select ${database.now} as time`.execute(db);
      return Number(rows[0]!.time);
    },

    async removeEndedJobs(place, limit) {
      const time = place.endTime.getTime();
      const old = await db
        .selectFrom('jobs')
        .select('id')
        // Implied by the next; lets the scan end in the index.
        .where('end_time', '<=', time)
        .where((where) => where.or([where('end_time', '<', time), where('id', '<=', place.id)]))
        .orderBy('end_time')
        .orderBy('id')
        .limit(limit)
        .execute();
      if (old.length === 0) return 0;
      const ids = old.map(({ id }) => id);
      await removeTranscriptsOf(db, ids);
      // The last revision is removed with the job, which could not be read without it.
      for (let removed = REVISIONS; removed === REVISIONS; await nextTurn()) {
        const rows = await db
          .deleteFrom('job_revisions')
          .where((row) =>
            row(
              row.refTuple('job_id', 'revision'),
              'in',
              row
                .selectFrom('job_revisions as old')
                .select(['old.job_id', 'old.revision'])
                .where('old.job_id', 'in', ids)
                .where('old.state', '=', 'running')
                .limit(REVISIONS)
                .$asTuple('job_id', 'revision'),
            ),
          )
          .returning(sql`1`.as('removed'))
          .execute();
        removed = rows.length;
      }
      const removed = await db.deleteFrom('jobs').where('id', 'in', ids).returning('id').execute();
      ended.add(-removed.length);
      return removed.length;
    },
  } satisfies Partial<Store>;
}
