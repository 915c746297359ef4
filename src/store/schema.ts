import type { Generated } from 'kysely';
import type { Role } from '../core/caller.ts';
import type { EventSourceState, EventTransport } from '../core/events/eventSource.ts';
import type { JobState } from '../core/job.ts';
import type { NodePart } from '../core/watch/changeStore.ts';

// Columns hold the same in every database, so that queries need no function that only one database has: times are
// milliseconds since 1970 in a bigint, booleans are 0 and 1, JSON is text.

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

/** One row for each attribute of a node that is a string, a number or a boolean, so that nodes can be found by it. */
interface NodeAttributesTable {
  node_uuid: string;
  name: string;
  /** The value's `attributeDigest`. */
  digest: string;
  /** The value as text, to sort by; null in a row of an earlier program, until it is needed. */
  value: string | null;
}

/** One row for each attribute of a node that no other may share. */
interface UniqueAttributesTable {
  name: string;
  digest: string;
  node_uuid: string;
}

/** One row for each node, created with it; while the node is free only the fence and `wanted` are not null. */
export interface ReservationsTable {
  node_uuid: string;
  fence: number;
  kind: 'call' | 'held' | null;
  holder: string | null;
  method: string | null;
  requested_by: string | null;
  job: string | null;
  since: number | null;
  /** The conductor on whose lease a `call` depends. */
  owner: string | null;
  /** 1 when another process waits for the node. */
  wanted: number;
  /** Why the hold was taken. */
  reason: string | null;
  /** The digest of the hold's key. It stays when the hold ends before the call within it does. */
  key_digest: string | null;
  /** When the hold ends by itself. */
  expires_at: number | null;
  /** The columns of the hold that a call runs within; null for other calls, and while no call runs. */
  held_holder: string | null;
  held_requested_by: string | null;
  held_since: number | null;
}

/** One row for each lease of a process, see `Conductor`. */
interface ConductorsTable {
  id: string;
  host: string;
  /** Milliseconds; null when it is never renewed, or `reap` has ended its jobs. */
  lease: number | null;
  grace: number;
  /** When the lease expires, by the database's clock. */
  expires_at: number;
  /** The ids of the keys that it decrypts, separated by spaces; null for a program that does not tell. */
  key_ids: string | null;
  /** The id of the key that it encrypts with, or is about to; null for plain text. */
  writing_key: string | null;
  /** When it was added; 0 for a process of an earlier program. */
  create_time: Generated<number>;
}

