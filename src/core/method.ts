import { z } from 'zod';
import { argumentsParser } from './arguments.ts';
import { ROLES, type Role } from './caller.ts';
import { invalidArgument, PassthruError } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { methodFault } from './methodFault.ts';
import { type Returned, resultChecker, resultDefect, resultSchema } from './methodResult.ts';
import type { HttpMethod, Task } from './task.ts';
import { HTTP_METHODS } from './task.ts';

/** The bytes that a method with `attach` returns. */
export class Attachment {
  readonly data: Uint8Array;
  /** For example `text/csv`. */
  readonly mediaType: string;
  /** The file name to save the bytes under; null for none. */
  readonly fileName: string | null;

  constructor(data: Uint8Array, mediaType: string, fileName: string | null = null) {
    this.data = data;
    this.mediaType = mediaType;
    this.fileName = fileName;
  }
}

/** A vendor method as its author writes it. `F` is true for a method with `attach`. */
export interface MethodDefinition<
  T extends Task,
  A extends z.ZodObject,
  R extends z.ZodType = z.ZodUnknown,
  F extends boolean = boolean,
> {
  /** Letters, digits, `_`, `-` and `.`; it becomes a path segment. */
  name: string;
  httpMethods: readonly [HttpMethod, ...HttpMethod[]];
  /** What the method does and requires, as text for callers. */
  description: string;
  /** True when a call starts a job. Default false. */
  async?: boolean;
  /** True when the handler returns an `Attachment`. Default false; not possible with `async`. */
  attach?: F;
  /** True when the method runs under the node's exclusive lock. Default true; driver methods have no lock. */
  requireExclusiveLock?: boolean;
  /**
   * The lowest role that may call it and see what its jobs return. Default `operator`; use `admin` for raw access to the
   * machine, and for what takes an address or credentials to connect with. `auth.rules` may require another.
   */
  role?: Role;
  /**
   * The minor version of Ironic's API from which its list of methods over REST has this one, for a method that Ironic has too;
   * null when it is a route of its own there, and in no list. It can be called at every version. Default 1.
   */
  listedFrom?: number | null;
  /** The arguments. Unknown ones are rejected, unless it is a `z.looseObject` or has a catchall. */
  arguments: A;
  /**
   * The result: what the handler returns is parsed by it. `z.null()` for a method that returns nothing. Without it, or with
   * `z.unknown()`, the result is any JSON value, and is not checked.
   */
  result?: R;
  handler(task: T, args: z.output<A>): Promise<F extends true ? Attachment : Returned<R>>;
}

