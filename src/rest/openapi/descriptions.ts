import { NODE_KEYS } from '../nodes/nodeDocument.ts';
import { NODE_FIELDS } from '../nodes/nodeFields.ts';
import { FILTERS, PAGING, SORT_KEYS } from '../nodes/nodeList.ts';
import type { ResponseDescription, RouteDescription, Schema } from './description.ts';
import { page, record, ref } from './schemas.ts';

const text = { type: 'string' };
const flag = { description: 'A boolean, or a word for one: true, False, 1, no', type: ['boolean', 'string'] };
const limit = { description: 'Maximum number of entries in the page.', type: 'integer', minimum: 1 };
const marker = { description: 'ID of the last entry of the previous page.', type: 'string', format: 'uuid' };
const fields = {
  description: 'Comma-separated keys to show.',
  type: 'string',
  pattern: `^(${NODE_KEYS.join('|')})(,(${NODE_KEYS.join('|')}))*$`,
};

function ok(
  description: string,
  schema: Schema,
  headers?: ResponseDescription['headers'],
): RouteDescription['responses'] {
  return { 200: { description, schema, headers } };
}

const NODE_LIST: Readonly<Record<string, Schema>> = {
  ...Object.fromEntries(
    FILTERS.map((name) => [
      name,
      name === 'associated' || name === 'maintenance' || NODE_FIELDS.get(name)?.kind === 'boolean' ? flag : text,
    ]),
  ),
  ...Object.fromEntries(PAGING.map((name) => [name, text])),
  limit,
  marker,
  sort_key: { enum: Object.keys(SORT_KEYS) },
  sort_dir: { enum: ['asc', 'desc'] },
};

const noBody = (description: string): ResponseDescription => ({ description });

export const root: RouteDescription = {
  summary: 'Show the API versions',
  responses: ok('The versions', { type: 'object', required: ['name', 'description', 'default_version', 'versions'] }),
};
export const health: RouteDescription = {
  summary: 'Check whether the service accepts calls',
  responses: {
    ...ok('The service is ready', record({ status: { const: 'ok' } })),
    503: {
      description: 'The service is not ready',
      schema: record({ status: { const: 'unavailable' }, reason: text }),
      headers: ['Retry-After'],
    },
  },
};
export const openApi: RouteDescription = {
  summary: 'Show this document',
  responses: ok('The OpenAPI document', { type: 'object' }),
};
export const metrics: RouteDescription = {
  summary: 'Show the metrics of the service, for Prometheus',
  responses: {
    200: { description: "The metrics, in Prometheus' text format", schema: text, mediaType: 'text/plain' },
    404: { description: 'The metrics have a listener of their own (`metrics.listen`)' },
  },
};
export const v1: RouteDescription = {
  summary: 'List the collections of the API',
  responses: ok('The collections', { type: 'object', required: ['id', 'links', 'media_types', 'version'] }),
};

export const nodes: RouteDescription = {
  summary: 'List nodes',
  query: { ...NODE_LIST, fields, detail: flag },
  responses: ok('A page of nodes', page('nodes', ref('Node'))),
  errors: ['node_not_found'],
};
export const nodesInDetail: RouteDescription = {
  summary: 'List nodes with all fields',
  query: NODE_LIST,
  responses: ok('A page of nodes', page('nodes', ref('Node'))),
  errors: ['node_not_found'],
};
export const newNode: RouteDescription = {
  summary: 'Enrol a node',
  body: ref('NewNode'),
  responses: { 201: { description: 'The node', schema: ref('Node'), headers: ['Location'] } },
  errors: ['driver_not_found', 'already_exists', 'not_served'],
};
export const node: RouteDescription = {
  summary: 'Show a node',
  query: { fields },
  responses: ok('The node', ref('Node')),
  errors: ['node_not_found'],
};
export const nodePatch: RouteDescription = {
  summary: 'Change a node',
  query: { reset_interfaces: flag },
  body: ref('Patch'),
  responses: ok('The changed node', ref('Node')),
  errors: ['node_not_found', 'driver_not_found', 'already_exists', 'node_locked', 'not_served', 'failed_precondition'],
};
export const nodeRemoval: RouteDescription = {
  summary: 'Remove a node',
  responses: { 204: noBody('The node was removed') },
  errors: ['node_not_found', 'node_locked', 'failed_precondition'],
};
export const maintenance: RouteDescription = {
  summary: 'Put a node into maintenance',
  body: { type: 'object', properties: { reason: { type: ['string', 'null'] } }, additionalProperties: false },
  responses: { 202: noBody('The node is in maintenance') },
  errors: ['node_not_found', 'node_locked'],
};
export const noMaintenance: RouteDescription = {
  summary: 'Take a node out of maintenance',
  responses: { 202: noBody('The node is no longer in maintenance') },
  errors: ['node_not_found', 'node_locked'],
};
export const validation: RouteDescription = {
  summary: 'Validate the vendor interface of a node',
  responses: ok(
    'The result, with the reason if it is false',
    record({ vendor: record({ result: { type: 'boolean' }, reason: { type: ['string', 'null'] } }) }),
  ),
  errors: ['node_not_found', 'driver_not_found'],
};
export const nodeMethods: RouteDescription = {
  summary: "List a node's vendor methods",
  responses: ok('The methods', ref('Methods')),
  errors: ['node_not_found', 'driver_not_found'],
};
export const driverMethods: RouteDescription = {
  summary: "List a driver's vendor methods",
  responses: ok('The methods', ref('Methods')),
  errors: ['driver_not_found'],
};

