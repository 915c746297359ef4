import type { Generated } from 'kysely';
import type { JobState } from '../core/job.ts';

/*
 * What the columns hold is the same in every database: times are milliseconds since 1970 in a bigint, booleans are 0 and
 * 1, JSON is text. So no query needs a function that one database has and another has not.
 */

export interface NodesTable {
  /** Grows in the order of enrolment. */
  id: Generated<number>;
  uuid: string;
  name: string | null;
  driver: string;
  vendor_interface: string;
  driver_info: string;
  extra: string;
  properties: string;
  attributes: string;
  description: string | null;
  maintenance: number;
  maintenance_reason: string | null;
  last_error: string | null;
  create_time: number;
  update_time: number | null;
}

/** One row for each attribute of a node that is a text, a number or a boolean, so that nodes can be found by it. */
export interface NodeAttributesTable {
  node_uuid: string;
  name: string;
  /** Of the value, see `attributeDigest`. */
  digest: string;
}

/** One row for each node, made with it; while the node is free all but the fence is null. */
export interface ReservationsTable {
  node_uuid: string;
  fence: number;
  kind: 'call' | 'held' | null;
  holder: string | null;
  method: string | null;
  requested_by: string | null;
  job: string | null;
  since: number | null;
  /** The conductor on whose lease a `call` hangs. */
  owner: string | null;
  /** 1 when somebody in another process waits for the node. */
  wanted: number;
}

/** One row for each lease of a process that may hold nodes, see `Conductor`. */
export interface ConductorsTable {
  id: string;
  host: string;
  /** Milliseconds; null when it is never renewed, also since it was found to have run out. */
  lease: number | null;
  grace: number;
  /** When the lease runs out, by the database's clock. */
  expires_at: number;
}

/** What of a job stays the same, and its end. How far it has come is the newest of its revisions. */
export interface JobsTable {
  id: string;
  node_uuid: string | null;
  node_name: string | null;
  driver: string;
  method: string;
  state: JobState;
  create_time: number;
  end_time: number | null;
  result: string | null;
  error: string | null;
  requested_by: string;
  /** The conductor that runs it. */
  owner: string;
  /** Who requested cancellation; null if no one did. */
  cancel_requested_by: string | null;
}

export interface JobRevisionsTable {
  job_id: string;
  revision: number;
  state: JobState;
  fraction: number | null;
  /** Null when there is no progress. */
  message: string | null;
}

export interface IdempotencyTable {
  caller: string;
  key: string;
  fingerprint: string;
  state: 'waiting' | 'accepted' | 'done';
  /** The conductor that runs the call. */
  owner: string | null;
  outcome: string | null;
  create_time: number;
}

export interface Tables {
  nodes: NodesTable;
  node_attributes: NodeAttributesTable;
  reservations: ReservationsTable;
  conductors: ConductorsTable;
  jobs: JobsTable;
  job_revisions: JobRevisionsTable;
  idempotency: IdempotencyTable;
}
