import { type RawBuilder, sql } from 'kysely';
import type { Job } from '../../core/job.ts';
import type { Database } from '../database.ts';
import { type Held, isHeld, type JobWrites, NEXT_REVISION } from '../jobWrites.ts';
import { prepareQuery } from '../preparedQuery.ts';
import { AFTER_CALL, toJsonColumn } from '../rows.ts';
import type { JobRevisionsTable, JobsTable } from '../schema.ts';

/** The values of the statement that accepts a job. */
interface Acceptance extends Pick<Job, 'id' | 'nodeUuid' | 'nodeName' | 'driver' | 'method' | 'role' | 'requestedBy'> {
  createTime: number;
  owner: string;
  /** Null for a job without a reservation. */
  fence: number | null;
  /** These are null for a call without an idempotency key. */
  caller: string | null;
  key: string | null;
  outcome: string | null;
}

/** The values of the statement that ends a job. */
interface End extends Held, Pick<JobsTable, 'state' | 'end_time' | 'result' | 'error'> {
  fraction: JobRevisionsTable['fraction'];
  message: JobRevisionsTable['message'];
  lastError: string | null;
}

/**
 * The durable steps of a job, each in one statement, since a transaction of several waits for the server at each of them.
 *
 * Each part of a statement sees the tables as they were before it. Rows are locked in the order of the other transactions: the
 * lease, the node, its reservation. What a part tests about another makes that run first.
 */
export function jobStatement(database: Database): JobWrites {
  const { kysely: db, now, keepingRows, lockingRows } = database;

  /** Sets the `last_error` of the part `node`, if that is a change, and logs it. */
  const setLastError = (lastError: RawBuilder<string | null>, condition = sql`true`) => ({
    changed: sql`update nodes set last_error = ${lastError} from node
      where nodes.uuid = node.uuid and node.last_error is distinct from ${lastError} and ${condition}`,
    logged: sql`insert into node_changes (node_uuid, part, before)
      select uuid, 'last_error', coalesce(to_json(last_error)::text, 'null') from node
      where last_error is distinct from ${lastError} and ${condition}`,
  });

  const acceptance = (withFence: boolean, withKey: boolean) =>
    prepareQuery((job: Acceptance) => {
      const parts: Parts = {
        lease: sql`select id from conductors where id = ${job.owner} and expires_at > ${now} ${keepingRows}`,
        node: sql`select uuid, last_error from nodes
          where uuid = ${job.nodeUuid} and exists (select from lease) ${lockingRows}`,
        hold: withFence
          ? sql`select node_uuid from reservations where node_uuid = ${job.nodeUuid} and fence = ${job.fence}
              and kind = 'call' and exists (select from node) ${lockingRows}`
          : sql`select id from lease`,
        // Another process may own the key by now, if this one lost its lease meanwhile.
        claim: withKey
          ? sql`select caller, key from idempotency where caller = ${job.caller} and key = ${job.key}
              and owner = ${job.owner} and state <> 'done' and exists (select from hold) ${lockingRows}`
          : sql`select id from lease`,
        accepted: sql`insert into jobs
          (id, node_uuid, node_name, driver, method, role, state, create_time, requested_by, owner)
          select ${job.id}, ${job.nodeUuid}, ${job.nodeName}, ${job.driver}, ${job.method}, ${job.role}, 'running',
            cast(${job.createTime} as bigint), ${job.requestedBy}, lease.id
          from lease, hold, claim returning id`,
        begun: sql`insert into job_revisions (job_id, revision, state) select id, 1, 'running' from accepted`,
        ...setLastError(sql`null`, sql`exists (select from accepted)`),
      };
      if (withFence) {
        parts.named = sql`update reservations set job = accepted.id from accepted
          where node_uuid = ${job.nodeUuid} and fence = ${job.fence}`;
      }
      if (withKey) {
        parts.kept = sql`update idempotency set state = 'done', outcome = ${job.outcome} from accepted
          where caller = ${job.caller} and key = ${job.key}`;
      }
      return { compile: () => sql<{ id: string }>`${withParts(parts)} select id from accepted`.compile(db) };
    });
  const acceptances = [false, true].map((withFence) => [false, true].map((withKey) => acceptance(withFence, withKey)));

  const ending = (failed: boolean) =>
    prepareQuery((end: End) => {
      const node = sql`select uuid, last_error from nodes where uuid in (select node_uuid from ended) ${lockingRows}`;
      const lastError = sql<string | null>`cast(${end.lastError} as text)`;
      const parts: Parts = {
        ended: sql`${db
          .updateTable('jobs')
          .set({ state: end.state, end_time: end.end_time, result: end.result, error: end.error })
          .where(isHeld(end))
          .returning(['jobs.id', 'jobs.node_uuid', NEXT_REVISION.as('revision')])}`,
        told: sql`insert into job_revisions (job_id, revision, state, fraction, message)
          select id, revision, ${end.state}, cast(${end.fraction} as double precision), ${end.message} from ended`,
        ...(failed ? { node, ...setLastError(lastError) } : {}),
        freed: sql`${db
          .updateTable('reservations')
          .set(AFTER_CALL)
          .where(
            'node_uuid',
            'in',
            failed ? sql<string>`(select uuid from node)` : sql<string>`(select node_uuid from ended)`,
          )
          // A hold that the call ran within has its fence afterwards.
          .where(({ and }) => and({ fence: end.fence, kind: 'call' }))
          .returning('wanted')}`,
      };
      return {
        compile: () =>
          sql<{ revision: number; node_uuid: string | null; wanted: number | null }>`${withParts(parts)}
            select revision, node_uuid, (select wanted from freed) as wanted from ended`.compile(db),
      };
    });
  const successful = ending(false);
  const failed = ending(true);

  return {
    async acceptJob(job, { owner, fence }, idempotent, outcome) {
      const hold = job.nodeUuid === null ? null : fence;
      const accept = acceptances[Number(hold !== null)]![Number(idempotent !== null)]!;
      const { caller = null, key = null } = idempotent ?? {};
      const values = { ...job, createTime: job.createTime.getTime(), owner, fence: hold };
      const accepted = await database.run(accept({ ...values, caller, key, outcome: JSON.stringify(outcome) }));
      return accepted.length > 0;
    },

    addJob: () => Promise.reject(new TypeError('on a shared store a job is stored before its method begins')),

    async endJob({ id, state, progress, endTime, lastError, ...end }, { owner, fence }) {
      const result = toJsonColumn(end.result);
      const error = toJsonColumn(end.error);
      const { fraction = null, message = null } = progress ?? {};
      const values = { id, owner, fence: fence ?? 0, state, end_time: endTime.getTime(), result, error };
      const statement = lastError === null ? successful : failed;
      const [ended] = await database.run(statement({ ...values, fraction, message, lastError }));
      if (ended === undefined) return null;
      return { revision: ended.revision, freed: ended.wanted === 1 ? ended.node_uuid : null };
    },
  };
}

/** The parts of a statement by their names. */
type Parts = Record<string, RawBuilder<unknown>>;

function withParts(parts: Parts): RawBuilder<unknown> {
  const each = Object.entries(parts).map(([name, part]) => sql`${sql.raw(name)} as (${part})`);
  return sql`with ${sql.join(each)}`;
}
