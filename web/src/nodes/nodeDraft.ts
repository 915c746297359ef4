import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Driver } from '../../../gen/passthru/v1/driver_pb.ts';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { isObject, memberOf, sameJson, textOf, withMember } from '../schemaForm/schema.ts';
import { texts } from '../texts.ts';

/** What the service shows in place of a secret, and does not take. */
const MASK = '******';

/** The members of a node that hold an object, by their names in a message and in the contract. */
const OBJECTS = { driverInfo: 'driver_info', properties: 'properties', extra: 'extra' } as const;
const PLAIN = {
  name: 'name',
  driver: 'driver',
  vendorInterface: 'vendor_interface',
  description: 'description',
  maintenance: 'maintenance',
  maintenanceReason: 'maintenance_reason',
} as const;

/** Returns the schema of the form of a node: the contract's fields, and the keys that its driver reads or that are masked. */
export function nodeSchema(drivers: readonly Driver[], draft: JsonObject, masked: readonly string[]): JsonObject {
  const driver = drivers.find(({ name }) => name === draft.driver);
  const descriptions = new Map(Object.entries(driver?.properties ?? {}));
  const keys = [...descriptions].map(([key, description]): [string, JsonObject] => [
    key,
    // The form leaves out what only Ironic's callers give.
    { type: 'string', description, deprecated: description.startsWith('Accepted for compatibility') },
  ]);
  const kept = masked.map((key): [string, JsonObject] => [
    key,
    { kept: true, description: `${descriptions.get(key) ?? ''} ${texts.enrol.masked}`.trim() },
  ]);
  const words = texts.enrol.help;
  return {
    type: 'object',
    required: ['driver'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', description: words.name },
      driver: { enum: drivers.map(({ name }) => name), description: words.driver },
      vendor_interface: {
        enum: [...(driver?.enabledVendorInterfaces ?? [])],
        description: driver === undefined ? '' : words.vendorInterface(driver.defaultVendorInterface),
      },
      driver_info: {
        type: 'object',
        properties: Object.fromEntries([...keys, ...kept]),
        description: words.driverInfo,
      },
      description: { type: 'string' },
      properties: { type: 'object', description: words.properties },
      extra: { type: 'object', description: words.extra },
      maintenance: { type: 'boolean', description: words.maintenance },
      maintenance_reason: { type: 'string' },
    },
  };
}

/** Returns a node as the form has it: without what is empty, and without its secrets. */
export function draftOf(node: Node): JsonObject {
  let draft: JsonObject = {};
  for (const [member, name] of Object.entries(PLAIN) as [keyof typeof PLAIN, string][])
    if (node[member]) draft = withMember(draft, name, node[member]);
  for (const [member, name] of Object.entries(OBJECTS) as [keyof typeof OBJECTS, string][]) {
    const shown = Object.entries(node[member] ?? {}).filter(([, value]) => value !== MASK);
    if (shown.length > 0) draft = withMember(draft, name, Object.fromEntries(shown));
  }
  return draft;
}

/** Returns the keys of driver_info whose values are not shown. */
export function maskedKeys(node: Node): string[] {
  return Object.entries(node.driverInfo ?? {})
    .filter(([, value]) => value === MASK)
    .map(([key]) => key);
}

/** Returns the values of a message out of those of the form, without the secrets among `masked` that are to be removed. */
export function valuesOfDraft(draft: JsonObject, masked: readonly string[] = []) {
  const object = (name: string): JsonObject => {
    const value = memberOf(draft, name);
    return isObject(value) ? value : {};
  };
  const info = Object.entries(object('driver_info')).filter(([key, value]) => value !== null || !masked.includes(key));
  return {
    name: textOf(draft.name),
    driver: textOf(draft.driver),
    vendorInterface: textOf(draft.vendor_interface),
    description: textOf(draft.description),
    maintenance: draft.maintenance === true,
    maintenanceReason: textOf(draft.maintenance_reason),
    driverInfo: Object.fromEntries(info),
    properties: object('properties'),
    extra: object('extra'),
  };
}

/** Returns the paths of what differs between two drafts, as an update mask names them: members of objects one by one. */
export function changedPaths(before: JsonObject, after: JsonObject): string[] {
  const paths = Object.values(PLAIN).filter((name) => !sameJson(before[name], after[name]));
  const members = Object.values(OBJECTS).flatMap((name) => {
    const [old, now] = [memberOf(before, name) ?? {}, memberOf(after, name) ?? {}].map(
      (value): JsonObject => (isObject(value as JsonValue) ? (value as JsonObject) : {}),
    ) as [JsonObject, JsonObject];
    return [...new Set([...Object.keys(old), ...Object.keys(now)])]
      .filter((key) => !sameJson(memberOf(old, key), memberOf(now, key)))
      .map((key) => `${name}.${key}`);
  });
  return [...paths, ...members];
}
