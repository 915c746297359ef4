import { PassthruError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Node, NodeUpdate } from '../../core/node.ts';
import { applyOperation, type PatchOperation } from './jsonPatch.ts';
import {
  checkField,
  checkUnservedInterface,
  NODE_FIELDS,
  readField,
  setCoreField,
  UNSERVED_INTERFACES,
  withAttribute,
} from './nodeFields.ts';
import { missingDriver } from './nodeInput.ts';

const PATCHABLE = [...NODE_FIELDS.keys(), ...UNSERVED_INTERFACES].sort();

/**
 * Throws `invalid_argument`, worded as recorded ("patch read-only"), for an operation on what cannot be changed;
 * `not_served` for one that sets an interface that is not served.
 */
export function checkPatchedFields(patch: readonly PatchOperation[]): void {
  for (const { path, segments, value = null } of patch) {
    const [key] = segments;
    if (UNSERVED_INTERFACES.includes(key)) checkUnservedInterface(key, value);
    else if (!NODE_FIELDS.has(key)) {
      const message = `Cannot patch ${path}. Only the following can be updated: ${PATCHABLE.join(', ')}`;
      throw new PassthruError('invalid_argument', message, {
        violations: [{ field: path, description: 'cannot be changed' }],
      });
    }
  }
}

/**
 * What a patch, whose fields have been checked, changes of `node`. Throws `invalid_argument` when it cannot be applied
 * or its outcome is no node.
 * @param resetInterfaces true when the vendor interface falls back to the driver's default unless the patch sets it
 */
export function nodeChanges(node: Node, patch: readonly PatchOperation[], resetInterfaces: boolean): NodeUpdate {
  const touched = new Set(patch.map(({ segments: [key] }) => key));
  const document: JsonObject = {};
  for (const [key, field] of NODE_FIELDS) {
    // Operations change their target in place; the node is not theirs.
    if (touched.has(key)) document[key] = structuredClone(readField(node, key, field));
  }
  for (const key of touched) {
    if (UNSERVED_INTERFACES.includes(key)) document[key] = null;
  }
  for (const operation of patch) {
    const [key, ...deeper] = operation.segments;
    // Removing a field itself gives it its default; the field stays one that can be set again.
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
