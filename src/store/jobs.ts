import { sql } from 'kysely';
import type { Progress } from '../core/job.ts';
import type { JobQuery } from '../core/jobs/jobStore.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import type { EndedJobs } from './jobRetention.ts';
import { type Held, isHeld, NEXT_REVISION } from './jobWrites.ts';
import type { NodeLog } from './nodeLog.ts';
import { jobStatement } from './postgres/jobStatement.ts';
import { prepareQuery, ShapedQuery } from './preparedQuery.ts';
import { fits, type JobRow, jobColumns, octets, selectJobs, toJob } from './rows.ts';
import { jobTransaction } from './sqlite/jobTransaction.ts';

/** Maximum number of ids in one query; databases limit the number of parameters. */
const IDS_PER_QUERY = 1000;

/** The part of the store that keeps jobs. Their end is durable, their beginning when `onDisk` resolves, progress is not. */
export function jobStore(database: Database, endedJobs: EndedJobs, log: NodeLog) {
  const db = database.kysely;
  const { committedAtOnce: committed, durablyAtOnce: durably } = database;
  const writes =
    committed === null || durably === null ? jobStatement(database) : jobTransaction(db, { committed, durably }, log);
  const jobById = prepareQuery((job: { id: string }) => selectJobs(db).where('jobs.id', '=', job.id));

  // One statement, so that progress needs no transaction, which would be durable.
  const insertProgress = prepareQuery((blank: Held & Progress) =>
    db
      .insertInto('job_revisions')
      .columns(['job_id', 'revision', 'state', 'fraction', 'message'])
      .expression((from) =>
        from
          .selectFrom('jobs')
          .select([
            'jobs.id',
            NEXT_REVISION.as('revision'),
            'jobs.state',
            sql<number | null>`cast(${blank.fraction} as double precision)`.as('fraction'),
            sql<string | null>`cast(${blank.message} as text)`.as('message'),
          ])
          .where(isHeld(blank))
          // Otherwise it could follow an end that is written concurrently.
          .modifyEnd(database.holdingRows),
      )
      .onConflict((conflict) => conflict.columns(['job_id', 'revision']).doNothing())
      .returning(['revision', database.mayBeLost.as('lost')]),
  );

  const pageOfJobs = ({ olderThan, nodeUuid, driver, state, limit }: JobQuery) => {
    const page = db
      .selectFrom('jobs as listed')
      .where(({ and }) => and({ node_uuid: nodeUuid, driver, state }))
      .orderBy('listed.id', 'desc')
      .limit(limit);
    return olderThan === null ? page : page.where('listed.id', '<', olderThan);
  };

  const sizesOfJobs = (query: JobQuery) =>
    pageOfJobs(query).select(octets(['listed.result', 'listed.error']).as('size'));

  const listedJobs = new ShapedQuery<JobQuery, JobRow>(['limit', 'within', 'state']);
  const shapeOf = ({ olderThan, nodeUuid, driver, state, within }: JobQuery) =>
    [olderThan, nodeUuid, driver, state, within].map((value) => (value == null ? '-' : '=')).join('');

  const runningJobs = (conductor: string) =>
    db.selectFrom('jobs').where(({ and }) => and({ state: 'running', owner: conductor }));

  return {
    acceptJob: writes.acceptJob,

    async addJob(job, owner, ended) {
      if (!(await writes.addJob(job, owner, ended))) return false;
      endedJobs.add(1);
      await database.onDisk();
      return true;
    },

    onDisk: () => database.onDisk(),

    async recordProgress(id, { owner, fence }, progress) {
      const [stored] = await database.run(insertProgress({ ...progress, id, owner, fence: fence ?? 0 }));
      if (stored === undefined) return null;
      database.announce({ kind: 'job_changed', id, revision: stored.revision });
      return stored.revision;
    },

    async endJob(end, hold) {
      const ended = await writes.endJob(end, hold);
      if (ended === null) return null;
      endedJobs.add(1);
      database.announce({ kind: 'job_changed', id: end.id, revision: ended.revision });
      if (ended.freed !== null) database.announce({ kind: 'node_freed', nodeUuid: ended.freed });
      return ended.revision;
    },

    async requestCancel(id, requestedBy) {
      await db
        .updateTable('jobs')
        .set({ cancel_requested_by: requestedBy })
        .where(({ and }) => and({ id, state: 'running' }))
        .execute();
      database.announce({ kind: 'cancel_requested', id });
    },

    async listRunningJobs(conductor) {
      const rows = await runningJobs(conductor).select('id').execute();
      return rows.map(({ id }) => id);
    },

    async listCancelRequests(conductor) {
      const rows = await runningJobs(conductor)
        .select(['id', 'cancel_requested_by'])
        .where('cancel_requested_by', 'is not', null)
        .execute();
      return rows.map((row) => ({ id: row.id, requestedBy: row.cancel_requested_by ?? '' }));
    },

    async getJob(id) {
      const rows = await database.run(jobById({ id }));
      // What is told of a job must not be otherwise after a crash of the machine.
      await database.onDisk();
      return rows[0] === undefined ? null : toJob(rows[0]);
    },

    async listJobs(query) {
      const build = (blanks: JobQuery) => {
        let page = pageOfJobs(blanks).select('listed.id');
        if (blanks.within !== undefined) page = page.where(fits([sizesOfJobs(blanks)], blanks.within));
        // Selects the page first: PostgreSQL assumes that few jobs have a newest revision, and with a limit on the join it would
        // join thousands of jobs.
        return selectJobs(db).where('jobs.id', 'in', page).orderBy('jobs.id', 'desc');
      };
      // The best plan depends on how many jobs a node or driver has.
      const named = query.nodeUuid === undefined && query.driver === undefined;
      const listed = listedJobs.compile(shapeOf(query), query, build, named);
      return (await database.run(listed)).map(toJob);
    },

    async sizeJobs(query) {
      const rows = await sizesOfJobs(query).execute();
      return rows.map((row) => Number(row.size));
    },

    async listRevisions(id, after) {
      // Returns the result only once: with each of a thousand revisions a long one would fill the memory.
      const result = sql<string | null>`case when job_revisions.state = 'running' then null else jobs.result end`;
      const rows = await db
        .selectFrom('jobs')
        .innerJoin('job_revisions', 'job_revisions.job_id', 'jobs.id')
        .select([...jobColumns.filter((column) => column !== 'jobs.result'), result.as('result')])
        .where('jobs.id', '=', id)
        .where('job_revisions.revision', '>', after)
        .orderBy('job_revisions.revision')
        .execute();
      await database.onDisk();
      return rows.map(toJob);
    },

    async scanJobs({ after, limit, nodeUuids, driver, state, requestedBy }) {
      const size = octets(['listed.result', 'listed.error']);
      const scan = db
        .selectFrom('jobs as listed')
        .select(['listed.id as key', size.as('size')])
        .where('listed.id', '>', after)
        .where(({ and }) => and({ driver, state, requested_by: requestedBy }))
        .orderBy('listed.id')
        .limit(limit);
      const rows = await (nodeUuids === undefined ? scan : scan.where('node_uuid', 'in', nodeUuids)).execute();
      return rows.map(({ key, size }) => ({ key, place: key, size: Number(size) }));
    },

    async jobsById(ids) {
      if (ids.length === 0) return [];
      const rows = await selectJobs(db).where('jobs.id', 'in', ids).orderBy('jobs.id').execute();
      return rows.map(toJob);
    },

    async newestRevisions(ids) {
      const newest = new Map<string, number>();
      for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
        const rows = await db
          .selectFrom('job_revisions')
          .select(['job_id', ({ fn }) => fn.max('revision').as('revision')])
          .where('job_id', 'in', ids.slice(from, from + IDS_PER_QUERY))
          .groupBy('job_id')
          .execute();
        for (const row of rows) newest.set(row.job_id, row.revision);
      }
      return newest;
    },
  } satisfies Partial<Store>;
}
