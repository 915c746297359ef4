import { invalidArgument, PassthruError } from '../../core/errors.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { NewNode, Node, NodeUpdate } from '../../core/node.ts';
import { applyOperation, type PatchOperation } from './jsonPatch.ts';
import { badField, checkField, NODE_FIELDS, type NodeField, readField, UNSUPPORTED_INTERFACES } from './nodeFields.ts';

/**
 * Reads the document of a new node. Throws `invalid_argument` for unknown keys and invalid values, `not_served` for
 * unsupported interfaces.
 */
export function readNewNode(document: JsonObject): NewNode {
  const { uuid, driver, ...others } = document;
  if (driver === undefined || driver === null) throw missingDriver('node');
  if (typeof driver !== 'string') throw badField('node', 'driver', 'must be a string');
  const node: NewNode = { driver, attributes: {} };
  if (uuid !== undefined && uuid !== null) {
    if (typeof uuid !== 'string') throw badField('node', 'uuid', 'must be a string');
    node.uuid = uuid;
  }
  for (const [key, value] of Object.entries(others)) {
    const field = NODE_FIELDS.get(key);
    if (field !== undefined) setField(node, key, field, checkField('node', key, field, value));
    else if (UNSUPPORTED_INTERFACES.includes(key)) checkUnsupportedInterface(key, value);
    else throw unexpected(key);
  }
  return node;
}

/** Reads the body of PUT …/maintenance. Returns the reason, null if none is given. */
export function readMaintenanceReason(document: JsonObject): string | null {
  const { reason = null, ...others } = document;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw unexpected(unknown);
  if (reason === null || typeof reason === 'string') return reason;
  throw badField('node', 'reason', 'must be a string or null');
}

const PATCHABLE = [...NODE_FIELDS.keys(), ...UNSUPPORTED_INTERFACES].sort();

/**
 * Throws `invalid_argument`, worded as recorded ("patch read-only"), for operations on read-only or unknown fields;
 * `not_served` for those that set an unsupported interface.
 */
export function checkPatchedFields(patch: readonly PatchOperation[]): void {
  for (const { path, segments, value = null } of patch) {
    const [key] = segments;
    if (UNSUPPORTED_INTERFACES.includes(key)) checkUnsupportedInterface(key, value);
    else if (!NODE_FIELDS.has(key)) {
      const message = `Cannot patch ${path}. Only the following can be updated: ${PATCHABLE.join(', ')}`;
      throw invalidArgument(path, 'cannot be changed', message);
    }
  }
}

/**
 * Returns the changes that a patch, which has passed `checkPatchedFields`, makes to `node`. Throws `invalid_argument`
 * if it cannot be applied or its result is not a valid node.
 * @param resetInterfaces whether the vendor interface becomes the driver's default unless the patch sets it
 */
export function nodeChanges(node: Node, patch: readonly PatchOperation[], resetInterfaces: boolean): NodeUpdate {
  const touched = new Set(patch.map(({ segments: [key] }) => key));
  const document: JsonObject = {};
  for (const [key, field] of NODE_FIELDS) {
    // A copy: operations change their target in place.
    if (touched.has(key)) document[key] = structuredClone(readField(node, key, field));
  }
  for (const key of touched) {
    if (UNSUPPORTED_INTERFACES.includes(key)) document[key] = null;
  }
  for (const operation of patch) {
    const [key, ...deeper] = operation.segments;
    // Removing a whole field gives it its default; a later operation may set it again.
    if (operation.op === 'remove' && deeper.length === 0) document[key] = null;
    else applyOperation(document, operation);
  }

  const changes: NodeUpdate = {};
  for (const key of touched) {
    const field = NODE_FIELDS.get(key);
    if (field === undefined) continue;
    if (field.core === undefined) changes.attributes ??= node.attributes;
    setField(changes, key, field, checkField('patch', key, field, document[key] ?? null));
  }
  if (changes.driver === null) throw missingDriver('patch');
  if (changes.maintenance === false) changes.maintenanceReason = null;
  if (resetInterfaces && changes.vendorInterface === undefined) changes.vendorInterface = null;
  return changes;
}

/** Sets a field to a value that has passed `checkField`, hence of the right type. Default attributes are not stored. */
function setField(target: NewNode | NodeUpdate, key: string, field: NodeField, value: Json): void {
  if (field.core !== undefined) {
    (target as Record<string, Json>)[field.core] = value;
    return;
  }
  const { [key]: _, ...others } = target.attributes ?? {};
  const isDefault =
    value === field.default || (field.kind === 'object' && Object.keys(value as JsonObject).length === 0);
  target.attributes = isDefault ? others : { ...others, [key]: value };
}

/** Throws `not_served` for an unsupported interface unless the value is null. */
function checkUnsupportedInterface(key: string, value: Json): void {
  if (value === null) return;
  const description = 'is not served here; vendor_interface is the only interface that can be set';
  throw new PassthruError('not_served', `${key} ${description}`, { violations: [{ field: key, description }] });
}

/** Returns the error of a missing driver, as recorded ("create without driver", "patch remove mandatory"). */
function missingDriver(schema: 'node' | 'patch'): PassthruError {
  return invalidArgument('driver', 'is required', `Schema error for ${schema}: 'driver' is a required property`);
}

/** Returns the error of an unknown key, as recorded ("create unknown attribute"). */
function unexpected(key: string): PassthruError {
  const message = `Schema error for node: Additional properties are not allowed ('${key}' was unexpected)`;
  return invalidArgument(key, 'is not a field that can be set', message);
}
