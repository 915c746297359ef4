import { NODE_KEYS } from '../nodes/nodeDocument.ts';
import { NODE_FIELDS } from '../nodes/nodeFields.ts';
import { FILTERS, PAGING, SORT_KEYS } from '../nodes/nodeList.ts';
import type { AnswerDescription, RouteDescription, Schema } from './description.ts';
import { page, record, ref } from './schemas.ts';

const text = { type: 'string' };
const flag = { description: 'A boolean, or one in words: true, False, 1, no', type: ['boolean', 'string'] };
const limit = { description: 'The most entries of a page.', type: 'integer', minimum: 1 };
const marker = { description: 'The last entry of the page before.', type: 'string', format: 'uuid' };
const fields = {
  description: 'The keys to show, separated by commas.',
  type: 'string',
  pattern: `^(${NODE_KEYS.join('|')})(,(${NODE_KEYS.join('|')}))*$`,
};

function ok(description: string, schema: Schema, headers?: AnswerDescription['headers']): RouteDescription['answers'] {
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

const noBody = (description: string): AnswerDescription => ({ description });

export const root: RouteDescription = {
  summary: 'Tell the versions of the API',
  answers: ok('The versions', { type: 'object', required: ['name', 'description', 'default_version', 'versions'] }),
};
export const health: RouteDescription = {
  summary: 'Tell whether the service takes calls',
  answers: {
    ...ok('It does', record({ status: { const: 'ok' } })),
    503: {
      description: 'It does not',
      schema: record({ status: { const: 'unavailable' }, reason: text }),
      headers: ['Retry-After'],
    },
  },
};
export const openApi: RouteDescription = {
  summary: 'Show this document',
  answers: ok('The OpenAPI document', { type: 'object' }),
};
export const metrics: RouteDescription = {
  summary: 'Show the figures of the service, for Prometheus',
  answers: {
    200: { description: 'The figures, in the format of Prometheus', schema: text, mediaType: 'text/plain' },
    404: { description: 'The figures have a listener of their own (`metrics.listen`)' },
  },
};
export const v1: RouteDescription = {
  summary: 'Name the collections of the API',
  answers: ok('The collections', { type: 'object', required: ['id', 'links', 'media_types', 'version'] }),
};

export const nodes: RouteDescription = {
  summary: 'List nodes',
  query: { ...NODE_LIST, fields, detail: flag },
  answers: ok('A page of nodes', page('nodes', ref('Node'))),
  errors: ['node_not_found'],
};
export const nodesInDetail: RouteDescription = {
  summary: 'List nodes with all of their fields',
  query: NODE_LIST,
  answers: ok('A page of nodes', page('nodes', ref('Node'))),
  errors: ['node_not_found'],
};
export const newNode: RouteDescription = {
  summary: 'Enrol a node',
  body: ref('NewNode'),
  answers: { 201: { description: 'The node', schema: ref('Node'), headers: ['Location'] } },
  errors: ['driver_not_found', 'already_exists', 'not_served'],
};
export const node: RouteDescription = {
  summary: 'Show a node',
  query: { fields },
  answers: ok('The node', ref('Node')),
  errors: ['node_not_found'],
};
export const nodePatch: RouteDescription = {
  summary: 'Change a node',
  query: { reset_interfaces: flag },
  body: ref('Patch'),
  answers: ok('The node as it is now', ref('Node')),
  errors: ['node_not_found', 'driver_not_found', 'already_exists', 'node_locked', 'not_served', 'failed_precondition'],
};
export const nodeRemoval: RouteDescription = {
  summary: 'Remove a node',
  answers: { 204: noBody('It is removed') },
  errors: ['node_not_found', 'node_locked', 'failed_precondition'],
};
export const maintenance: RouteDescription = {
  summary: 'Set a node into maintenance',
  body: { type: 'object', properties: { reason: { type: ['string', 'null'] } }, additionalProperties: false },
  answers: { 202: noBody('It is in maintenance') },
  errors: ['node_not_found', 'node_locked'],
};
export const noMaintenance: RouteDescription = {
  summary: 'Take a node out of maintenance',
  answers: { 202: noBody('It is in maintenance no more') },
  errors: ['node_not_found', 'node_locked'],
};
export const validation: RouteDescription = {
  summary: 'Tell whether the vendor interface can work with the node',
  answers: ok(
    'Whether, and why not',
    record({ vendor: record({ result: { type: 'boolean' }, reason: { type: ['string', 'null'] } }) }),
  ),
  errors: ['node_not_found', 'driver_not_found'],
};
export const nodeMethods: RouteDescription = {
  summary: "List a node's vendor methods",
  answers: ok('The methods', ref('Methods')),
  errors: ['node_not_found', 'driver_not_found'],
};
export const driverMethods: RouteDescription = {
  summary: "List a driver's vendor methods",
  answers: ok('The methods', ref('Methods')),
  errors: ['driver_not_found'],
};

/** What a call of a method answers when it starts a job. */
export const JOB_STARTED: AnswerDescription = {
  description: 'A job was started',
  headers: ['Location', 'Passthru-Job-Id'],
};
const CALL_ANSWERS: RouteDescription['answers'] = {
  200: { description: 'What the method answers; null when that is nothing', schema: {}, mediaType: '*/*' },
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
const METHOD_BY_QUERY = { method: { description: 'The name of the method.', type: 'string' } };

export const nodeCallByPath: RouteDescription = {
  summary: "Call a node's vendor method, named by the path",
  headers: ['Idempotency-Key', 'Passthru-Lock-Wait'],
  body: { description: 'The arguments', type: 'object' },
  answers: CALL_ANSWERS,
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
  answers: CALL_ANSWERS,
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
  answers: ok('The drivers', record({ drivers: { type: 'array', items: ref('Driver') } })),
};
export const driver: RouteDescription = {
  summary: 'Show a driver',
  answers: ok('The driver', ref('Driver')),
  errors: ['driver_not_found'],
};
export const driverProperties: RouteDescription = {
  summary: 'Tell the keys of driver_info that a driver reads',
  answers: ok('What each key means', { type: 'object', additionalProperties: text }),
  errors: ['driver_not_found'],
};
export const conductors: RouteDescription = {
  summary: 'List the processes that serve the same store',
  query: { detail: flag, limit: text, marker: text, sort_key: text, sort_dir: text },
  answers: ok('The processes', record({ conductors: { type: 'array', items: ref('Conductor') } })),
};
export const conductor: RouteDescription = {
  summary: 'Show a process',
  answers: ok('The process', ref('Conductor')),
  errors: ['node_not_found'],
};

export const jobs: RouteDescription = {
  summary: 'List jobs, the newest first',
  query: {
    node: { description: 'A UUID or a name.', type: 'string' },
    driver: text,
    state: { enum: ['running', 'succeeded', 'failed', 'cancelled'] },
    limit,
    marker,
  },
  answers: ok('A page of jobs', page('jobs', ref('Job'))),
  errors: ['node_not_found'],
};
export const job: RouteDescription = {
  summary: 'Show a job',
  answers: ok('The job', ref('Job')),
  errors: ['job_not_found'],
};
export const jobCancel: RouteDescription = {
  summary: 'Ask a job to stop',
  answers: ok('The job as it is now, which may run on for a while', ref('Job')),
  errors: ['job_not_found', 'failed_precondition'],
};
export const jobEvents: RouteDescription = {
  summary: 'Watch a job',
  query: {
    after_revision: { description: 'As Last-Event-ID, which comes first.', type: 'string', pattern: '^[0-9]{1,15}$' },
  },
  headers: ['Last-Event-ID'],
  answers: {
    200: {
      description: 'An event `job` for each revision, its id, whose data is the job; the schema is that of one event',
      schema: record({
        event: { const: 'job' },
        id: text,
        data: { type: 'string', contentMediaType: 'application/json', contentSchema: ref('Job') },
      }),
      mediaType: 'text/event-stream',
    },
    204: noBody('No more will come'),
  },
  errors: ['job_not_found'],
};
