import { createHash } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { ErrorRecord } from '../core/errors.ts';
import type { Job, Progress } from '../core/job.ts';
import { canonicalJson, type Json, type JsonObject } from '../core/json.ts';
import type { Node, NodeChanges } from '../core/node.ts';
import type { Reservation } from '../core/reservation.ts';
import type { StoredNode } from '../core/store.ts';
import type { JobRevisionsTable, JobsTable, NodesTable, ReservationsTable, Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

/** A node with its reservation, as `nodeColumns` selects it. */
export interface NodeRow extends Selectable<NodesTable> {
  fence: number;
  reservation_kind: ReservationsTable['kind'];
  holder: string | null;
  method: string | null;
  requested_by: string | null;
  job: string | null;
  since: number | null;
}

/** What `NodeRow` is made of, for a select from `nodes` joined with `reservations`. */
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
  'reservations.kind as reservation_kind',
  'reservations.holder',
  'reservations.method',
  'reservations.requested_by',
  'reservations.job',
  'reservations.since',
] as const;

/** All nodes with their reservations, as `NodeRow`. */
export function selectNodes(db: Kysely<Tables>) {
  return db
    .selectFrom('nodes')
    .innerJoin('reservations', 'reservations.node_uuid', 'nodes.uuid')
    .select([...nodeColumns]);
}

/** The columns of a node that hold secrets, and are encrypted where there is a key. `attributes` has `instance_info`. */
export const SECRET_COLUMNS = ['driver_info', 'attributes'] as const;

/** Where a ciphertext stands, for `SecretsCipher`. */
export function secretsPlace(uuid: string, column: (typeof SECRET_COLUMNS)[number]): string {
  return `node ${uuid}, ${column}`;
}

/** The node in `row`, whose secrets `cipher` decrypts. */
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
    reservation: row.reservation_kind === null ? null : toReservation({ ...row, kind: row.reservation_kind }),
    createTime: new Date(row.create_time),
    updateTime: toDate(row.update_time),
    fence: row.fence,
  };
}

/** The reservation in `row`; null when the node is free. */
export function toReservation(
  row: Omit<ReservationsTable, 'node_uuid' | 'fence' | 'owner' | 'wanted'>,
): Reservation | null {
  if (row.kind === null) return null;
  return {
    holder: row.holder ?? '',
    kind: row.kind,
    method: row.method,
    requestedBy: row.requested_by ?? '',
    job: row.job,
    since: new Date(row.since ?? 0),
  };
}

/** The columns of the node `uuid` that `changes` sets; what is undefined is left. */
export function toNodeColumns(
  uuid: string,
  changes: NodeChanges,
  cipher: SecretsCipher,
): Partial<Omit<NodesTable, 'id'>> {
  const { driverInfo, attributes } = changes;
  return {
    ...(changes.name !== undefined && { name: changes.name }),
    ...(changes.driver !== undefined && { driver: changes.driver }),
    ...(changes.vendorInterface !== undefined && { vendor_interface: changes.vendorInterface }),
    ...(driverInfo !== undefined && { driver_info: seal(uuid, 'driver_info', driverInfo, cipher) }),
    ...(changes.extra !== undefined && { extra: JSON.stringify(changes.extra) }),
    ...(changes.properties !== undefined && { properties: JSON.stringify(changes.properties) }),
    ...(changes.description !== undefined && { description: changes.description }),
    ...(changes.maintenance !== undefined && { maintenance: toBit(changes.maintenance) }),
    ...(changes.maintenanceReason !== undefined && { maintenance_reason: changes.maintenanceReason }),
    ...(attributes !== undefined && { attributes: seal(uuid, 'attributes', attributes, cipher) }),
  };
}

/** The columns of a new node. */
export function toNewNodeColumns(
  node: Omit<Node, 'reservation' | 'lastError' | 'updateTime'>,
  cipher: SecretsCipher,
): Omit<NodesTable, 'id'> {
  return {
    uuid: node.uuid,
    name: node.name,
    driver: node.driver,
    vendor_interface: node.vendorInterface,
    driver_info: seal(node.uuid, 'driver_info', node.driverInfo, cipher),
    extra: JSON.stringify(node.extra),
    properties: JSON.stringify(node.properties),
    attributes: seal(node.uuid, 'attributes', node.attributes, cipher),
    description: node.description,
    maintenance: toBit(node.maintenance),
    maintenance_reason: node.maintenanceReason,
    last_error: null,
    create_time: node.createTime.getTime(),
    update_time: null,
  };
}

/** A boolean as a column holds it. */
export function toBit(value: boolean): number {
  return value ? 1 : 0;
}

/**
 * Stands for an attribute's value where nodes are found by it: equal for equal values and short, so that it can be in
 * an index however long the value is.
 */
export function attributeDigest(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url');
}

/** A job with one of its revisions, as `jobColumns` selects it. */
export interface JobRow
  extends Omit<Selectable<JobsTable>, 'state' | 'owner' | 'cancel_requested_by'>,
    Omit<Selectable<JobRevisionsTable>, 'job_id'> {}

/** What `JobRow` is made of, for a select from `jobs` joined with `job_revisions`. */
export const jobColumns = [
  'jobs.id',
  'jobs.node_uuid',
  'jobs.node_name',
  'jobs.driver',
  'jobs.method',
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

/** The job in `row`, as it was at the row's revision. */
export function toJob(row: JobRow): Job {
  // Only the last revision of a job is not `running`; the job's own columns tell the end.
  const ended = row.state !== 'running';
  return {
    id: row.id,
    nodeUuid: row.node_uuid,
    nodeName: row.node_name,
    driver: row.driver,
    method: row.method,
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

/** `progress` in the columns of a revision. */
export function toProgressColumns(progress: Progress | null): Pick<JobRevisionsTable, 'fraction' | 'message'> {
  return { fraction: progress?.fraction ?? null, message: progress?.message ?? null };
}

/** `value` as JSON text; null for null. */
export function toJsonColumn(value: Json | ErrorRecord): string | null {
  return value === null ? null : JSON.stringify(value);
}

function seal(uuid: string, column: (typeof SECRET_COLUMNS)[number], value: JsonObject, cipher: SecretsCipher): string {
  return cipher.seal(JSON.stringify(value), secretsPlace(uuid, column));
}

/** Most nodes leave most of their objects empty, and a node is read at every call. */
function parseObject(text: string): JsonObject {
  return text === '{}' ? {} : JSON.parse(text);
}

/** The JSON object in `text`; null for null. */
export function parseJsonObject(text: string | null): JsonObject | null {
  return text === null ? null : JSON.parse(text);
}

function parseErrorRecord(text: string): ErrorRecord {
  const record: ErrorRecord = JSON.parse(text);
  if (record.lock === null) return record;
  return { ...record, lock: { ...record.lock, since: new Date(record.lock.since) } };
}

function toDate(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}
