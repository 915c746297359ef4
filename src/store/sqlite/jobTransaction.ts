import type { Kysely } from 'kysely';
import type { Job } from '../../core/job.ts';
import type { JobEnd } from '../../core/jobs/jobStore.ts';
import type { TransactAtOnce } from '../database.ts';
import { type Held, isHeld, type JobWrites, NEXT_REVISION } from '../jobWrites.ts';
import type { NodeLog } from '../nodeLog.ts';
import { prepareQuery } from '../preparedQuery.ts';
import { AFTER_CALL, toJsonColumn, toRevision } from '../rows.ts';
import type { JobRevisionsTable, JobsTable, Tables } from '../schema.ts';

/**
 * The durable steps of a job, each in one transaction. The database is this process's alone, so that the lease of a conductor
 * need not be tested.
 */
export function jobTransaction(
  db: Kysely<Tables>,
  { committed, durably }: { committed: TransactAtOnce; durably: TransactAtOnce },
  log: NodeLog,
): JobWrites {
  const insertJob = prepareQuery((job: NewJob & EndColumns) =>
    db.insertInto('jobs').values({
      id: job.id,
      node_uuid: job.nodeUuid,
      node_name: job.nodeName,
      driver: job.driver,
      method: job.method,
      role: job.role,
      state: job.state,
      create_time: job.createTime,
      end_time: job.end_time,
      result: job.result,
      error: job.error,
      requested_by: job.requestedBy,
      owner: job.owner,
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
  const nameJob = prepareQuery((blank: { nodeUuid: string; fence: number; job: string }) =>
    db
      .updateTable('reservations')
      .set({ job: blank.job })
      .where(({ and }) => and({ node_uuid: blank.nodeUuid, fence: blank.fence, kind: 'call' }))
      .returning('fence'),
  );
  const keepOutcome = prepareQuery((blank: { caller: string; key: string; owner: string; outcome: string }) =>
    db
      .updateTable('idempotency')
      .set({ state: 'done', outcome: blank.outcome })
      .where(({ and }) => and({ caller: blank.caller, key: blank.key, owner: blank.owner }))
      .where('state', '<>', 'done')
      .returning('key'),
  );
  const endRunning = prepareQuery((end: Held & EndColumns) =>
    db
      .updateTable('jobs')
      .set({ state: end.state, end_time: end.end_time, result: end.result, error: end.error })
      .where(isHeld(end))
      .returning(['node_uuid', NEXT_REVISION.as('revision')]),
  );
  const freeNode = prepareQuery((blank: { nodeUuid: string; fence: number }) =>
    db
      .updateTable('reservations')
      .set(AFTER_CALL)
      // A hold that the call ran within has its fence afterwards.
      .where(({ and }) => and({ node_uuid: blank.nodeUuid, fence: blank.fence, kind: 'call' }))
      .returning('wanted'),
  );

  return {
    async acceptJob(job, { owner, fence }, idempotent, outcome) {
      try {
        await log.transactionAtOnce(committed, (run, setLastError) => {
          const { id, nodeUuid } = job;
          run(insertJob({ ...job, createTime: job.createTime.getTime(), owner, ...NO_END }));
          run(insertRevision(toRevision(job)));
          if (nodeUuid !== null) {
            setLastError(nodeUuid, null);
            if (fence !== null && run(nameJob({ nodeUuid, fence, job: id })).length === 0) throw new HoldLost();
          }
          if (idempotent === null) return;
          const { caller, key } = idempotent;
          const kept = run(keepOutcome({ caller, key, owner, outcome: JSON.stringify(outcome) }));
          if (kept.length === 0) throw new HoldLost();
        });
        return true;
      } catch (error) {
        if (error instanceof HoldLost) return false;
        throw error;
      }
    },

    addJob: (job, owner, ended) =>
      log.transactionAtOnce(committed, (run, setLastError) => {
        // Asked when the transaction runs: until now it waited for its turn.
        const end = ended();
        const { nodeUuid } = job;
        const begun = { ...job, createTime: job.createTime.getTime(), owner };
        run(insertJob(end === null ? { ...begun, ...NO_END } : { ...begun, ...toEndColumns(end) }));
        run(insertRevision(toRevision(end === null ? job : { ...end, revision: job.revision + 1 })));
        if (nodeUuid !== null) setLastError(nodeUuid, end === null ? null : end.lastError);
        return end !== null;
      }),

    endJob: (end, { owner, fence }) =>
      log.transactionAtOnce(durably, (run, setLastError) => {
        const { id, lastError } = end;
        const [ended] = run(endRunning({ id, owner, fence: fence ?? 0, ...toEndColumns(end) }));
        if (ended === undefined) return null;
        const { node_uuid: nodeUuid, revision } = ended;
        run(insertRevision(toRevision({ ...end, revision })));
        if (nodeUuid === null) return { revision, freed: null };
        if (lastError !== null) setLastError(nodeUuid, lastError);
        if (fence === null) return { revision, freed: null };
        const [freed] = run(freeNode({ nodeUuid, fence }));
        return { revision, freed: freed?.wanted === 1 ? nodeUuid : null };
      }),
  };
}

type NewJob = Omit<Job, 'createTime' | 'endTime' | 'state' | 'result' | 'error'> & {
  createTime: number;
  owner: string;
};

type EndColumns = Pick<JobsTable, 'state' | 'end_time' | 'result' | 'error'>;

const NO_END: EndColumns = { state: 'running', end_time: null, result: null, error: null };

function toEndColumns({ state, endTime, result, error }: JobEnd): EndColumns {
  return { state, end_time: endTime.getTime(), result: toJsonColumn(result), error: toJsonColumn(error) };
}

/** Rolls back a transaction whose hold is lost. */
class HoldLost extends Error {}
