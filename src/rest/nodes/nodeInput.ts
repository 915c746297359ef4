import { invalidArgument, type PassthruError } from '../../core/errors.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { NewNode } from '../../core/node.ts';
import {
  badField,
  checkField,
  checkUnsupportedInterface,
  NODE_FIELDS,
  setCoreField,
  UNSUPPORTED_INTERFACES,
  withAttribute,
} from './nodeFields.ts';

/**
 * Reads the document of a new node. Throws `invalid_argument` for unknown keys and invalid values, `not_served` for
 * unsupported interfaces.
 */
export function readNewNode(document: JsonObject): NewNode {
  const { uuid, driver, ...others } = document;
  if (driver === undefined || driver === null) throw missingDriver('node');
  if (typeof driver !== 'string') throw badField('node', 'driver', 'must be a string');
  const node: NewNode = { driver };
  if (uuid !== undefined && uuid !== null) {
    if (typeof uuid !== 'string') throw badField('node', 'uuid', 'must be a string');
    node.uuid = uuid;
  }
  let attributes: JsonObject = {};
  for (const [key, value] of Object.entries(others)) {
    const field = NODE_FIELDS.get(key);
    if (field !== undefined) {
      const checked = checkField('node', key, field, value);
      if (field.core !== undefined) setCoreField(node, field.core, checked);
      else attributes = withAttribute(attributes, key, field, checked);
    } else if (UNSUPPORTED_INTERFACES.includes(key)) checkUnsupportedInterface(key, value);
    else throw unexpected(key);
  }
  return { ...node, attributes };
}

/** Reads the body of PUT …/maintenance. Returns the reason, null if none is given. */
export function readMaintenanceReason(document: JsonObject): string | null {
  for (const key of Object.keys(document)) {
    if (key !== 'reason') throw unexpected(key);
  }
  const reason: Json | undefined = document.reason;
  if (reason === undefined || reason === null) return null;
  if (typeof reason === 'string') return reason;
  throw badField('node', 'reason', 'must be a string or null');
}

/** Returns the error of a missing driver, as recorded ("create without driver", "patch remove mandatory"). */
export function missingDriver(schema: 'node' | 'patch'): PassthruError {
  return invalidArgument('driver', 'is required', `Schema error for ${schema}: 'driver' is a required property`);
}

function unexpected(key: string): PassthruError {
  // Worded as recorded ("create unknown attribute").
  const message = `Schema error for node: Additional properties are not allowed ('${key}' was unexpected)`;
  return invalidArgument(key, 'is not a field that can be set', message);
}
