import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { ErrorDetailSchema, ReservationSchema } from '../../../gen/passthru/v1/error_pb.ts';
import { EventSchema, EventSourceSchema } from '../../../gen/passthru/v1/event_pb.ts';
import { JobSchema } from '../../../gen/passthru/v1/job_pb.ts';
import { NodeSchema } from '../../../gen/passthru/v1/node_pb.ts';
import { HTTP_METHODS } from '../../core/task.ts';
import { DRIVER_FIELDS, NODE_FIELDS, type Written } from '../apiTable.ts';
import { WRITABLE } from '../nodes/nodeFields.ts';
import type { Schema } from './description.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const alwaysNull = { type: 'null' };
const object = { type: 'object' };
const links = arrayOf(ref('Link'));
const strings = arrayOf(text);

/** Returns a reference to one of `SCHEMAS`. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function arrayOf(items: Schema): Schema {
  return { type: 'array', items };
}

/** Returns the schema of an object with exactly these properties. */
export function record(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

/** Returns the schema of a page whose entries are in `name`. */
export function page(name: string, entry: Schema): Schema {
  const properties = { [name]: arrayOf(entry), next: { type: 'string', format: 'uri' } };
  return { type: 'object', properties, required: [name], additionalProperties: false };
}

const WRITTEN: Readonly<Record<Written['kind'], Schema>> = {
  text: textOrNull,
  interface: textOrNull,
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
  deploy_step: object,
  driver_internal_info: object,
  last_error: textOrNull,
  maintenance_reason: textOrNull,
  provision_state: textOrNull,
  raid_config: object,
  service_step: object,
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

function shownField({ kind, default: fallback }: Written): Schema {
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
  const fields = [...NODE_FIELDS].map(([key, { write }]) => [
    key,
    SHOWN[key] ?? (write === undefined ? alwaysNull : shownField(write)),
  ]);
  return { type: 'object', properties: Object.fromEntries(fields), required: ['links'], additionalProperties: false };
}

function newNodeSchema(): Schema {
  const written = [...WRITABLE]
    .filter(([, { on }]) => on !== 'patch')
    .map(([key, { kind, minLength, maxLength }]) => [key, { ...WRITTEN[kind], minLength, maxLength }]);
  return {
    type: 'object',
    properties: {
      uuid: { type: ['string', 'null'], format: 'uuid' },
      ...Object.fromEntries(written),
      driver: { ...text, maxLength: WRITABLE.get('driver')?.maxLength },
    },
    required: ['driver'],
    additionalProperties: false,
  };
}

function driverSchema(): Schema {
  const summary = { name: text, hosts: strings, links, properties: links, type: { const: 'dynamic' } };
  const interfaces = [...DRIVER_FIELDS.keys()]
    .filter((key) => !(key in summary))
    .map((key) => [key, key.startsWith('default_') ? textOrNull : strings]);
  return {
    type: 'object',
    properties: { ...summary, ...Object.fromEntries(interfaces) },
    required: ['links'],
    additionalProperties: false,
  };
}

/** Schemas of well-known types with a special form in proto3 JSON. */
const WELL_KNOWN: Readonly<Record<string, Schema>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string' },
  'google.protobuf.Struct': { type: 'object' },
  'google.protobuf.Value': {},
  'google.protobuf.ListValue': { type: 'array' },
};

/** Returns the JSON Schema of a message in proto3 JSON with the proto's names. The message must not be recursive. */
function messageSchema(message: DescMessage): Schema {
  return (
    WELL_KNOWN[message.typeName] ?? {
      type: 'object',
      properties: Object.fromEntries(message.fields.map((field) => [field.name, fieldSchema(field)])),
      additionalProperties: false,
    }
  );
}

function fieldSchema(field: DescField): Schema {
  switch (field.fieldKind) {
    case 'list':
      return { type: 'array', items: valueSchema(field.listKind, field) };
    case 'map':
      return { type: 'object', additionalProperties: valueSchema(field.mapKind, field) };
    default:
      return valueSchema(field.fieldKind, field);
  }
}

function valueSchema(
  kind: 'scalar' | 'enum' | 'message',
  { scalar, enum: values, message }: Pick<DescField, 'scalar' | 'enum' | 'message'>,
): Schema {
  if (kind === 'message' && message !== undefined) return messageSchema(message);
  if (kind === 'enum') return { type: 'string', enum: values?.values.map(({ name }) => name) };
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return { type: 'integer' };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return { type: 'string', pattern: '^-?[0-9]+$' };
    default:
      return { type: 'string' };
  }
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
  Shards: record({ shards: arrayOf(record({ name: text, count: { type: 'integer', minimum: 1 } })) }),
  Conductor: {
    type: 'object',
    properties: {
      created_at: { type: 'string', format: 'date-time' },
      updated_at: { type: 'string', format: 'date-time' },
      hostname: text,
      conductor_group: text,
      drivers: strings,
      links,
      alive: { type: 'boolean' },
    },
    required: ['links'],
    additionalProperties: false,
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
  Event: messageSchema(EventSchema),
  EventSource: messageSchema(EventSourceSchema),
  WatchedNode: messageSchema(NodeSchema),
  Reservation: messageSchema(ReservationSchema),
};
