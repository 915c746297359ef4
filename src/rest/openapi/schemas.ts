import { ErrorDetailSchema } from '../../../gen/passthru/v1/error_pb.ts';
import { JobSchema } from '../../../gen/passthru/v1/job_pb.ts';
import { HTTP_METHODS } from '../../core/task.ts';
import { INTERFACES } from '../drivers.ts';
import { NODE_KEYS } from '../nodes/nodeDocument.ts';
import { NODE_FIELDS, type NodeField, UNSUPPORTED_INTERFACES } from '../nodes/nodeFields.ts';
import type { Schema } from './description.ts';
import { messageSchema } from './messageSchema.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const alwaysNull = { type: 'null' };
const object = { type: 'object' };
const links = { type: 'array', items: ref('Link') };
const strings = { type: 'array', items: text };

/** Returns a reference to one of `SCHEMAS`. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** Returns the schema of an object with exactly these properties. */
export function record(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

/** Returns the schema of a page whose entries are in `name`. */
export function page(name: string, entry: Schema): Schema {
  const properties = { [name]: { type: 'array', items: entry }, next: { type: 'string', format: 'uri' } };
  return { type: 'object', properties, required: [name], additionalProperties: false };
}

const WRITTEN: Readonly<Record<NodeField['kind'], Schema>> = {
  text: textOrNull,
  uuid: { type: ['string', 'null'], format: 'uuid' },
  boolean: {
    description: 'A boolean, or a word for one: "true", "False", "1", "no"',
    type: ['boolean', 'string', 'null'],
  },
  object: { type: ['object', 'null'] },
};

/** Read-only fields of a node that are not always null. */
const SHOWN: Readonly<Record<string, Schema>> = {
  uuid: { type: 'string', format: 'uuid' },
  created_at: { type: 'string', format: 'date-time' },
  updated_at: { type: ['string', 'null'], format: 'date-time' },
  clean_step: object,
  console_enabled: { type: 'boolean' },
  deploy_step: object,
  driver_internal_info: object,
  last_error: textOrNull,
  maintenance_reason: textOrNull,
  provision_state: text,
  raid_config: object,
  reservation: { description: 'Holder of the reservation', ...textOrNull },
  target_raid_config: object,
  traits: strings,
  conductor: text,
  links,
  ports: links,
  states: links,
  portgroups: links,
  volume: links,
};

function shownField({ kind, default: fallback }: NodeField): Schema {
  switch (kind) {
    case 'boolean':
      return { type: fallback === null ? ['boolean', 'null'] : 'boolean' };
    case 'object':
      return object;
    default:
      return WRITTEN[kind];
  }
}

function nodeSchema(): Schema {
  const shown = NODE_KEYS.map((key) => {
    const field = NODE_FIELDS.get(key);
    return [key, SHOWN[key] ?? (field === undefined ? alwaysNull : shownField(field))];
  });
  return { type: 'object', properties: Object.fromEntries(shown), required: ['links'], additionalProperties: false };
}

function newNodeSchema(): Schema {
  const written = [...NODE_FIELDS].map(([key, { kind, maxLength }]) => [key, { ...WRITTEN[kind], maxLength }]);
  const unserved = UNSUPPORTED_INTERFACES.map((key) => [key, alwaysNull]);
  return {
    type: 'object',
    properties: {
      uuid: { type: ['string', 'null'], format: 'uuid' },
      ...Object.fromEntries([...written, ...unserved]),
      driver: { ...text, maxLength: NODE_FIELDS.get('driver')?.maxLength },
    },
    required: ['driver'],
    additionalProperties: false,
  };
}

function driverSchema(): Schema {
  const interfaces = INTERFACES.flatMap((kind) => [
    [`default_${kind}_interface`, textOrNull],
    [`enabled_${kind}_interfaces`, strings],
  ]);
  const summary = { name: text, hosts: strings, links, properties: links, type: { const: 'dynamic' } };
  return {
    ...record(summary),
    properties: { ...summary, ...Object.fromEntries(interfaces) },
  };
}

/** Shared schemas of requests and responses. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Error: {
    description: "Ironic's error: error_message contains the schema Fault as a JSON text, hence encoded twice.",
    type: 'object',
    properties: {
      error_message: { ...text, contentMediaType: 'application/json', contentSchema: ref('Fault') },
      error: {
        description: 'Only with 401, as keystonemiddleware sends it.',
        ...record({ code: { const: 401 }, title: text, message: text }),
      },
    },
    required: ['error_message'],
    additionalProperties: false,
  },
  Fault: {
    description: 'For unknown paths, verbs and versions: code, title and description instead.',
    type: 'object',
    properties: {
      faultcode: { enum: ['Client', 'Server'] },
      faultstring: { description: 'A message for the user.', ...text },
      debuginfo: alwaysNull,
      detail: messageSchema(ErrorDetailSchema),
      code: { type: 'integer' },
      title: text,
      description: text,
    },
  },
  Link: {
    type: 'object',
    properties: { href: text, rel: text, type: text },
    required: ['href', 'rel'],
    additionalProperties: false,
  },
  Version: record({ id: text, links, status: text, min_version: text, version: text }),
  Node: nodeSchema(),
  NewNode: newNodeSchema(),
  Patch: {
    description: 'A JSON Patch (RFC 6902), limited to three operations.',
    type: 'array',
    items: {
      type: 'object',
      properties: {
        op: { enum: ['add', 'replace', 'remove'] },
        path: { description: 'For example /extra/key', type: 'string', pattern: '^(/[\\w-]+)+$' },
        value: {},
      },
      required: ['op', 'path'],
      additionalProperties: false,
    },
  },
  Driver: driverSchema(),
  Conductor: {
    ...record({ hostname: text, conductor_group: text, links, alive: { type: 'boolean' } }),
    properties: { hostname: text, conductor_group: text, links, alive: { type: 'boolean' }, drivers: strings },
  },
  Methods: {
    description: 'Methods by name.',
    type: 'object',
    additionalProperties: record({
      http_methods: { type: 'array', items: { enum: HTTP_METHODS } },
      async: { description: 'Whether a call starts a job.', type: 'boolean' },
      description: text,
      attach: { description: 'Whether the result is an attachment.', type: 'boolean' },
      require_exclusive_lock: { type: 'boolean' },
    }),
  },
  Job: messageSchema(JobSchema),
};
