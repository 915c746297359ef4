import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { Kysely } from 'kysely';
import type { Role } from '../core/caller.ts';
import type { EndPlace, Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { prepareQuery } from './preparedQuery.ts';
import type { Tables } from './schema.ts';

/** Maximum number of transcripts that one statement removes: each may have a megabyte. */
const REMOVED = 20;

/** Maximum number of index entries that one statement steps over. */
const WALK = 10_000;

/** A position after the end of every call. */
const END: EndPlace = { endTime: new Date(8_640_000_000_000_000), id: '' };

const compress = promisify(deflateRaw);
const decompress = promisify(inflateRaw);

/** The part of the store that keeps transcripts, compressed: they repeat themselves. */
export function transcriptStore(database: Database) {
  const db = database.kysely;
  const documentById = prepareQuery((blank: { id: string }) =>
    db.selectFrom('transcripts').select(['role', 'document']).where('id', '=', blank.id),
  );

  /** Returns the position of the `steps`-th transcript of a synchronous call before `from`; null when there are fewer. */
  async function stepBack(from: EndPlace, steps: number): Promise<EndPlace | null> {
    const time = from.endTime.getTime();
    const row = await db
      .selectFrom('transcripts')
      .select(['end_time', 'id'])
      .where('job_id', 'is', null)
      // Implied by the next; lets the scan start in the middle of the index.
      .where('end_time', '<=', time)
      .where((where) => where.or([where('end_time', '<', time), where('id', '<', from.id)]))
      .orderBy('end_time', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(steps - 1)
      .executeTakeFirst();
    return row === undefined ? null : { endTime: new Date(row.end_time), id: row.id };
  }

  return {
    async keepTranscript({ id, ofJob, role, endTime, text }) {
      const document = await compress(text);
      const row = { id, job_id: ofJob ? id : null, role, end_time: endTime.getTime(), document };
      await db.insertInto('transcripts').values(row).returning(database.mayBeLost.as('lost')).execute();
    },

    async getTranscript(id) {
      const [row] = await database.run(documentById({ id }));
      if (row === undefined) return null;
      return { role: row.role as Role, text: (await decompress(row.document)).toString() };
    },

    async transcriptAfterNewest(count) {
      let place: EndPlace | null = END;
      for (let left = count + 1; left > 0 && place !== null; left -= WALK) {
        place = await stepBack(place, Math.min(left, WALK));
        await nextTurn();
      }
      return place;
    },

    async removeTranscripts(place, limit) {
      const time = place.endTime.getTime();
      const old = await db
        .selectFrom('transcripts')
        .select('id')
        .where('job_id', 'is', null)
        // Implied by the next; lets the scan end in the index.
        .where('end_time', '<=', time)
        .where((where) => where.or([where('end_time', '<', time), where('id', '<=', place.id)]))
        .orderBy('end_time')
        .orderBy('id')
        .limit(limit)
        .execute();
      for (let from = 0; from < old.length; from += REMOVED) {
        const ids = old.slice(from, from + REMOVED).map(({ id }) => id);
        await db.deleteFrom('transcripts').where('id', 'in', ids).execute();
        await nextTurn();
      }
      return old.length;
    },
  } satisfies Partial<Store>;
}

/** Removes the transcripts of these jobs, a few at a time. */
export async function removeTranscriptsOf(db: Kysely<Tables>, jobs: readonly string[]): Promise<void> {
  for (let removed = REMOVED; removed === REMOVED; await nextTurn()) {
    const rows = await db
      .deleteFrom('transcripts')
      .where('id', 'in', (some) =>
        some.selectFrom('transcripts as of_job').select('of_job.id').where('of_job.job_id', 'in', jobs).limit(REMOVED),
      )
      .returning('id')
      .execute();
    removed = rows.length;
  }
}
