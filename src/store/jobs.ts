import { type Kysely, sql } from 'kysely';
import type { Job } from '../core/job.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { keepOutcome } from './idempotency.ts';
import { prepareQuery } from './preparedQuery.ts';
import { FREE } from './reservations.ts';
import { jobColumns, toJob, toJsonColumn, toProgressColumns } from './rows.ts';
import type { JobRevisionsTable, JobsTable, Tables } from './schema.ts';

type JobStore = Pick<Store, 'acceptJob' | 'recordProgress' | 'endJob' | 'getJob' | 'listJobs' | 'listRevisions'>;

/** The part of the store that keeps jobs. Their beginning and end are durable, progress is not. */
export function jobStore(database: Database): JobStore {
  const db = database.kysely;
  const jobById = prepareQuery((job: { id: string }) => selectJobs(db).where('jobs.id', '=', job.id));

  // One statement, so that progress needs no transaction, which would be durable. Told twice it is kept once.
  const insertProgress = prepareQuery((blank: Omit<JobRevisionsTable, 'state'>) =>
    db
      .insertInto('job_revisions')
      .columns(['job_id', 'revision', 'state', 'fraction', 'message'])
      .expression((from) =>
        from
          .selectFrom('jobs')
          .select([
            'jobs.id',
            sql<number>`cast(${blank.revision} as integer)`.as('revision'),
            'jobs.state',
            sql<number | null>`cast(${blank.fraction} as double precision)`.as('fraction'),
            sql<string | null>`cast(${blank.message} as text)`.as('message'),
          ])
          .where('jobs.id', '=', blank.job_id)
          .where('jobs.state', '=', 'running')
          // Else it could come after an end that is being written at the same time.
          .modifyEnd(database.holdingRows),
      )
      .onConflict((conflict) => conflict.columns(['job_id', 'revision']).doNothing())
      .returning(database.mayBeLost.as('lost')),
  );

  // What every job is stored with. Building these each time costs more than SQLite does.
  const insertJob = prepareQuery((job: Omit<JobsTable, 'end_time' | 'result' | 'error'>) =>
    db.insertInto('jobs').values({
      id: job.id,
      node_uuid: job.node_uuid,
      node_name: job.node_name,
      driver: job.driver,
      method: job.method,
      state: job.state,
      create_time: job.create_time,
      requested_by: job.requested_by,
    }),
  );
  const insertRevision = prepareQuery((revision: JobRevisionsTable) =>
    db.insertInto('job_revisions').values({
      job_id: revision.job_id,
      revision: revision.revision,
      state: revision.state,
      fraction: revision.fraction,
      message: revision.message,
    }),
  );
  const setLastError = prepareQuery((node: { uuid: string; last_error: string | null }) =>
    db.updateTable('nodes').set({ last_error: node.last_error }).where('uuid', '=', node.uuid),
  );
  const nameJob = prepareQuery((reservation: { node_uuid: string; fence: number; job: string }) =>
    db
      .updateTable('reservations')
      .set({ job: reservation.job })
      .where('node_uuid', '=', reservation.node_uuid)
      .where('fence', '=', reservation.fence)
      .where('kind', 'is not', null),
  );
  const endRunning = prepareQuery((job: Pick<JobsTable, 'id' | 'state' | 'end_time' | 'result' | 'error'>) =>
    db
      .updateTable('jobs')
      .set({ state: job.state, end_time: job.end_time, result: job.result, error: job.error })
      .where('id', '=', job.id)
      .where('state', '=', 'running')
      .returning('id'),
  );
  const freeNode = prepareQuery((reservation: { node_uuid: string; fence: number }) =>
    db
      .updateTable('reservations')
      .set(FREE)
      .where('node_uuid', '=', reservation.node_uuid)
      .where('fence', '=', reservation.fence),
  );

  return {
    async acceptJob(job, fence, idempotent, outcome) {
      await db.transaction().execute(async (transaction) => {
        await transaction.executeQuery(
          insertJob({
            id: job.id,
            node_uuid: job.nodeUuid,
            node_name: job.nodeName,
            driver: job.driver,
            method: job.method,
            state: job.state,
            create_time: job.createTime.getTime(),
            requested_by: job.requestedBy,
          }),
        );
        await transaction.executeQuery(insertRevision(toRevision(job)));
        if (job.nodeUuid !== null) {
          await transaction.executeQuery(setLastError({ uuid: job.nodeUuid, last_error: null }));
          if (fence !== null) {
            await transaction.executeQuery(nameJob({ node_uuid: job.nodeUuid, fence, job: job.id }));
          }
        }
        if (idempotent !== null) await keepOutcome(transaction, idempotent, outcome);
      });
    },

    async recordProgress(id, revision, progress) {
      await database.run(
        insertProgress({ job_id: id, revision, fraction: progress.fraction, message: progress.message }),
      );
    },

    async endJob(end) {
      await db.transaction().execute(async (transaction) => {
        const ended = await transaction.executeQuery(
          endRunning({
            id: end.id,
            state: end.state,
            end_time: end.endTime.getTime(),
            result: toJsonColumn(end.result),
            error: toJsonColumn(end.error),
          }),
        );
        if (ended.rows.length === 0) return;
        await transaction.executeQuery(insertRevision(toRevision(end)));
        if (end.lastError !== null) {
          const { nodeUuid, text } = end.lastError;
          await transaction.executeQuery(setLastError({ uuid: nodeUuid, last_error: text }));
        }
        if (end.release !== null) {
          const { nodeUuid, fence } = end.release;
          await transaction.executeQuery(freeNode({ node_uuid: nodeUuid, fence }));
        }
      });
    },

    async getJob(id) {
      const rows = await database.run(jobById({ id }));
      return rows[0] === undefined ? null : toJob(rows[0]);
    },

    async listJobs(query) {
      let page = selectJobs(db).orderBy('jobs.id', 'desc').limit(query.limit);
      if (query.olderThan !== null) page = page.where('jobs.id', '<', query.olderThan);
      if (query.nodeUuid !== undefined) page = page.where('jobs.node_uuid', '=', query.nodeUuid);
      if (query.driver !== undefined) page = page.where('jobs.driver', '=', query.driver);
      if (query.state !== undefined) page = page.where('jobs.state', '=', query.state);
      return (await page.execute()).map(toJob);
    },

    async listRevisions(id, after) {
      // The result once: with each of a thousand revisions a long one would fill the memory.
      const result = sql<string | null>`case when job_revisions.state = 'running' then null else jobs.result end`;
      const rows = await db
        .selectFrom('jobs')
        .innerJoin('job_revisions', 'job_revisions.job_id', 'jobs.id')
        .select([...jobColumns.filter((column) => column !== 'jobs.result'), result.as('result')])
        .where('jobs.id', '=', id)
        .where('job_revisions.revision', '>', after)
        .orderBy('job_revisions.revision')
        .execute();
      return rows.map(toJob);
    },
  };
}

function toRevision(job: Pick<Job, 'id' | 'revision' | 'state' | 'progress'>): JobRevisionsTable {
  return { job_id: job.id, revision: job.revision, state: job.state, ...toProgressColumns(job.progress) };
}

/** All jobs as they are now, as `JobRow`. */
export function selectJobs(db: Kysely<Tables>) {
  return db
    .selectFrom('jobs')
    .innerJoin('job_revisions', (join) =>
      join.onRef('job_revisions.job_id', '=', 'jobs.id').on('job_revisions.revision', '=', (newest) =>
        newest
          .selectFrom('job_revisions as newer')
          .select((column) => column.fn.max('newer.revision').as('revision'))
          .whereRef('newer.job_id', '=', 'jobs.id'),
      ),
    )
    .select([...jobColumns]);
}
