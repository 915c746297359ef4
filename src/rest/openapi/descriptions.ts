import { ERROR_MAPPINGS } from '../../contract/errorMapping.ts';
import type { ErrorKind } from '../../core/errors.ts';
import { DRIVER_FIELDS, NODE_FIELDS, PARAMETERS, type Parameter } from '../apiTable.ts';
import { STATES } from '../jobs.ts';
import { SORT_KEYS } from '../nodes/nodeList.ts';
import { DEVICE_TYPES, DOWNLOAD_SOURCES } from '../nodes/vmedia.ts';
import { REQUEST_HEADERS, type ResponseDescription, type RouteDescription, type Schema } from './description.ts';
import { arrayOf, page, record, ref } from './schemas.ts';
import { streamOf, WATCHED, WATCHED_NODE } from './streams.ts';

const text = { type: 'string' };
export const flag = { description: 'A boolean, or a word for one: true, False, 1, no', type: ['boolean', 'string'] };
export const limit = { description: 'Maximum number of entries in the page.', type: 'integer', minimum: 1 };
export const marker = { description: 'ID of the last entry of the previous page.', type: 'string', format: 'uuid' };
const direction = { enum: ['asc', 'desc'] };
const CONDUCTOR_FIELDS = ['hostname', 'conductor_group', 'alive', 'drivers', 'links', 'created_at', 'updated_at'];
const fieldsOf = (keys: readonly string[]) => ({
  description: 'Comma-separated keys to show.',
  type: 'string',
  pattern: `^(${keys.join('|')})(,(${keys.join('|')}))*$`,
});
const KINDS: Readonly<Record<Parameter['kind'], Schema>> = {
  text,
  boolean: flag,
  uuid: { type: 'string', format: 'uuid' },
  list: { description: 'Values separated by commas.', type: 'string' },
  integer: { type: 'integer', minimum: 1 },
  enum: text,
};

/** Returns the schemas of a table's parameters; those in `special` replace that of their kind. */
function parameters(
  table: Readonly<Record<string, Parameter>>,
  special: Readonly<Record<string, Schema>>,
): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    Object.entries(table).map(([name, { kind, values }]) => [
      name,
      special[name] ?? (values === undefined ? KINDS[kind] : { enum: values }),
    ]),
  );
}

/** Describes a route that responds with 200 and a document. */
export function returns(
  summary: string,
  description: string,
  schema: Schema,
  more: Omit<RouteDescription, 'summary' | 'responses'> = {},
): RouteDescription {
  return { summary, responses: { 200: { description, schema } }, ...more };
}

function shortText(minLength: number): Schema {
  return { type: ['string', 'null'], minLength, maxLength: 255 };
}

const NODE_LIST = { limit, marker, sort_key: { enum: [...SORT_KEYS.keys()] }, sort_dir: direction };
const nodeFields = fieldsOf([...NODE_FIELDS.keys()]);

export const root = returns('Show the API versions', 'The versions', {
  type: 'object',
  required: ['name', 'description', 'default_version', 'versions'],
});
export const health: RouteDescription = {
  summary: 'Check whether the service accepts calls',
  responses: {
    200: { description: 'The service is ready', schema: record({ status: { const: 'ok' } }) },
    503: {
      description: 'The service is not ready',
      schema: record({ status: { const: 'unavailable' }, reason: text }),
      headers: ['Retry-After'],
    },
  },
};
export const openApi = returns('Show this document', 'The OpenAPI document', { type: 'object' });
export const metrics: RouteDescription = {
  summary: 'Show the metrics of the service, for Prometheus',
  responses: {
    200: { description: "The metrics, in Prometheus' text format", schema: text, mediaType: 'text/plain' },
    404: { description: 'The metrics have a listener of their own (`metrics.listen`)' },
  },
};
export const v1 = returns('List the collections of the API', 'The collections', {
  type: 'object',
  required: ['id', 'links', 'media_types', 'version'],
});

