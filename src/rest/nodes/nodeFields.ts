import { PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { isUuid, type NewNode, type Node, type NodeUpdate } from '../../core/node.ts';
import { findMask } from '../../core/secrets.ts';
import { booleanWord } from '../booleanWord.ts';

/** A field of a node that a caller may write. */
export interface NodeField {
  kind: 'text' | 'boolean' | 'object' | 'uuid';
  /** What null, or removing the field, makes of it. */
  default: Json;
  /** The longest text, in characters. */
  maxLength?: number;
  /** Where the core keeps it; absent for an attribute that the service keeps and does not interpret. */
  core?: 'name' | 'driver' | 'vendorInterface' | 'driverInfo' | 'extra' | 'properties' | 'description' | 'maintenance';
}

const text = (maxLength: number, core?: NodeField['core']): NodeField => ({
  kind: 'text',
  default: null,
  maxLength,
  core,
});
const object = (core?: NodeField['core']): NodeField => ({ kind: 'object', default: {}, core });

/** Every field that may be written, by Ironic's key. The core checks what it interprets further. */
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

/** The interfaces of Ironic's nodes that are not served here: each may be null and nothing else. */
export const UNSERVED_INTERFACES: readonly string[] = [
  'bios_interface',
  'boot_interface',
  'console_interface',
  'deploy_interface',
  'inspect_interface',
  'management_interface',
  'network_interface',
  'power_interface',
  'raid_interface',
  'rescue_interface',
  'storage_interface',
];

/** What a node has for a writable field. */
export function readField(node: Node, key: string, field: NodeField): Json {
  return (field.core === undefined ? node.attributes[key] : node[field.core]) ?? field.default;
}

/**
 * `value` as the field `key` holds it: null becomes the default, and a boolean may come as Ironic's callers write it.
 * Throws `invalid_argument` naming the key, and never repeating the value, which may be a secret.
 * @param schema what the error speaks of: `node` or `patch`, as Ironic does
 */
export function checkField(schema: 'node' | 'patch', key: string, field: NodeField, value: Json): Json {
  if (value === null) return field.default;
  switch (field.kind) {
    case 'text':
      if (typeof value !== 'string') throw badField(schema, key, 'must be a string or null');
      if (value.length > (field.maxLength ?? 255)) {
        throw badField(schema, key, `must be at most ${field.maxLength} characters long`);
      }
      return value;
    case 'uuid':
      if (typeof value !== 'string' || !isUuid(value)) throw badField(schema, key, 'must be a UUID or null');
      return value;
    case 'boolean': {
      const flag = typeof value === 'string' ? booleanWord(value) : value;
      if (typeof flag !== 'boolean') throw badField(schema, key, 'must be a boolean or null');
      return flag;
    }
    case 'object': {
      if (!isJsonObject(value)) throw badField(schema, key, 'must be an object or null');
      // The core looks for the mask where it knows secrets to be; these two it does not read.
      const masked = field.core === undefined ? findMask(value) : null;
      if (masked !== null) throw badField(schema, `${key}.${masked}`, 'must not be ******, which stands for a secret');
      return value;
    }
  }
}

/** Refuses an interface that is not served, unless it is null. Throws `not_served`. */
export function checkUnservedInterface(key: string, value: Json): void {
  if (value === null) return;
  const description = 'is not served here; vendor_interface is the only interface that can be set';
  throw new PassthruError('not_served', `${key} ${description}`, { violations: [{ field: key, description }] });
}

/** `attributes` with the field `key` set; what equals the default is not kept. */
export function withAttribute(attributes: JsonObject, key: string, field: NodeField, value: Json): JsonObject {
  const { [key]: _, ...others } = attributes;
  const isDefault =
    value === field.default || (field.kind === 'object' && Object.keys(value as JsonObject).length === 0);
  return isDefault ? others : { ...others, [key]: value };
}

/** Sets a core field of what is asked of the core. `value` has been checked, so that its type fits. */
export function setCoreField(changes: NodeUpdate | NewNode, core: NonNullable<NodeField['core']>, value: Json): void {
  (changes as Record<string, Json>)[core] = value;
}

/** An `invalid_argument` about the field `key`, in Ironic's words. */
export function badField(schema: 'node' | 'patch', key: string, description: string): PassthruError {
  return new PassthruError('invalid_argument', `Schema error for ${schema}: '${key}' ${description}`, {
    violations: [{ field: key, description }],
  });
}