/** A vendor method: its description, schemas and handler in one value. */
export interface Method<T extends Task = Task> {
  readonly name: string;
  readonly httpMethods: readonly HttpMethod[];
  readonly description: string;
  readonly async: boolean;
  readonly attach: boolean;
  readonly requireExclusiveLock: boolean;
  /** The lowest role that may call it, with the rules of the configuration; see `requiredRole` when absent. */
  readonly role?: Role;
  /** The minor version of Ironic's API from which its list of methods has it; null for in none. */
  readonly listedFrom: number | null;
  /** JSON Schema (2020-12). */
  readonly argumentsSchema: JsonObject;
  /** JSON Schema (2020-12). */
  readonly resultSchema: JsonObject;
  /** Parses arguments for the handler. Throws kind `invalid_argument` with the violations. */
  parse(raw: JsonObject): unknown;
  /**
   * Calls the handler, and checks what it returns. `args` is the result of `parse`.
   * @throws what the handler throws; kind `internal` when the result does not match its schema, `bmc_failed` when it nests too
   * deep or is too long
   */
  run(task: T, args: unknown): Promise<Json | Attachment>;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/;

/** Creates a method from its definition. Throws a TypeError when the definition is invalid. */
export function defineMethod<
  T extends Task,
  A extends z.ZodObject,
  R extends z.ZodType = z.ZodUnknown,
  F extends boolean = false,
>(definition: MethodDefinition<T, A, R, F>): Method<T> {
  const { name, httpMethods, description, async = false, requireExclusiveLock = true } = definition;
  const attach: boolean = definition.attach ?? false;
  const { role, listedFrom = 1 } = definition;
  if (!NAME.test(name) || name === 'methods') throw new TypeError(`"${name}" cannot be the name of a method`);
  if (httpMethods.length === 0 || httpMethods.some((verb) => !HTTP_METHODS.includes(verb))) {
    throw new TypeError(`method ${name}: httpMethods must name at least one of ${HTTP_METHODS.join(', ')}`);
  }
  const fault = methodFault(definition);
  if (fault !== null) throw new TypeError(`method ${name}: ${fault}`);
  if (async && attach) throw new TypeError(`method ${name}: an asynchronous method cannot return an attachment`);
  // Before the method is used, so that a misspelt role stops the start instead of protecting nothing.
  if (!isRoleOrAbsent(role)) throw new TypeError(`method ${name}: ${roleFault(role)}`);
  // Unknown arguments are refused, unless the schema says what it does with them.
  const { catchall } = definition.arguments.def;
  // The copy that refuses them has no metadata of its own.
  const strict =
    catchall === undefined
      ? definition.arguments.strict().meta(definition.arguments.meta() ?? {})
      : definition.arguments;
  const result = resultSchema(definition.result);
  const checkJson = resultChecker(name, result);
  const check = (returned: unknown) => {
    if (returned instanceof Attachment !== attach) {
      throw resultDefect(name, attach ? 'it must be an Attachment' : 'an Attachment requires attach: true');
    }
    return attach ? checkAttachment(name, returned as Attachment) : checkJson(returned);
  };
  let argumentsSchema: JsonObject | null = null;
  let returnedSchema: JsonObject | null = null;
  return {
    name,
    httpMethods,
    description,
    async,
    attach,
    requireExclusiveLock,
    role,
    listedFrom,
    // Made when somebody asks: most methods are never described.
    get argumentsSchema() {
      argumentsSchema ??= jsonSchema(strict, 'input');
      return argumentsSchema;
    },
    get resultSchema() {
      returnedSchema ??= attach
        ? { description: 'An attachment: bytes with a media type' }
        : jsonSchema(result, 'output');
      return returnedSchema;
    },
    parse: argumentsParser(name, strict),
    run: async (task, args) => check(await definition.handler(task, args as z.output<A>)),
  };
}

function checkAttachment(method: string, attachment: Attachment): Attachment {
  if (attachment.data instanceof Uint8Array) return attachment;
  throw resultDefect(method, 'the data of its Attachment must be a Uint8Array');
}

/** Whether `role` can be that of a method. Takes any value, as drivers may be JavaScript. */
export function isRoleOrAbsent(role: unknown): role is Role | undefined {
  return role === undefined || (ROLES as readonly unknown[]).includes(role);
}

/** Returns what is wrong with `role`, in words. */
export function roleFault(role: unknown): string {
  return `role must be one of ${ROLES.join(', ')}, not ${JSON.stringify(role) ?? typeof role}`;
}

/**
 * Returns the verb of a call. It may be omitted for a method with one verb only.
 * @param requested the caller's verb; null when omitted
 * @throws kind `verb_not_allowed` when the method lacks the verb, `invalid_argument` when it may not be omitted
 */
export function chooseHttpMethod(method: Method<never>, requested: string | null): HttpMethod {
  if (requested === null) {
    const [only, ...others] = method.httpMethods;
    if (only !== undefined && others.length === 0) return only;
    throw invalidArgument('http_method', `method ${method.name} supports ${method.httpMethods.join(', ')}; choose one`);
  }
  const verb = requested.toUpperCase();
  const found = method.httpMethods.find((supported) => supported === verb);
  if (found === undefined) {
    // Worded as Ironic does (recorded: "create_subscription by GET").
    throw new PassthruError('verb_not_allowed', `The method ${method.name} does not support HTTP ${verb}`);
  }
  return found;
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  return z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonObject;
}
