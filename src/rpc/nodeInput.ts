import { create } from '@bufbuild/protobuf';
import { type Node as NodeMessage, NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import type { JsonObject } from '../core/json.ts';
import type { NewNode, Node, NodeUpdate } from '../core/node.ts';
import { invalidField, readStruct, textOrNull } from './fields.ts';

/**
 * Returns the node to enrol. Strings that are empty in the message are absent, and output-only fields are ignored.
 * @throws kind `invalid_argument` when the driver is missing or a Struct holds numbers that JSON cannot
 */
export function newNode(given: NodeMessage): NewNode {
  if (given.driver === '') throw invalidField('node.driver', 'must be given');
  return {
    uuid: given.uuid === '' ? undefined : given.uuid,
    name: textOrNull(given.name),
    driver: given.driver,
    vendorInterface: textOrNull(given.vendorInterface),
    driverInfo: readStruct('node.driver_info', given.driverInfo),
    extra: readStruct('node.extra', given.extra),
    properties: readStruct('node.properties', given.properties),
    description: textOrNull(given.description),
    maintenance: given.maintenance,
    maintenanceReason: textOrNull(given.maintenanceReason),
  };
}

/** The fields that hold an object. A path may name a member, `driver_info.KEY`: KEY is all after the first dot. */
const OBJECTS = { driver_info: 'driverInfo', extra: 'extra', properties: 'properties' } as const;

/** The changes of the other fields, to the values of a message. */
const PLAIN: Readonly<Record<string, (values: NodeMessage) => NodeUpdate>> = {
  name: ({ name }) => ({ name: textOrNull(name) }),
  driver: ({ driver }) => ({ driver }),
  vendor_interface: ({ vendorInterface }) => ({ vendorInterface: textOrNull(vendorInterface) }),
  description: ({ description }) => ({ description: textOrNull(description) }),
  maintenance: ({ maintenance }) => ({ maintenance }),
  maintenance_reason: ({ maintenanceReason }) => ({ maintenanceReason: textOrNull(maintenanceReason) }),
};

const ALLOWED = [...Object.keys(PLAIN), ...Object.keys(OBJECTS).flatMap((field) => [field, `${field}.KEY`])].join(', ');

/**
 * Returns the changes of an UpdateNode, as a function of the node to change. A path without a value removes its field;
 * a removed vendor_interface is reset to the driver's default.
 * @throws kind `invalid_argument` when there is no path, or one that does not name a changeable field
 */
export function nodeChanges(paths: readonly string[], given: NodeMessage | undefined): (node: Node) => NodeUpdate {
  if (paths.length === 0) throw invalidField('update_mask', `must name the fields to change: ${ALLOWED}`);
  const parts = paths.map(splitPath);
  const values = given ?? create(NodeSchema);
  const objects = {
    driverInfo: readStruct('values.driver_info', values.driverInfo),
    extra: readStruct('values.extra', values.extra),
    properties: readStruct('values.properties', values.properties),
  };

  return (node) => {
    const changes: NodeUpdate = {};
    for (const { field, key } of parts) {
      if (isObjectField(field)) {
        const name = OBJECTS[field];
        changes[name] = key === null ? objects[name] : withMember(changes[name] ?? node[name], objects[name], key);
      } else Object.assign(changes, PLAIN[field]?.(values));
    }
    return changes;
  };
}

/** Returns `object` with the member `key` taken from `values`, or removed when absent there. */
function withMember(object: JsonObject, values: JsonObject, key: string): JsonObject {
  const members = Object.entries(object).filter(([name]) => name !== key);
  // fromEntries makes own members of all names, including __proto__.
  if (Object.hasOwn(values, key)) members.push([key, values[key] ?? null]);
  return Object.fromEntries(members);
}

/** Splits a path of an update mask into a field and the key of a member. Throws kind `invalid_argument` for others. */
function splitPath(path: string): { field: string; key: string | null } {
  const dot = path.indexOf('.');
  const field = dot === -1 ? path : path.slice(0, dot);
  const key = dot === -1 ? null : path.slice(dot + 1);
  if (isObjectField(field) ? key !== '' : key === null && Object.hasOwn(PLAIN, field)) return { field, key };
  throw invalidField('update_mask', `must name changeable fields, not '${path}'; allowed: ${ALLOWED}`);
}

function isObjectField(field: string): field is keyof typeof OBJECTS {
  return Object.hasOwn(OBJECTS, field);
}
