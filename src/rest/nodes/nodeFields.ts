import { booleanWord } from '../../core/arguments.ts';
import { invalidArgument, type PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import { isUuid, type Node } from '../../core/node.ts';
import { findMask } from '../../core/secrets.ts';
import { INTERFACES } from '../drivers.ts';

/** A writable field of a node. */
export interface NodeField {
  kind: 'text' | 'boolean' | 'object' | 'uuid';
  /** The value after setting it to null or removing it. */
  default: Json;
  /** Maximum length of a text, in characters. */
  maxLength?: number;
  /** The core's name of the field; absent for attributes, which are stored but not interpreted. */
  core?: 'name' | 'driver' | 'vendorInterface' | 'driverInfo' | 'extra' | 'properties' | 'description' | 'maintenance';
}

const text = (maxLength: number, core?: NodeField['core']) =>
  ({ kind: 'text', default: null, maxLength, core }) as const;
const object = (core?: NodeField['core']) => ({ kind: 'object', default: {}, core }) as const;

/** All writable fields by Ironic's key. The core further checks the fields that it interprets. */
export const NODE_FIELDS: ReadonlyMap<string, NodeField> = new Map(
  Object.entries({
    automated_clean: { kind: 'boolean', default: null },
    chassis_uuid: { kind: 'uuid', default: null },
    conductor_group: { kind: 'text', default: '', maxLength: 255 },
    description: text(4096, 'description'),
    driver: text(255, 'driver'),
    driver_info: object('driverInfo'),
    extra: object('extra'),
    instance_info: object(),
    instance_uuid: { kind: 'uuid', default: null },
    lessee: text(255),
    maintenance: { kind: 'boolean', default: false, core: 'maintenance' },
    name: text(255, 'name'),
    network_data: object(),
    owner: text(255),
    properties: object('properties'),
    protected: { kind: 'boolean', default: false },
    protected_reason: text(4096),
    resource_class: text(80),
    retired: { kind: 'boolean', default: false },
    retired_reason: text(4096),
    shard: text(255),
    vendor_interface: text(255, 'vendorInterface'),
  } satisfies Record<string, NodeField>),
);

/** Ironic's node interfaces that are not supported here: null is the only value allowed. */
export const UNSUPPORTED_INTERFACES: readonly string[] = INTERFACES.filter((kind) => kind !== 'vendor')
  .map((kind) => `${kind}_interface`)
  .sort();

/** Returns the value of a node's writable field. */
export function readField(node: Node, key: string, field: NodeField): Json {
  return (field.core === undefined ? node.attributes[key] : node[field.core]) ?? field.default;
}

/**
 * Converts `value` for the field `key`: null becomes the default, and booleans may be written in words, as in Ironic.
 * Throws `invalid_argument` with the key, never with the value, which may be a secret.
 * @param schema the document that Ironic's error message names
 */
export function checkField(schema: 'node' | 'patch', key: string, field: NodeField, value: Json): Json {
  if (value === null) return field.default;
  const bad = (description: string) => badField(schema, key, description);
  switch (field.kind) {
    case 'text':
      if (typeof value !== 'string') throw bad('must be a string or null');
      if (value.length > (field.maxLength ?? 255)) throw bad(`must be at most ${field.maxLength} characters long`);
      return value;
    case 'uuid':
      if (typeof value !== 'string' || !isUuid(value)) throw bad('must be a UUID or null');
      return value;
    case 'boolean': {
      const flag = typeof value === 'string' ? booleanWord(value) : value;
      if (typeof flag !== 'boolean') throw bad('must be a boolean or null');
      return flag;
    }
    case 'object': {
      if (!isJsonObject(value)) throw bad('must be an object or null');
      // The core checks driver_info for the mask; it does not interpret these attributes.
      const masked = field.core === undefined ? findMask(value) : null;
      if (masked !== null) throw badField(schema, `${key}.${masked}`, 'must not be ******, the mask of a secret');
      return value;
    }
  }
}

/** Returns an `invalid_argument` for the field `key`, in Ironic's words. */
export function badField(schema: 'node' | 'patch', key: string, description: string): PassthruError {
  return invalidArgument(key, description, `Schema error for ${schema}: '${key}' ${description}`);
}
