import { createHash } from 'node:crypto';
import { type Expression, type InferResult, type Insertable, type Kysely, type SqlBool, sql } from 'kysely';
import type { ErrorRecord } from '../core/errors.ts';
import type { Job } from '../core/job.ts';
import { canonicalJson, type Json, type JsonObject } from '../core/json.ts';
import type { Node, NodeChanges } from '../core/node.ts';
import { fromReservationRecord, type Reservation } from '../core/reservation.ts';
import { maskSecrets } from '../core/secrets.ts';
import type { StoredNode } from '../core/store.ts';
import type { NodeChange, NodePart } from '../core/watch/changeStore.ts';
import type { JobRevisionsTable, NodeChangesTable, NodesTable, ReservationsTable, Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/** About the bytes of a row beside its long texts. */
const ROW_BYTES = 512;

/** Returns about the size of a row with these texts, in bytes. Neither database reads a long text for it. */
export function octets(columns: readonly string[]) {
  const texts = columns.map((column) => sql`coalesce(octet_length(${sql.ref(column)}), 0)`);
  return sql<number>`${sql.lit(ROW_BYTES)} + ${sql.join(texts, sql` + `)}`;
}

/** Whether the rows of `sizes` together take at most `bytes`. Evaluated once, before the rows that it is a condition of. */
export function fits(sizes: readonly Expression<unknown>[], bytes: number) {
  const sums = sizes.map((size) => sql`(select coalesce(sum(size), 0) from (${size}) as page)`);
  return sql<SqlBool>`${sql.join(sums, sql` + `)} <= ${bytes}`;
}

/** All columns by name: a newer program may add one to the table while a prepared query is in use. */
const nodeColumns = [
  'nodes.id',
  'nodes.uuid',
  'nodes.name',
  'nodes.driver',
  'nodes.vendor_interface',
  'nodes.driver_info',
  'nodes.extra',
  'nodes.properties',
  'nodes.attributes',
  'nodes.description',
  'nodes.maintenance',
  'nodes.maintenance_reason',
  'nodes.last_error',
  'nodes.create_time',
  'nodes.update_time',
  'reservations.fence',
  'reservations.kind',
  'reservations.holder',
  'reservations.method',
  'reservations.requested_by',
  'reservations.job',
  'reservations.since',
  'reservations.reason',
  'reservations.expires_at',
  'reservations.held_holder',
  'reservations.held_requested_by',
  'reservations.held_since',
] as const;

/** Selects all nodes with their reservations. */
export function selectNodes(db: Kysely<Tables>) {
  return db
    .selectFrom('nodes')
    .innerJoin('reservations', 'reservations.node_uuid', 'nodes.uuid')
    .select([...nodeColumns]);
}

/** A node with its reservation. */
export type NodeRow = InferResult<ReturnType<typeof selectNodes>>[number];

/** The columns of a node that hold secrets (`attributes` for its `instance_info`), encrypted when there is a key. */
export const SECRET_COLUMNS = ['driver_info', 'attributes'] as const;

export type SecretColumn = (typeof SECRET_COLUMNS)[number];

/** Returns the place of a ciphertext, as `SecretsCipher` takes it. */
export function secretsPlace(uuid: string, column: SecretColumn): string {
  return `node ${uuid}, ${column}`;
}

/** Returns the node in `row`, with its secrets decrypted. */
export function toNode(row: NodeRow, cipher: SecretsCipher): StoredNode {
  return {
    uuid: row.uuid,
    name: row.name,
    driver: row.driver,
    vendorInterface: row.vendor_interface,
    driverInfo: parseObject(cipher.open(row.driver_info, secretsPlace(row.uuid, 'driver_info'))),
    extra: parseObject(row.extra),
    properties: parseObject(row.properties),
    description: row.description,
    maintenance: row.maintenance !== 0,
    maintenanceReason: row.maintenance_reason,
    attributes: parseObject(cipher.open(row.attributes, secretsPlace(row.uuid, 'attributes'))),
    lastError: row.last_error,
    reservation: toReservation(row),
    createTime: new Date(row.create_time),
    updateTime: toDate(row.update_time),
    fence: row.fence,
  };
}

/** A row of a logged change of a node. */
export type NodeChangeRow = Pick<NodeChangesTable, 'node_uuid' | 'part' | 'before'> & {
  id: number;
  position: number | null;
  bytes: number;
};

/** Returns what watchers see of the node in `row`. Secrets under a key that is missing do not keep others from being shown. */
export function toWatchedNode(row: NodeRow, cipher: SecretsCipher): StoredNode {
  const shown = { ...row, attributes: '{}' };
  try {
    return toNode(shown, cipher);
  } catch {
    return toNode({ ...shown, driver_info: '{}' }, cipher);
  }
}

/** Returns what a change of its existence keeps of the node in `row`, with its secrets masked. */
export function toLoggedNode(row: NodeRow, cipher: SecretsCipher): Node {
  const { fence: _, ...node } = toWatchedNode(row, cipher);
  return { ...node, driverInfo: maskSecrets(node.driverInfo) };
}

/** As `toLoggedNode`, for a change of its content. */
export function toLoggedContent(row: NodeRow, cipher: SecretsCipher): Partial<Node> {
  const { uuid: _, lastError: __, reservation: ___, createTime: ____, ...content } = toLoggedNode(row, cipher);
  return content;
}

/** Returns the column `before` of a change. */
export function toPartColumn(part: NodePart, before: Partial<Node> | null): string | null {
  if (before === null) return null;
  return JSON.stringify(part === 'last_error' ? before.lastError : before);
}

/** Returns the change in `row`. */
export function toNodeChange(row: NodeChangeRow): NodeChange {
  const { position, id: order, node_uuid: nodeUuid, part, before, bytes } = row;
  return { position, order, nodeUuid, part, before: toPartBefore(part, before), bytes: Number(bytes) };
}

function toPartBefore(part: NodePart, text: string | null): NodeChange['before'] {
  if (part === 'reservation') return { reservation: text === null ? null : toReservation(JSON.parse(text)) };
  if (part === 'last_error') return { lastError: text === null ? null : JSON.parse(text) };
  if (text === null) return null;
  const node = JSON.parse(text);
  const { createTime, updateTime, reservation } = node;
  if (createTime !== undefined) node.createTime = new Date(createTime);
  if (updateTime != null) node.updateTime = new Date(updateTime);
  if (reservation != null) node.reservation = fromReservationRecord(reservation);
  return node;
}

/**
 * The columns of a node whose call has ended: those of the hold that it ran within, or, without one, null. The fence stays,
 * and so does `wanted`, which the statement that sets these returns.
 */
export const AFTER_CALL = {
  kind: sql<'held' | null>`case when held_since is null then null else 'held' end`,
  holder: sql<string | null>`held_holder`,
  method: null,
  requested_by: sql<string | null>`held_requested_by`,
  job: null,
  since: sql<number | null>`held_since`,
  owner: null,
  key_digest: sql<string | null>`case when held_since is null then null else key_digest end`,
  held_holder: null,
  held_requested_by: null,
  held_since: null,
};

/** The columns of a node whose hold has ended: those of the call that runs on, or, without one, null. */
export const AFTER_HOLD = {
  kind: sql<'call' | null>`case when kind = 'held' then null else kind end`,
  holder: sql<string | null>`case when kind = 'held' then null else holder end`,
  requested_by: sql<string | null>`case when kind = 'held' then null else requested_by end`,
  since: sql<number | null>`case when kind = 'held' then null else since end`,
  owner: sql<string | null>`case when kind = 'held' then null else owner end`,
  key_digest: sql<string | null>`case when kind = 'held' then null else key_digest end`,
  reason: null,
  expires_at: null,
  held_holder: null,
  held_requested_by: null,
  held_since: null,
};

/**
 * Returns the reservation in `row`; null when the node is free. A call within a hold shows as the hold, with the call's
 * method and job.
 */
export function toReservation(
  row: Omit<ReservationsTable, 'node_uuid' | 'fence' | 'owner' | 'wanted' | 'key_digest'>,
): Reservation | null {
  if (row.kind === null) return null;
  const { method, job, reason } = row;
  const details = { method, job, reason, expireTime: toDate(row.expires_at) };
  if (row.held_since === null) {
    const { kind, holder, requested_by: requestedBy } = row;
    return { holder: holder ?? '', kind, requestedBy: requestedBy ?? '', since: new Date(row.since ?? 0), ...details };
  }
  const { held_holder: holder, held_requested_by: requestedBy } = row;
  const since = new Date(row.held_since);
  return { holder: holder ?? '', kind: 'held', requestedBy: requestedBy ?? '', since, ...details };
}

/** Returns the columns that `changes` sets, the others undefined (kysely skips those). */
export function toNodeColumns(uuid: string, changes: NodeChanges, cipher: SecretsCipher): Partial<NewNodeColumns> {
  const seal = (column: SecretColumn, value: JsonObject | undefined) =>
    value && cipher.seal(JSON.stringify(value), secretsPlace(uuid, column));
  return {
    name: changes.name,
    driver: changes.driver,
    vendor_interface: changes.vendorInterface,
    driver_info: seal('driver_info', changes.driverInfo),
    extra: changes.extra && JSON.stringify(changes.extra),
    properties: changes.properties && JSON.stringify(changes.properties),
    attributes: seal('attributes', changes.attributes),
    description: changes.description,
    maintenance: toBit(changes.maintenance),
    maintenance_reason: changes.maintenanceReason,
  };
}

type NewNodeColumns = Omit<NodesTable, 'id' | 'uuid' | 'last_error' | 'create_time' | 'update_time'>;

/** Returns the columns of a new node. */
export function toNewNodeColumns(
  node: Required<NodeChanges> & Pick<Node, 'uuid' | 'createTime'>,
  cipher: SecretsCipher,
): Insertable<NodesTable> {
  const columns = toNodeColumns(node.uuid, node, cipher) as NewNodeColumns;
  return { ...columns, uuid: node.uuid, create_time: node.createTime.getTime() };
}

/** Returns 0 or 1; undefined for undefined. */
export function toBit(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** Returns the search key of an attribute: equal for equal values, and short enough for an index. */
export function attributeDigest(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url');
}

export const jobColumns = [
  'jobs.id',
  'jobs.node_uuid',
  'jobs.node_name',
  'jobs.driver',
  'jobs.method',
  'jobs.role',
  'jobs.create_time',
  'jobs.end_time',
  'jobs.result',
  'jobs.error',
  'jobs.requested_by',
  'job_revisions.revision',
  'job_revisions.state',
  'job_revisions.fraction',
  'job_revisions.message',
] as const;

/** Selects all jobs with their newest revision. */
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

/** A job at one of its revisions. */
export type JobRow = InferResult<ReturnType<typeof selectJobs>>[number];

/** Returns the job in `row` as it was at the row's revision. */
export function toJob(row: JobRow): Job {
  // Only the last revision of a job is not `running`.
  const ended = row.state !== 'running';
  return {
    id: row.id,
    nodeUuid: row.node_uuid,
    nodeName: row.node_name,
    driver: row.driver,
    method: row.method,
    role: row.role,
    state: row.state,
    revision: row.revision,
    createTime: new Date(row.create_time),
    endTime: ended ? toDate(row.end_time) : null,
    progress: row.message === null ? null : { fraction: row.fraction, message: row.message },
    result: ended && row.result !== null ? JSON.parse(row.result) : null,
    error: ended && row.error !== null ? parseErrorRecord(row.error) : null,
    requestedBy: row.requested_by,
  };
}

/** Returns the columns of the job's present revision. */
export function toRevision({
  id,
  revision,
  state,
  progress,
}: Pick<Job, 'id' | 'revision' | 'state' | 'progress'>): JobRevisionsTable {
  return { job_id: id, revision, state, fraction: progress?.fraction ?? null, message: progress?.message ?? null };
}

/** Returns JSON text; null for null. */
export function toJsonColumn(value: Json | ErrorRecord): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** Skips the parser for empty objects: most are, and a node is read at every call. */
function parseObject(text: string): JsonObject {
  return text === '{}' ? {} : JSON.parse(text);
}

/** Parses a JSON object; null for null. */
export function parseJsonObject(text: string | null): JsonObject | null {
  return text === null ? null : JSON.parse(text);
}

function parseErrorRecord(text: string): ErrorRecord {
  const record: ErrorRecord = JSON.parse(text);
  return record.lock === null ? record : { ...record, lock: fromReservationRecord(record.lock) };
}

function toDate(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}
