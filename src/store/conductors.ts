import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { isTerminal, type Job } from '../core/job.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import type { FleetKeys } from './fleetKeys.ts';
import type { EndedJobs } from './jobRetention.ts';
import type { NodeLog } from './nodeLog.ts';
import { prepareQuery } from './preparedQuery.ts';
import { AFTER_CALL, selectJobs, toJob, toJsonColumn, toRevision } from './rows.ts';
import type { Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/** The expiry of a lease that needs no renewal. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The part of the store that keeps process leases and cleans up after processes that lost theirs. */
export function conductorStore(
  database: Database,
  endedJobs: EndedJobs,
  log: NodeLog,
  cipher: SecretsCipher,
  fleetKeys: FleetKeys,
) {
  const db = database.kysely;
  const { now } = database;

  /** Matches conductors that `reap` has work for: the lease has run out and was not reaped yet, or the grace is over too. */
  const isDue = (row: ExpressionBuilder<Tables, 'conductors'>) =>
    row.or([
      row.and([row('expires_at', '<=', now), row('lease', 'is not', null)]),
      row(sql<number>`expires_at + grace`, '<=', now),
    ]);
  const updateValid = (id: string) =>
    db.updateTable('conductors').where('id', '=', id).where('expires_at', '>', now).returning('id');

  const hosts = prepareQuery(() =>
    db.selectFrom('conductors').select('host').distinct().where('expires_at', '>', now).orderBy('host'),
  );
  const anyDue = prepareQuery(() => db.selectFrom('conductors').select('id').where(isDue).limit(1));
  /** Owners of calls that are not conductors: a statement that tested the lease in time can commit after `reap`. */
  const orphanOwners = prepareQuery(() =>
    db
      .selectFrom('reservations')
      .select((column) => column.ref('owner').$notNull().as('owner'))
      .where('kind', '=', sql.lit('call'))
      .where('owner', 'is not', null)
      .union(
        db
          .selectFrom('idempotency')
          .select((column) => column.ref('owner').$notNull().as('owner'))
          .where('state', '<>', sql.lit('done'))
          .where('owner', 'is not', null),
      )
      .except(db.selectFrom('conductors').select('id as owner')),
  );

  return {
    async addConductor({ id, host, lease, grace }) {
      const expires_at = lease === null ? NEVER : sql<number>`${now} + cast(${lease} as bigint)`;
      const key_ids = cipher.keyIds.join(' ');
      await db
        .insertInto('conductors')
        .values({ id, host, lease, grace, expires_at, key_ids, create_time: now })
        .execute();
      if (database.shared) await fleetKeys.join(id);
    },

    async renewConductor(id) {
      const renewed = await updateValid(id)
        .set({ expires_at: sql<number>`${now} + lease` })
        .execute();
      if (renewed.length > 0 && database.shared) await fleetKeys.renew(id);
      return renewed.length > 0;
    },

    async extendGrace(id, grace) {
      const extended = await updateValid(id)
        // Never lowered, so that a statement that arrives late cannot undo a later one.
        .set({ grace: sql<number>`case when grace < ${grace} then ${grace} else grace end` })
        .execute();
      return extended.length > 0;
    },

    async removeConductor(id) {
      await updateValid(id).set({ expires_at: now }).execute();
    },

    async listHosts() {
      const rows = await database.run(hosts({}));
      return rows.map(({ host }) => host);
    },

    async listProcesses() {
      // The last renewal of a lease was its length before its end.
      const renewed = sql<number>`max(case when expires_at = ${sql.lit(NEVER)} then ${now} else expires_at - coalesce(lease, 0) end)`;
      const rows = await db
        .selectFrom('conductors')
        .select((column) => ['host', column.fn.max('create_time').as('create_time'), renewed.as('update_time')])
        .where('expires_at', '>', now)
        .groupBy('host')
        .orderBy('host')
        .execute();
      return rows.map(({ host, create_time, update_time }) => ({
        host,
        createTime: new Date(Number(create_time)),
        // The statement that adds a conductor reads the clock for each, and may read a millisecond between.
        updateTime: new Date(Math.max(Number(create_time), Number(update_time))),
      }));
    },

    async reap({ all, orphans: withOrphans, now: endTime, error, lastError, unknown }) {
      // Owner ids are never reused, so an orphan's calls can be released without checking the owner again.
      const orphans = withOrphans ? (await database.run(orphanOwners({}))).map(({ owner }) => owner) : [];
      // The usual case takes no lock and writes nothing.
      if (!all && orphans.length === 0 && (await database.run(anyDue({}))).length === 0) {
        return { failed: [], freed: [] };
      }
      const reaped = await log.transaction(async (transaction, note) => {
        if (all) await transaction.updateTable('conductors').set({ expires_at: 0, grace: 0 }).execute();
        const expired = await transaction
          .selectFrom('conductors')
          .select(['id', sql<number>`case when expires_at + grace <= ${now} then 1 else 0 end`.as('over')])
          .where(isDue)
          .orderBy('id')
          // Skips conductors with an open transaction, such as that of a process stopped in the middle of one: what it
          // commits later would never be cleaned up. A later pass takes them.
          .modifyEnd(database.untouchedRows)
          .execute();
        const owners = [...expired.map(({ id }) => id), ...orphans];
        if (owners.length === 0) return { failed: [], freed: [] };
        const failed = await failJobs(transaction, owners, (job) => ({
          ...job,
          state: 'failed',
          revision: job.revision + 1,
          endTime,
          error,
        }));
        for (const job of failed) {
          if (job.nodeUuid !== null) await log.setLastError(transaction, note, job.nodeUuid, lastError(job));
        }
        await endCalls(transaction, owners, JSON.stringify(unknown));
        await transaction.updateTable('conductors').set({ lease: null }).where('id', 'in', owners).execute();
        const over = expired.filter((conductor) => conductor.over === 1).map(({ id }) => id);
        return { failed, freed: await free(transaction, [...over, ...orphans]) };
      });
      endedJobs.add(reaped.failed.length);
      for (const { id, revision } of reaped.failed) database.announce({ kind: 'job_changed', id, revision });
      for (const nodeUuid of reaped.freed) database.announce({ kind: 'node_freed', nodeUuid });
      return reaped;
    },
  } satisfies Partial<Store>;
}

/** Matches a conductor while its lease is valid. */
export function validConductor({ kysely, now }: Database, id: string) {
  return kysely.selectFrom('conductors').where('conductors.id', '=', id).where('expires_at', '>', now);
}

/**
 * Returns a check, for use in a transaction, whether a conductor's lease is valid. If so, `reap` waits for that
 * transaction however long it takes. In a database that is not shared every lease is valid.
 */
export function leaseCheck(database: Database): (transaction: Kysely<Tables>, id: string) => Promise<boolean> {
  if (!database.shared) return async () => true;
  const query = prepareQuery((blank: { id: string }) =>
    validConductor(database, blank.id).select('id').modifyEnd(database.keepingRows),
  );
  return async (transaction, id) => (await transaction.executeQuery(query({ id }))).rows.length > 0;
}

async function failJobs(db: Kysely<Tables>, owners: string[], fail: (job: Job) => Job): Promise<Job[]> {
  // In order of acceptance: the newest of several jobs of a node sets its last_error, and two processes that do this
  // at once do not deadlock.
  const rows = await selectJobs(db)
    .where('jobs.state', '=', 'running')
    .where('jobs.owner', 'in', owners)
    .orderBy('jobs.id')
    .execute();
  const failed: Job[] = [];
  for (const row of rows) {
    const last = toJob(row);
    if (isTerminal(last)) continue;
    const job = fail(last);
    const ended = await db
      .updateTable('jobs')
      .set({ state: job.state, end_time: job.endTime?.getTime() ?? null, error: toJsonColumn(job.error) })
      .where(({ and }) => and({ id: job.id, state: 'running' }))
      .returning('id')
      .execute();
    // Another process was faster.
    if (ended.length === 0) continue;
    await db.insertInto('job_revisions').values(toRevision(job)).execute();
    failed.push(job);
  }
  return failed;
}

/** Gives accepted idempotent calls the outcome `unknown`, and removes waiting ones. */
async function endCalls(db: Kysely<Tables>, owners: string[], unknown: string): Promise<void> {
  const isOwned = (state: 'accepted' | 'waiting') => (where: ExpressionBuilder<Tables, 'idempotency'>) =>
    // The first is implied by the second; the index needs it.
    where.and([where('state', '<>', sql.lit('done')), where('state', '=', state), where('owner', 'in', owners)]);
  await db.updateTable('idempotency').set({ state: 'done', outcome: unknown }).where(isOwned('accepted')).execute();
  await db.deleteFrom('idempotency').where(isOwned('waiting')).execute();
}

/** Ends the calls of these owners and removes their conductors. Returns the UUIDs of the nodes. */
async function free(db: Kysely<Tables>, owners: string[]): Promise<string[]> {
  if (owners.length === 0) return [];
  const freed = await db
    .updateTable('reservations')
    .set(AFTER_CALL)
    .where('kind', '=', sql.lit('call'))
    .where('owner', 'in', owners)
    .returning('node_uuid')
    .execute();
  await db.deleteFrom('conductors').where('id', 'in', owners).execute();
  return freed.map((row) => row.node_uuid);
}