/** The response to an asynchronous call. */
export const JOB_STARTED: ResponseDescription = {
  description: 'A job was started',
  headers: ['Location', 'Passthru-Job-Id'],
};
const CALL_RESPONSES: RouteDescription['responses'] = {
  200: { description: "The method's result, null if it has none", schema: {}, mediaType: '*/*' },
  202: JOB_STARTED,
};
const CALL_ERRORS = [
  'unknown_method',
  'verb_not_allowed',
  'driver_not_found',
  'subscription_not_found',
  'subscription_exists',
  'already_exists',
  'rate_limited',
  'no_free_worker',
  'deadline_exceeded',
  'bmc_unreachable',
  'bmc_timeout',
  'bmc_refused',
  'bmc_failed',
  'bmc_busy',
  'bmc_unsupported',
  'bmc_tls_failed',
  'outcome_unknown',
  'driver_not_ready',
  'failed_precondition',
  'not_served',
] as const;
const METHOD_BY_QUERY = { method: { description: 'Name of the method.', type: 'string' } };

export const nodeCallByPath: RouteDescription = {
  summary: "Call a node's vendor method, named by the path",
  headers: ['Idempotency-Key', 'Passthru-Lock-Wait'],
  body: { description: 'The arguments', type: 'object' },
  responses: CALL_RESPONSES,
  errors: [...CALL_ERRORS, 'node_not_found', 'node_locked'],
};
export const nodeCall: RouteDescription = {
  ...nodeCallByPath,
  summary: "Call a node's vendor method, named by the query",
  query: METHOD_BY_QUERY,
};
export const driverCallByPath: RouteDescription = {
  summary: "Call a driver's vendor method, named by the path",
  headers: ['Idempotency-Key'],
  body: { description: 'The arguments', type: 'object' },
  responses: CALL_RESPONSES,
  errors: CALL_ERRORS,
};
export const driverCall: RouteDescription = {
  ...driverCallByPath,
  summary: "Call a driver's vendor method, named by the query",
  query: METHOD_BY_QUERY,
};

export const drivers: RouteDescription = {
  summary: 'List drivers',
  query: { type: { enum: ['dynamic', 'classic'] }, detail: flag },
  responses: ok('The drivers', record({ drivers: { type: 'array', items: ref('Driver') } })),
};
export const driver: RouteDescription = {
  summary: 'Show a driver',
  responses: ok('The driver', ref('Driver')),
  errors: ['driver_not_found'],
};
export const driverProperties: RouteDescription = {
  summary: 'Show the driver_info keys of a driver',
  responses: ok('A description of each key', { type: 'object', additionalProperties: text }),
  errors: ['driver_not_found'],
};
export const conductors: RouteDescription = {
  summary: 'List the processes that share the store',
  query: { detail: flag, limit: text, marker: text, sort_key: text, sort_dir: text },
  responses: ok('The processes', record({ conductors: { type: 'array', items: ref('Conductor') } })),
};
export const conductor: RouteDescription = {
  summary: 'Show a process',
  responses: ok('The process', ref('Conductor')),
  errors: ['node_not_found'],
};

export const jobs: RouteDescription = {
  summary: 'List jobs, newest first',
  query: {
    node: { description: 'UUID or name of a node.', type: 'string' },
    driver: text,
    state: { enum: ['running', 'succeeded', 'failed', 'cancelled'] },
    limit,
    marker,
  },
  responses: ok('A page of jobs', page('jobs', ref('Job'))),
  errors: ['node_not_found'],
};
export const job: RouteDescription = {
  summary: 'Show a job',
  responses: ok('The job', ref('Job')),
  errors: ['job_not_found'],
};
export const jobCancel: RouteDescription = {
  summary: 'Request cancellation of a job',
  responses: ok('The job, which may still be running', ref('Job')),
  errors: ['job_not_found', 'failed_precondition'],
};
export const jobEvents: RouteDescription = {
  summary: 'Watch a job',
  query: {
    after_revision: {
      description: 'As Last-Event-ID, which takes precedence.',
      type: 'string',
      pattern: '^[0-9]{1,15}$',
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
    204: noBody('The job has ended and there are no further events'),
  },
  errors: ['job_not_found'],
};
