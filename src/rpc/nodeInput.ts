import { create } from '@bufbuild/protobuf';
import { type Node as NodeMessage, NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import { isFiniteJson } from '../contract/value.ts';
import type { JsonObject } from '../core/json.ts';
import type { NewNode, Node, NodeUpdate } from '../core/node.ts';
import { invalidField } from './errors.ts';

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

/** Returns a proto3 string without presence, null when empty. */
function textOrNull(text: string): string | null {
  return text === '' ? null : text;
}

/** Returns the object in a Struct field, `{}` when absent. Throws kind `invalid_argument` for NaN and infinite numbers. */
function readStruct(field: string, struct: JsonObject | undefined): JsonObject {
  if (struct === undefined) return {};
  if (!isFiniteJson(struct)) throw invalidField(field, 'must not hold NaN or infinite numbers');
  return struct;
}

/** The fields that hold an object. A path may name one member, `driver_info.KEY`; KEY is everything after the first dot. */
const OBJECTS = { driver_info: 'driverInfo', extra: 'extra', properties: 'properties' } as const;

const PLAIN = ['name', 'driver', 'vendor_interface', 'description', 'maintenance', 'maintenance_reason'];

const ALLOWED = [...PLAIN, ...Object.keys(OBJECTS).flatMap((field) => [field, `${field}.KEY`])].join(', ');

/**
 * Returns the changes of an UpdateNode, as a function of the node to change. A path without a value removes its field; a
 * removed vendor_interface is reset to the driver's default.
 * @throws kind `invalid_argument` when there is no path, or one that does not name a changeable field
 */
export function nodeChanges(paths: readonly string[], given: NodeMessage | undefined): (node: Node) => NodeUpdate {
  if (paths.length === 0) throw invalidField('update_mask', `must name the fields to change: ${ALLOWED}`);
  for (const path of paths) checkPath(path);
  const values = given ?? create(NodeSchema);
  const objects = {
    driverInfo: readStruct('values.driver_info', values.driverInfo),
    extra: readStruct('values.extra', values.extra),
    properties: readStruct('values.properties', values.properties),
  };

  return (node) => {
    const changes: NodeUpdate = {};
    for (const path of paths) {
      const { field, key } = splitPath(path);
      if (isObjectField(field)) {
        const name = OBJECTS[field];
        changes[name] = key === null ? objects[name] : withMember(changes[name] ?? node[name], objects[name], key);
      } else {
        setPlain(changes, path, values);
      }
    }
    return changes;
  };
}

function checkPath(path: string): void {
  const { field, key } = splitPath(path);
  if (key === null ? PLAIN.includes(field) || isObjectField(field) : key !== '' && isObjectField(field)) return;
  throw invalidField('update_mask', `must name changeable fields, not '${path}'; allowed: ${ALLOWED}`);
}

function setPlain(changes: NodeUpdate, path: string, values: NodeMessage): void {
  switch (path) {
    case 'name':
      changes.name = textOrNull(values.name);
      break;
    case 'driver':
      changes.driver = values.driver;
      break;
    case 'vendor_interface':
      changes.vendorInterface = textOrNull(values.vendorInterface);
      break;
    case 'description':
      changes.description = textOrNull(values.description);
      break;
    case 'maintenance':
      changes.maintenance = values.maintenance;
      break;
    case 'maintenance_reason':
      changes.maintenanceReason = textOrNull(values.maintenanceReason);
      break;
  }
}

/** Returns `object` with the member `key` taken from `values`, or removed when absent there. */
function withMember(object: JsonObject, values: JsonObject, key: string): JsonObject {
  const members = Object.entries(object).filter(([name]) => name !== key);
  // fromEntries makes own members of all names, including __proto__.
  if (Object.hasOwn(values, key)) members.push([key, values[key] ?? null]);
  return Object.fromEntries(members);
}

function splitPath(path: string): { field: string; key: string | null } {
  const dot = path.indexOf('.');
  return dot === -1 ? { field: path, key: null } : { field: path.slice(0, dot), key: path.slice(dot + 1) };
}

function isObjectField(field: string): field is keyof typeof OBJECTS {
  return Object.hasOwn(OBJECTS, field);
}