/** The constants of a job, and its end. Its progress is in its newest revision. */
export interface JobsTable {
  id: string;
  node_uuid: string | null;
  node_name: string | null;
  driver: string;
  method: string;
  /** See `Job.role`. */
  role: Role | null;
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

interface IdempotencyTable {
  caller: string;
  key: string;
  fingerprint: string;
  state: 'waiting' | 'accepted' | 'done';
  /** The conductor that runs the call. */
  owner: string | null;
  outcome: string | null;
  create_time: number;
}

/** One row for each transcript. */
interface TranscriptsTable {
  /** That of its job, or its own. */
  id: string;
  /** The same as `id`; null for a synchronous call. */
  job_id: string | null;
  role: string;
  end_time: number;
  /** JSON text, compressed (raw deflate). */
  document: Uint8Array;
}

/** One row for each log of changes: `job`, `event`, and on PostgreSQL `node`. */
interface ChangeLogsTable {
  kind: 'job' | 'node' | 'event';
  /** Made at random with the log. */
  log: string;
  /** The last position given; on SQLite 0 for `job`, as the greatest id is the last position. */
  position: number;
  /** Changes up to this position may have been removed. */
  floor: number;
}

/** One row for each revision of a job, by a trigger. */
interface JobChangesTable {
  id: Generated<number>;
  /** On PostgreSQL null until the change is committed and sequenced; on SQLite always null, as the id is the position. */
  position: number | null;
  time: Generated<number>;
  job_id: string;
  revision: number;
}

/** On PostgreSQL one row for each change of a part of a node. */
export interface NodeChangesTable {
  id: Generated<number>;
  /** Null until the change is committed and sequenced. */
  position: Generated<number | null>;
  time: Generated<number>;
  node_uuid: string;
  part: NodePart;
  /** The part before the change as JSON; null when there was none. */
  before: string | null;
}

/** One row for each event. Those of a deleted node stay. */
export interface EventsTable {
  /** Without gaps, in the order of commits: whoever stores events holds the row of `change_logs` until the commit. */
  position: number;
  /** When it was received. */
  time: number;
  node_uuid: string;
  node_name: string | null;
  kind: 'record' | 'metric_report' | 'gap';
  /** As `severityRank`. */
  severity: number;
  /** As `messageKeys`, for filters. */
  registry_key: string;
  message_key: string;
  message_id: string;
  message: string;
  /** A list as JSON; null for an empty one. */
  message_args: string | null;
  origin: string;
  event_type: string;
  bmc_event_id: string;
  bmc_time: number | null;
  /** Null unless a gap. */
  gap_start: number | null;
  gap_end: number | null;
  truncated: number;
  /** See `EventRecord.reference`. */
  reference: string | null;
  /** Equal for repeated deliveries of one record. */
  digest: string | null;
  /** The record as JSON; null for a gap. */
  raw: string | null;
  /** About the size of the row without `raw`, and of `raw`. */
  bytes: number;
  raw_bytes: number;
}

/** One row for each event source; see `StoredSource`. */
export interface EventSourcesTable {
  /** Grows in the order of creation. */
  id: Generated<number>;
  /** Not a reference: the row outlives its node until the subscription is removed. */
  node_uuid: string;
  transport: EventTransport | null;
  /** JSON. */
  selection: string;
  generation: number;
  revision: number;
  state: EventSourceState;
  reason: string | null;
  state_time: number;
  active_transport: EventTransport | null;
  subscription: string | null;
  token_digest: string | null;
  token_generation: number;
  previous_digest: string | null;
  address: string | null;
  verify_time: number | null;
  /** When a pass over it is due; 0: at once. */
  due_time: number;
  last_event_time: number | null;
  test_time: number | null;
  /** Milliseconds. */
  test_round_trip: number | null;
  test_error: string | null;
  last_drift: string | null;
  last_drift_time: number | null;
  renewals: number;
  last_reset: number | null;
  last_event_id: string | null;
  /** The conductor that looks after it. */
  owner: string | null;
  /** JSON without `driver_info`; null while the node exists. */
  former_node: string | null;
  /** As in `nodes`, encrypted. */
  former_driver_info: string | null;
  create_time: number;
  update_time: number | null;
}

/** One row for each hand-over of events that has begun. */
interface EventHandoversTable {
  name: string;
  /** The position of the last event that was handed over. */
  position: number;
  /** The conductor that hands over. */
  owner: string | null;
}

/** PostgreSQL only: the processes that read `node_changes`; see `NodeLogReaders`. */
interface NodeLogReadersTable {
  id: string;
  /** About when it read for the last time, in milliseconds. */
  read_time: number;
}

export interface Tables {
  nodes: NodesTable;
  node_attributes: NodeAttributesTable;
  unique_attributes: UniqueAttributesTable;
  reservations: ReservationsTable;
  conductors: ConductorsTable;
  jobs: JobsTable;
  job_revisions: JobRevisionsTable;
  idempotency: IdempotencyTable;
  transcripts: TranscriptsTable;
  change_logs: ChangeLogsTable;
  job_changes: JobChangesTable;
  node_changes: NodeChangesTable;
  node_log_readers: NodeLogReadersTable;
  events: EventsTable;
  event_sources: EventSourcesTable;
  event_handovers: EventHandoversTable;
}
