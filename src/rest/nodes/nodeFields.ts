import { booleanWord } from '../../core/arguments.ts';
import { invalidArgument, type PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import { isUuid, type Node } from '../../core/node.ts';
import { findMask } from '../../core/secrets.ts';
import { NODE_FIELDS, type Written } from '../apiTable.ts';

/** All writable fields by Ironic's key. The core further checks the fields that it interprets. */
export const WRITABLE: ReadonlyMap<string, Written> = new Map(
  [...NODE_FIELDS].flatMap(([key, { write }]): [string, Written][] => (write === undefined ? [] : [[key, write]])),
);

/** Returns the value of a node's writable field. */
export function readField(node: Node, key: string, { core, default: fallback }: Written): Json {
  return (core === undefined ? node.attributes[key] : node[core]) ?? fallback;
}

/**
 * Converts `value` for the field `key`: null becomes the default, and booleans may be written in words, as in Ironic.
 * Throws `invalid_argument` with the key, never with the value, which may be a secret.
 * @param schema the document that Ironic's error message names
 */
export function checkField(schema: 'node' | 'patch', key: string, field: Written, value: Json): Json {
  if (value === null) return field.default;
  const bad = (description: string) => badField(schema, key, description);
  switch (field.kind) {
    case 'text':
    case 'interface':
      if (typeof value !== 'string') throw bad('must be a string or null');
      if (value.length < (field.minLength ?? 0)) throw bad('must not be empty');
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