export const nodes = returns('List nodes', 'A page of nodes', page('nodes', ref('Node')), {
  query: parameters(PARAMETERS.nodes, { ...NODE_LIST, fields: nodeFields }),
  errors: ['node_not_found'],
});
export const nodesInDetail: RouteDescription = {
  ...nodes,
  summary: 'List nodes with all fields',
  query: parameters(PARAMETERS.nodesInDetail, NODE_LIST),
};
export const newNode: RouteDescription = {
  summary: 'Enrol a node',
  body: ref('NewNode'),
  responses: { 201: { description: 'The node', schema: ref('Node'), headers: ['Location'] } },
  errors: ['driver_not_found', 'already_exists', 'failed_precondition'],
};
export const node = returns('Show a node', 'The node', ref('Node'), {
  query: parameters(PARAMETERS.node, { fields: nodeFields }),
});
export const nodePatch = returns('Change a node', 'The changed node', ref('Node'), {
  query: parameters(PARAMETERS.nodePatch, {}),
  body: ref('Patch'),
  errors: ['driver_not_found', 'already_exists', 'node_locked', 'failed_precondition'],
});
export const nodeRemoval: RouteDescription = {
  summary: 'Remove a node',
  responses: { 204: { description: 'The node was removed' } },
  errors: ['node_locked', 'failed_precondition'],
};
export const maintenance: RouteDescription = {
  summary: 'Put a node into maintenance',
  query: { reason: text },
  body: { type: 'object', properties: { reason: { type: ['string', 'null'] } }, additionalProperties: false },
  responses: { 202: { description: 'The node is in maintenance' } },
  errors: ['node_locked'],
};
export const noMaintenance: RouteDescription = {
  summary: 'Take a node out of maintenance',
  responses: { 202: { description: 'The node is no longer in maintenance' } },
  errors: ['node_locked'],
};
const reserved = { reservation: { anyOf: [ref('Reservation'), { type: 'null' }] } };
const duration = {
  description: 'How long the node stays locked from now on, in seconds; null or absent: until it is unlocked.',
  type: ['number', 'null'],
  exclusiveMinimum: 0,
};
export const reservation = returns('Show who has reserved a node', 'The reservation, null when free', record(reserved));
export const newReservation: RouteDescription = {
  summary: 'Lock a node',
  headers: ['Passthru-Lock-Wait'],
  body: {
    type: 'object',
    properties: {
      holder: { description: 'The name to show; null or absent: the name of the caller.', ...shortText(1) },
      reason: { description: 'Why, for people.', ...shortText(0) },
      duration,
    },
    additionalProperties: false,
  },
  responses: {
    201: {
      description: 'The reservation, and the key with which calls run within it; the key is shown only here',
      schema: record({ ...reserved, reservation_key: REQUEST_HEADERS['Passthru-Reservation-Key'].schema }),
      headers: ['Cache-Control'],
    },
  },
  errors: ['node_locked'],
};
export const reservationRenewal: RouteDescription = {
  summary: 'Lock a node for longer, or until another time',
  headers: ['Passthru-Reservation-Key'],
  body: { type: 'object', properties: { duration }, additionalProperties: false },
  responses: { 200: { description: 'The reservation', schema: record(reserved) } },
  errors: ['reservation_ended'],
};
export const reservationEnd: RouteDescription = {
  summary: 'Unlock a node',
  headers: ['Passthru-Reservation-Key'],
  responses: { 204: { description: 'The node is no longer locked' } },
  errors: ['reservation_ended', 'failed_precondition'],
};
export const validation = returns(
  'Validate the vendor interface of a node',
  'The result, with the reason if it is false',
  record({ vendor: record({ result: { type: 'boolean' }, reason: { type: ['string', 'null'] } }) }),
  { errors: ['driver_not_found'] },
);
export const nodeMethods = returns("List a node's vendor methods", 'The methods', ref('Methods'), {
  errors: ['driver_not_found'],
});
export const driverMethods = returns("List a driver's vendor methods", 'The methods', ref('Methods'));

