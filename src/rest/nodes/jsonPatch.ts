import { pythonText } from '../../core/arguments.ts';
import { PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';

/** One operation of a JSON Patch (RFC 6902), of the three that Ironic takes. */
export interface PatchOperation {
  op: 'add' | 'replace' | 'remove';
  /** As it was given, for messages. */
  path: string;
  segments: [string, ...string[]];
  /** What is set; undefined with `remove`. */
  value: Json | undefined;
}

const OPERATIONS = ['add', 'replace', 'remove'] as const;

/** Paths as Ironic allows them: keys of letters, digits, `_` and `-`, so that RFC 6901's escapes do not occur. */
const PATH = /^(\/[\p{L}\p{N}_-]+)+$/u;

/** Reads the body of a PATCH. Throws `invalid_argument`, worded as recorded where it was. */
export function readPatch(document: Json | undefined): PatchOperation[] {
  if (!Array.isArray(document)) throw badPatch('the patch must be a list of operations');
  return document.map(readOperation);
}

/**
 * Changes `document` in place by one operation (RFC 6902, 4). Throws `invalid_argument`, worded as Ironic does, when
 * there is nothing at its path; no message repeats the value, which may be a secret.
 */
export function applyOperation(document: JsonObject, operation: PatchOperation): void {
  const { op, segments, value } = operation;
  let container: Json = document;
  for (const segment of segments.slice(0, -1)) {
    const member: Json | undefined = memberOf(container, segment);
    if (member === undefined) throw cannotApply(operation, `member '${segment}' not found`);
    container = member;
  }
  const last = segments.at(-1) as string;
  if (Array.isArray(container)) changeList(container, last, operation);
  else if (isJsonObject(container)) {
    if (op !== 'add' && !Object.hasOwn(container, last)) {
      throw cannotApply(operation, `can't ${op} a non-existent object '${last}'`);
    }
    if (op === 'remove') delete container[last];
    // An assignment to `__proto__` would be lost.
    else Object.defineProperty(container, last, { value, enumerable: true, configurable: true, writable: true });
  } else throw cannotApply(operation, `there is nothing below a value that is no object and no list`);
}

function changeList(list: Json[], segment: string, operation: PatchOperation): void {
  const { op, value = null } = operation;
  const index = op === 'add' && segment === '-' ? list.length : listIndex(segment);
  if (index === null || index > list.length || (op !== 'add' && index === list.length)) {
    throw cannotApply(operation, `can't ${op} outside of list`);
  }
  if (op === 'add') list.splice(index, 0, value);
  else if (op === 'replace') list[index] = value;
  else list.splice(index, 1);
}

function memberOf(container: Json, segment: string): Json | undefined {
  if (Array.isArray(container)) return container[listIndex(segment) ?? -1];
  return isJsonObject(container) && Object.hasOwn(container, segment) ? container[segment] : undefined;
}

function listIndex(segment: string): number | null {
  return /^(0|[1-9]\d{0,8})$/.test(segment) ? Number(segment) : null;
}

function readOperation(operation: Json): PatchOperation {
  if (!isJsonObject(operation)) throw badPatch('an operation must be an object');
  const { op, path, value, ...others } = operation;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw badPatch(`Additional properties are not allowed ('${unknown}' was unexpected)`);
  if (op === undefined) throw badPatch("'op' is a required property");
  if (!isOperation(op)) throw badPatch(`${pythonText(op, true)} is not one of ['add', 'replace', 'remove']`);
  if (path === undefined) throw badPatch("'path' is a required property");
  if (typeof path !== 'string' || !PATH.test(path)) {
    throw badPatch(`${pythonText(path, true)} is no path: it must be like /extra/key, of letters, digits, _ and -`);
  }
  if (op !== 'remove' && value === undefined) throw badPatch(`'value' is a required property of ${op}`);
  return { op, path, segments: path.slice(1).split('/') as [string, ...string[]], value };
}

function isOperation(op: Json): op is PatchOperation['op'] {
  return OPERATIONS.some((known) => known === op);
}

function badPatch(description: string): PassthruError {
  return new PassthruError('invalid_argument', `Schema error for patch: ${description}`, {
    violations: [{ field: 'body', description }],
  });
}

function cannotApply({ op, path }: PatchOperation, reason: string): PassthruError {
  const message = `Couldn't apply patch '${pythonText({ op, path })}'. Reason: ${reason}`;
  return new PassthruError('invalid_argument', message, { violations: [{ field: path, description: reason }] });
}
