import { pythonText } from '../../core/arguments.ts';
import { invalidArgument, type PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';

/** An operation of a JSON Patch (RFC 6902), one of the three that Ironic supports. */
export interface PatchOperation {
  op: 'add' | 'replace' | 'remove';
  /** The path as given, for error messages. */
  path: string;
  segments: [string, ...string[]];
  /** The new value; undefined for `remove`. */
  value: Json | undefined;
}

const OPERATIONS = ['add', 'replace', 'remove'] as const;

/** The paths that Ironic allows: keys of letters, digits, `_` and `-`, hence without RFC 6901's escapes. */
const PATH = /^(\/[\p{L}\p{N}_-]+)+$/u;

/** Parses the body of a PATCH. Throws `invalid_argument`, with Ironic's recorded texts where there are any. */
export function readPatch(document: Json | undefined): PatchOperation[] {
  if (!Array.isArray(document)) throw badPatch('the patch must be a list of operations');
  return document.map(readOperation);
}

/**
 * Applies one operation (RFC 6902, 4) to `document` in place. Throws `invalid_argument`, in Ironic's words, if its path
 * does not exist. No message contains the value, which may be a secret.
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
    // Assigning to `__proto__` would not create a key.
    else Object.defineProperty(container, last, { value, enumerable: true, configurable: true, writable: true });
  } else throw cannotApply(operation, 'the parent is neither an object nor a list');
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
    throw badPatch(
      `${pythonText(path, true)} is not a valid path; paths look like /extra/key, with letters, digits, _ and -`,
    );
  }
  if (op !== 'remove' && value === undefined) throw badPatch(`'value' is a required property of ${op}`);
  return { op, path, segments: path.slice(1).split('/') as [string, ...string[]], value };
}

function isOperation(op: Json): op is PatchOperation['op'] {
  return OPERATIONS.some((each) => each === op);
}

function badPatch(description: string): PassthruError {
  return invalidArgument('body', description, `Schema error for patch: ${description}`);
}

function cannotApply({ op, path }: PatchOperation, reason: string): PassthruError {
  const message = `Couldn't apply patch '${pythonText({ op, path })}'. Reason: ${reason}`;
  return invalidArgument(path, reason, message);
}