/** The response to an asynchronous call. */
export const JOB_STARTED: ResponseDescription = {
  description: 'A job was started',
  headers: ['Location', 'Passthru-Job-Id'],
};
const BMC_KINDS = (Object.keys(ERROR_MAPPINGS) as ErrorKind[]).filter((kind) => kind.startsWith('bmc_'));
const CALL_ERRORS: readonly ErrorKind[] = [
  'unknown_method',
  'verb_not_allowed',
  'driver_not_found',
  'subscription_not_found',
  'subscription_exists',
  'already_exists',
  'rate_limited',
  'no_free_worker',
  'deadline_exceeded',
  ...BMC_KINDS,
  'outcome_unknown',
  'driver_not_ready',
  'failed_precondition',
  'not_served',
];

const nodeMethod: RouteDescription = {
  summary: "Call a node's vendor method",
  headers: ['Idempotency-Key', 'Passthru-Lock-Wait', 'Passthru-Reservation-Key', 'Passthru-Recorder'],
  body: { description: 'The arguments', type: 'object' },
  responses: {
    200: {
      description: "The method's result, null if it has none",
      schema: {},
      mediaType: '*/*',
      headers: ['Passthru-Transcript'],
    },
    202: JOB_STARTED,
  },
  errors: [...CALL_ERRORS, 'node_locked', 'reservation_ended'],
};
const driverMethod: RouteDescription = {
  ...nodeMethod,
  summary: "Call a driver's vendor method",
  headers: ['Idempotency-Key', 'Passthru-Recorder'],
  errors: CALL_ERRORS,
};
const byPath = (method: RouteDescription) => ({ ...method, summary: `${method.summary}, named by the path` });
const byQuery = (method: RouteDescription) => ({
  ...method,
  summary: `${method.summary}, named by the query`,
  query: { method: { description: 'Name of the method.', type: 'string' } },
});
export const nodeCallByPath = byPath(nodeMethod);
export const nodeCall = byQuery(nodeMethod);
export const driverCallByPath = byPath(driverMethod);
export const driverCall = byQuery(driverMethod);

const VMEDIA_HEADERS = [
  'Idempotency-Key',
  'Passthru-Lock-Wait',
  'Passthru-Reservation-Key',
  'Passthru-Recorder',
] as const;
const VMEDIA_ERRORS = [...CALL_ERRORS, 'node_locked'] as const;
const vmediaDevice = record({
  media_types: arrayOf(text),
  inserted: { type: 'boolean' },
  image: { type: ['string', 'null'] },
});
export const vmedia: RouteDescription = {
  ...returns("List a node's virtual media (since 1.93)", 'The devices', arrayOf(vmediaDevice)),
  headers: VMEDIA_HEADERS,
  errors: VMEDIA_ERRORS,
};
const vmediaJob = (description: string): RouteDescription['responses'] => ({ 204: { ...JOB_STARTED, description } });
export const vmediaAttachment: RouteDescription = {
  summary: 'Attach an image as virtual media (since 1.89)',
  headers: VMEDIA_HEADERS,
  body: {
    type: 'object',
    required: ['device_type', 'image_url'],
    properties: {
      device_type: { enum: DEVICE_TYPES },
      image_url: { type: 'string' },
      image_download_source: {
        description: 'Has no effect: the BMC fetches the image from its URL.',
        enum: DOWNLOAD_SOURCES,
      },
    },
    additionalProperties: false,
  },
  responses: vmediaJob('A job that attaches the image was started'),
  errors: VMEDIA_ERRORS,
};
export const vmediaDetachment: RouteDescription = {
  summary: 'Detach virtual media (since 1.89)',
  query: {
    device_types: {
      description: 'Comma-separated device types; all when absent. It may be in the body instead.',
      type: 'string',
      pattern: `^(${DEVICE_TYPES.join('|')})(,(${DEVICE_TYPES.join('|')}))*$`,
    },
  },
  headers: VMEDIA_HEADERS,
  responses: vmediaJob('A job that detaches them was started'),
  errors: VMEDIA_ERRORS,
};

