import { isTerminal, type Job } from '../core/job.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { selectJobs } from './jobs.ts';
import { FREE } from './reservations.ts';
import { toJob, toJsonColumn, toProgressColumns } from './rows.ts';

/**
 * The part of the store that ends what an earlier process left, in one transaction. It asks no row for its owner: at
 * this time nothing is the present process's own, even when that calls itself as the earlier one did.
 */
export function recoveryStore(database: Database): Pick<Store, 'recover'> {
  return {
    async recover({ now, error, lastError, unknown }) {
      return await database.kysely.transaction().execute(async (db) => {
        // In the order of acceptance, so that of several jobs of one node the newest leaves its last_error.
        const running = await selectJobs(db).where('jobs.state', '=', 'running').orderBy('jobs.id').execute();
        const failed: Job[] = [];
        for (const row of running) {
          const last = toJob(row);
          if (isTerminal(last)) continue;
          const job: Job = { ...last, state: 'failed', revision: last.revision + 1, endTime: now, error };
          await db
            .updateTable('jobs')
            .set({ state: job.state, end_time: now.getTime(), error: toJsonColumn(error) })
            .where('id', '=', job.id)
            .execute();
          await db
            .insertInto('job_revisions')
            .values({ job_id: job.id, revision: job.revision, state: job.state, ...toProgressColumns(job.progress) })
            .execute();
          if (job.nodeUuid !== null) {
            await db
              .updateTable('nodes')
              .set({ last_error: lastError(job) })
              .where('uuid', '=', job.nodeUuid)
              .execute();
          }
          failed.push(job);
        }
        await db.updateTable('reservations').set(FREE).where('kind', '=', 'call').execute();
        await db
          .updateTable('idempotency')
          .set({ state: 'done', outcome: JSON.stringify(unknown) })
          .where('state', '=', 'accepted')
          .execute();
        await db.deleteFrom('idempotency').where('state', '=', 'waiting').execute();
        return failed;
      });
    },
  };
}
