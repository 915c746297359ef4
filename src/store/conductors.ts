import { type ExpressionBuilder, type Kysely, type RawBuilder, sql } from 'kysely';
import { isTerminal, type Job } from '../core/job.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { selectJobs } from './jobs.ts';
import { FREE } from './reservations.ts';
import { toJob, toJsonColumn, toProgressColumns } from './rows.ts';
import type { Tables } from './schema.ts';

type ConductorStore = Pick<Store, 'addConductor' | 'renewConductor' | 'removeConductor' | 'listHosts' | 'reap'>;

/** When a lease that is never renewed runs out. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The part of the store that keeps the leases of processes, and ends what lost ones have left. */
export function conductorStore(database: Database): ConductorStore {
  const db = database.kysely;
  const { now } = database;

  return {
    async addConductor({ id, host, lease, grace }) {
      const expires_at = lease === null ? NEVER : sql<number>`${now} + cast(${lease} as bigint)`;
      await db.insertInto('conductors').values({ id, host, lease, grace, expires_at }).execute();
    },

    async renewConductor(id) {
      const renewed = await db
        .updateTable('conductors')
        .set({ expires_at: sql<number>`${now} + lease` })
        .where('id', '=', id)
        .where('expires_at', '>', now)
        .returning('id')
        .execute();
      return renewed.length > 0;
    },

    async removeConductor(id) {
      await db
        .updateTable('conductors')
        .set({ expires_at: now })
        .where('id', '=', id)
        .where('expires_at', '>', now)
        .execute();
    },

    async listHosts() {
      const rows = await db
        .selectFrom('conductors')
        .select('host')
        .distinct()
        .where('expires_at', '>', now)
        .orderBy('host')
        .execute();
      return rows.map(({ host }) => host);
    },

    async reap({ all, now: endTime, error, lastError, unknown }) {
      if (!all) {
        // Most times nobody is lost, and nothing is locked or written to find that out.
        const lost = await db.selectFrom('conductors').select('id').where(isDue(now)).limit(1).execute();
        if (lost.length === 0) return { failed: [], freed: [] };
      }
      const reaped = await db.transaction().execute(async (transaction) => {
        if (all) await transaction.updateTable('conductors').set({ expires_at: 0, grace: 0 }).execute();
        const lost = await transaction
          .selectFrom('conductors')
          .select(['id', sql<number>`case when expires_at + grace <= ${now} then 1 else 0 end`.as('over')])
          .where(isDue(now))
          .orderBy('id')
          // Not those in whose name a transaction is still open, such as that of a process that was stopped in the middle
          // of it: what it leaves would never be seen. They come when it has ended.
          .modifyEnd(database.untouchedRows)
          .execute();
        if (lost.length === 0) return { failed: [], freed: [] };
        const owners = lost.map(({ id }) => id);
        const failed = await failJobs(transaction, owners, (job) => ({
          job: { ...job, state: 'failed', revision: job.revision + 1, endTime, error },
          lastError: lastError({ ...job, state: 'failed' }),
        }));
        await endIdempotent(transaction, owners, JSON.stringify(unknown));
        await transaction.updateTable('conductors').set({ lease: null }).where('id', 'in', owners).execute();
        const over = lost.filter((conductor) => conductor.over === 1).map(({ id }) => id);
        return { failed, freed: over.length === 0 ? [] : await free(transaction, over) };
      });
      for (const { id, revision } of reaped.failed) database.announce({ kind: 'job_changed', id, revision });
      for (const nodeUuid of reaped.freed) database.announce({ kind: 'node_freed', nodeUuid });
      return reaped;
    },
  };
}

/**
 * Whether there is something to end for a conductor: its lease has run out and nobody has looked since, or its grace is
 * over too. Not in between, since that scans all idempotency keys.
 */
function isDue(now: RawBuilder<number>) {
  return (row: ExpressionBuilder<Tables, 'conductors'>) =>
    row.or([
      row.and([row('expires_at', '<=', now), row('lease', 'is not', null)]),
      row(sql<number>`expires_at + grace`, '<=', now),
    ]);
}

async function failJobs(
  db: Kysely<Tables>,
  owners: string[],
  fail: (job: Job) => { job: Job; lastError: string },
): Promise<Job[]> {
  // In the order of acceptance, so that of several jobs of one node the newest leaves its last_error; and so that two
  // processes that do this at once do not lock each other out.
  const rows = await selectJobs(db)
    .where('jobs.state', '=', 'running')
    .where('jobs.owner', 'in', owners)
    .orderBy('jobs.id')
    .execute();
  const failed: Job[] = [];
  for (const row of rows) {
    const last = toJob(row);
    if (isTerminal(last)) continue;
    const { job, lastError } = fail(last);
    const ended = await db
      .updateTable('jobs')
      .set({ state: job.state, end_time: job.endTime?.getTime() ?? null, error: toJsonColumn(job.error) })
      .where('id', '=', job.id)
      .where('state', '=', 'running')
      .returning('id')
      .execute();
    // Another process was quicker.
    if (ended.length === 0) continue;
    await db
      .insertInto('job_revisions')
      .values({ job_id: job.id, revision: job.revision, state: job.state, ...toProgressColumns(job.progress) })
      .execute();
    if (job.nodeUuid !== null) {
      await db.updateTable('nodes').set({ last_error: lastError }).where('uuid', '=', job.nodeUuid).execute();
    }
    failed.push(job);
  }
  return failed;
}

async function endIdempotent(db: Kysely<Tables>, owners: string[], unknown: string): Promise<void> {
  await db
    .updateTable('idempotency')
    .set({ state: 'done', outcome: unknown })
    .where('state', '=', 'accepted')
    .where('owner', 'in', owners)
    .execute();
  await db.deleteFrom('idempotency').where('state', '=', 'waiting').where('owner', 'in', owners).execute();
}

/** Frees the nodes of conductors whose grace is over, and forgets these. */
async function free(db: Kysely<Tables>, owners: string[]): Promise<string[]> {
  const freed = await db
    .updateTable('reservations')
    .set(FREE)
    .where('kind', '=', 'call')
    .where('owner', 'in', owners)
    .returning('node_uuid')
    .execute();
  await db.deleteFrom('conductors').where('id', 'in', owners).execute();
  return freed.map((row) => row.node_uuid);
}
