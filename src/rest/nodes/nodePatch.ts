import { invalidArgument } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Node, NodeUpdate } from '../../core/node.ts';
import { applyOperation, type PatchOperation } from './jsonPatch.ts';
import {
  checkField,
  checkUnsupportedInterface,
  NODE_FIELDS,
  readField,
  setCoreField,
  UNSUPPORTED_INTERFACES,
  withAttribute,
} from './nodeFields.ts';
import { missingDriver } from './nodeInput.ts';

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
 * Returns the changes that a patch, which has passed `checkPatchedFields`, makes to `node`. Throws `invalid_argument` if
 * it cannot be applied or its result is not a valid node.
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
  let { attributes } = node;
  for (const key of touched) {
    const field = NODE_FIELDS.get(key);
    if (field === undefined) continue;
    const value = checkField('patch', key, field, document[key] ?? null);
    if (field.core === undefined) attributes = withAttribute(attributes, key, field, value);
    else setCoreField(changes, field.core, value);
  }
  if (attributes !== node.attributes) changes.attributes = attributes;
  if (changes.driver === null) throw missingDriver('patch');
  if (changes.maintenance === false) changes.maintenanceReason = null;
  if (resetInterfaces && changes.vendorInterface === undefined) changes.vendorInterface = null;
  return changes;
}
