import { type ExpressionBuilder, sql } from 'kysely';
import type { JobEnd, JobHold } from '../core/jobs/jobStore.ts';
import type { Store } from '../core/store.ts';
import type { Tables } from './schema.ts';

/** The durable steps of a job, which differ between databases. */
export interface JobWrites {
  acceptJob: Store['acceptJob'];
  /** As `Store.addJob`, but the end is durable when `onDisk` resolves. */
  addJob: Store['addJob'];
  /** As `Store.endJob`. */
  endJob(end: JobEnd, hold: JobHold): Promise<EndedJob | null>;
}

interface EndedJob {
  /** The number of the last revision. */
  revision: number;
  /** The node that was freed, if another process waits for it. */
  freed: string | null;
}

/** What a statement tests of a hold on a job. */
export interface Held {
  /** The job. */
  id: string;
  /** The conductor that accepted it. */
  owner: string;
  /** The fence of its reservation; 0, which is never a fence, for a job without one. */
  fence: number;
}

/** Matches the job while it runs and the hold is valid. */
export function isHeld(hold: Held) {
  return (where: ExpressionBuilder<Tables, 'jobs'>) =>
    where.and([
      where.and({ 'jobs.id': hold.id, 'jobs.state': 'running', 'jobs.owner': hold.owner }),
      where.or([
        where(sql<number>`cast(${hold.fence} as bigint)`, '=', 0),
        where.exists(
          where
            .selectFrom('reservations')
            .select('reservations.fence')
            .whereRef('reservations.node_uuid', '=', 'jobs.node_uuid')
            .where(({ and }) => and({ 'reservations.fence': hold.fence, 'reservations.kind': 'call' })),
        ),
      ]),
    ]);
}

/** The number of the job's next revision. */
export const NEXT_REVISION = sql<number>`(select max(newer.revision) + 1 from job_revisions as newer where newer.job_id = jobs.id)`;
