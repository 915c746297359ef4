import { invalidArgument, type PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { NewNode, Node, NodeUpdate } from '../../core/node.ts';
import { NODE_FIELDS, type Written } from '../apiTable.ts';
import type { Exchange } from '../context.ts';
import { KEPT_INTERFACES } from '../interfaceNames.ts';
import { badParameter } from '../query.ts';
import { checkVersion } from '../versionGate.ts';
import { applyOperation, type PatchOperation } from './jsonPatch.ts';
import { badField, checkField, readField, WRITABLE } from './nodeFields.ts';
import { isNameAt } from './nodeName.ts';
import { checkInterfaces, initialAttributes, settleAttributes } from './nodeRules.ts';

/**
 * Reads the document of a new node. Throws `invalid_argument` for unknown keys and invalid values, `version_not_acceptable`
 * for fields that the request's version lacks, `failed_precondition` for what a new node cannot have.
 */
export function readNewNode({ minor }: Pick<Exchange, 'minor'>, document: JsonObject): NewNode {
  const { uuid, driver, ...others } = document;
  if (driver === undefined || driver === null) throw missingDriver('node');
  if (typeof driver !== 'string') throw badField('node', 'driver', 'must be a string');
  const node: NewNode & { attributes: JsonObject } = { driver, attributes: initialAttributes(minor) };
  if (uuid !== undefined && uuid !== null) {
    if (typeof uuid !== 'string') throw badField('node', 'uuid', 'must be a string');
    node.uuid = uuid;
  }
  for (const [key, value] of Object.entries(others)) {
    const field = WRITABLE.get(key);
    if (field === undefined || field.on === 'patch') throw unexpected(key);
    const checked = checkField('node', key, field, value);
    // As in Ironic, even a version without it takes a field that is null, or has the empty text as its default.
    if (value !== null && !(value === '' && field.default === ''))
      checkVersion({ minor }, key, NODE_FIELDS.get(key)?.from ?? 1);
    // As in Ironic, for a new node the empty class is none.
    setField(node, key, field, key === 'resource_class' && checked === '' ? null : checked);
  }
  checkName(minor, node.name, 'Cannot create node with invalid name');
  node.attributes = settleAttributes(
    { uuid: node.uuid ?? 'new', attributes: node.attributes },
    null,
    new Set(Object.keys(others)),
  );
  checkInterfaces(driver, node.attributes);
  return node;
}

/** Ironic cuts a longer reason of maintenance. */
const MAX_REASON_LENGTH = 4096;

/**
 * Reads the body of PUT …/maintenance. Returns the reason, null if none is given. As in Ironic, the query may give it, and
 * a body that is no object, hence has no reason, is ignored if it is empty.
 */
export function readMaintenanceReason(document: Json, fromQuery: string | null): string | null {
  const isEmpty = document === null || (Array.isArray(document) && document.length === 0);
  if (!isEmpty && !isJsonObject(document)) {
    throw invalidArgument('body', 'The request body must be a JSON object');
  }
  const { reason: fromBody, ...others } = isEmpty ? {} : (document as JsonObject);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw unexpected(unknown);
  if (fromBody !== undefined && fromQuery !== null)
    throw badParameter('reason', 'is given in the query and in the body');
  const reason = fromBody ?? fromQuery;
  if (reason === null) return null;
  if (typeof reason === 'string') return reason.slice(0, MAX_REASON_LENGTH);
  throw badField('node', 'reason', 'must be a string or null');
}

const PATCHABLE = new Set([...WRITABLE].flatMap(([key, { on }]) => (on === 'create' ? [] : [key])));

/**
 * Throws `invalid_argument`, worded as recorded ("patch read-only"), for operations on read-only or unknown fields;
 * `version_not_acceptable` for values of fields that the request's version lacks.
 */
export function checkPatchedFields(exchange: Exchange, patch: readonly PatchOperation[]): void {
  for (const { op, path, segments } of patch) {
    const [key] = segments;
    if (!PATCHABLE.has(key)) {
      const message = `Cannot patch ${path}. Only the following can be updated: ${[...PATCHABLE].join(', ')}`;
      throw invalidArgument(path, 'cannot be changed', message);
    }
    if (op !== 'remove') checkVersion(exchange, key, NODE_FIELDS.get(key)?.from ?? 1);
  }
}

/** Returns the value that the patch gives the text field `key` last; null when it gives none. */
export function patchedText(patch: readonly PatchOperation[], key: string): string | null {
  const value = patch.findLast(
    ({ op, segments }) => segments.length === 1 && segments[0] === key && op !== 'remove',
  )?.value;
  return typeof value === 'string' ? value : null;
}

/**
 * Returns the changes that a patch, which has passed `checkPatchedFields`, makes to `node`. Throws `invalid_argument`
 * if it cannot be applied or its result is not a valid node, `failed_precondition` if the node cannot be changed so.
 * @param resetInterfaces whether the interfaces become the driver's defaults unless the patch sets them
 * @param parent the UUID of the node that the patch names as parent
 */
export function nodeChanges(
  { minor }: Pick<Exchange, 'minor'>,
  node: Node,
  patch: readonly PatchOperation[],
  { resetInterfaces, parent }: { resetInterfaces: boolean; parent: string | null },
): NodeUpdate {
  const touched = new Set(patch.map(({ segments: [key] }) => key));
  const document: JsonObject = {};
  for (const [key, field] of WRITABLE) {
    // A copy: operations change their target in place.
    if (touched.has(key)) document[key] = structuredClone(readField(node, key, field));
  }
  for (const operation of patch) {
    const [key, ...deeper] = operation.segments;
    // Removing a whole field gives it its default; a later operation may set it again.
    if (operation.op === 'remove' && deeper.length === 0) document[key] = null;
    else applyOperation(document, operation);
  }
  if (parent !== null && typeof document.parent_node === 'string') document.parent_node = parent;

  const changes: NodeUpdate = { attributes: node.attributes };
  for (const key of touched) {
    const field = WRITABLE.get(key);
    if (field !== undefined) setField(changes, key, field, checkField('patch', key, field, document[key] ?? null));
  }
  if (changes.driver === null) throw missingDriver('patch');
  if (changes.maintenance === false) changes.maintenanceReason = null;
  if (touched.has('name')) checkName(minor, changes.name, `Node ${node.uuid}: Cannot change name to invalid name`);
  if (resetInterfaces && changes.vendorInterface === undefined) changes.vendorInterface = null;
  changes.attributes = changedAttributes(node, changes, touched, resetInterfaces);
  if (changes.attributes === undefined) delete changes.attributes;
  return changes;
}

/** Returns the attributes after a change; undefined if they stay. */
function changedAttributes(
  node: Node,
  { attributes = {}, driver = node.driver }: NodeUpdate,
  touched: ReadonlySet<string>,
  resetInterfaces: boolean,
): JsonObject | undefined {
  const settled = settleAttributes({ uuid: node.uuid, attributes }, node.attributes, touched);
  for (const key of KEPT_INTERFACES.keys()) if (resetInterfaces && !touched.has(key)) delete settled[key];
  const isInterface = (key: string) => KEPT_INTERFACES.has(key);
  if (touched.has('driver') || [...touched].some(isInterface)) checkInterfaces(driver, settled);
  return JSON.stringify(settled) === JSON.stringify(node.attributes) ? undefined : settled;
}

/** Sets a field to a value that has passed `checkField`, hence of the right type. Default attributes are not stored. */
function setField(target: NewNode | NodeUpdate, key: string, field: Written, value: Json): void {
  if (field.core !== undefined) {
    (target as Record<string, Json>)[field.core] = value;
    return;
  }
  const { [key]: _, ...others } = target.attributes ?? {};
  const isDefault =
    value === field.default || (field.kind === 'object' && Object.keys(value as JsonObject).length === 0);
  target.attributes = isDefault ? others : { ...others, [key]: value };
}

function checkName(minor: number, name: string | null | undefined, message: string): void {
  if (typeof name !== 'string' || isNameAt(minor, name)) return;
  throw invalidArgument('name', 'must be the name of a host before version 1.10', `${message} '${name}'`);
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