const driverFields = fieldsOf([...DRIVER_FIELDS.keys()]);
const conductorFields = fieldsOf(CONDUCTOR_FIELDS);
export const drivers = returns('List drivers', 'The drivers', record({ drivers: arrayOf(ref('Driver')) }), {
  query: parameters(PARAMETERS.drivers, { type: { enum: ['dynamic', 'classic'] }, fields: driverFields }),
});
export const driver = returns('Show a driver', 'The driver', ref('Driver'), {
  query: parameters(PARAMETERS.driver, { fields: driverFields }),
});
export const driverProperties = returns('Show the driver_info keys of a driver', 'A description of each key', {
  type: 'object',
  additionalProperties: text,
});
// 404 at a version before it.
export const shards = returns('Count the nodes of each shard', 'The shards', ref('Shards'), {
  errors: ['node_not_found'],
});
export const conductors = returns(
  'List the processes that share the store',
  'The processes',
  page('conductors', ref('Conductor')),
  {
    query: parameters(PARAMETERS.conductors, {
      limit,
      sort_key: { enum: ['id', 'hostname', 'created_at', 'updated_at', 'conductor_group', 'online'] },
      sort_dir: direction,
      fields: conductorFields,
    }),
    errors: ['node_not_found'],
  },
);
export const conductor = returns('Show a process', 'The process', ref('Conductor'), {
  query: parameters(PARAMETERS.conductor, { fields: conductorFields }),
});

export const jobs = returns('List jobs, newest first', 'A page of jobs', page('jobs', ref('Job')), {
  query: {
    node: { description: 'UUID or name of a node.', type: 'string' },
    driver: text,
    state: { enum: STATES },
    limit,
    marker,
  },
  errors: ['node_not_found'],
});
export const job = returns('Show a job', 'The job', ref('Job'));
export const jobCancel = returns('Request cancellation of a job', 'The job, which may still be running', ref('Job'), {
  errors: ['failed_precondition'],
});
export const transcript = returns(
  'Show what a job, or a synchronous call, exchanged with its machine',
  'The transcript, without secrets',
  {
    type: 'object',
    required: ['transcript', 'id', 'node_uuid', 'driver', 'method', 'http_method', 'arguments', 'outcome', 'exchanges'],
    properties: { transcript: { const: 1 }, id: { type: 'string', format: 'uuid' }, exchanges: { type: 'array' } },
  },
  { errors: ['transcript_not_found'] },
);
export const jobsEvents: RouteDescription = {
  summary: 'Watch all jobs that match',
  query: { node: WATCHED_NODE, driver: text, state: { enum: STATES }, requested_by: text, ...WATCHED },
  headers: ['Last-Event-ID'],
  responses: streamOf('job', ['job', 'current', 'reset'], 'Job'),
  errors: ['node_not_found', 'rate_limited'],
};
export const nodesEvents: RouteDescription = {
  summary: 'Watch all nodes that match',
  query: { node: WATCHED_NODE, driver: text, ...WATCHED },
  headers: ['Last-Event-ID'],
  responses: streamOf('node', ['node', 'removed', 'current', 'reset'], 'WatchedNode'),
  errors: ['node_not_found', 'rate_limited'],
};
export const jobEvents: RouteDescription = {
  summary: 'Watch a job',
  query: {
    after_revision: {
      type: 'string',
      pattern: '^[0-9]{1,15}$',
      description: 'As Last-Event-ID, which takes precedence.',
    },
  },
  headers: ['Last-Event-ID'],
  responses: {
    200: {
      description: 'A stream of `job` events, one per revision; `id` is the revision. The schema describes one event',
      schema: record({
        event: { const: 'job' },
        id: text,
        data: { type: 'string', contentMediaType: 'application/json', contentSchema: ref('Job') },
      }),
      mediaType: 'text/event-stream',
    },
    204: { description: 'The job has ended and there are no further events' },
  },
};
