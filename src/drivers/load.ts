// The drivers: a folder for each built-in one, and the loading of third-party modules.
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PassthruError } from '../core/errors.ts';
import type { HardwareType } from '../core/hardware.ts';
import { isJsonObject } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { isRoleOrAbsent, roleFault } from '../core/method.ts';
import { HTTP_METHODS } from '../core/task.ts';
import { settledWithin } from '../core/waiting.ts';
import { hookDriverModules } from './moduleHooks.ts';

/** The argument of a driver module's function. */
export interface DriverContext {
  /** For work outside calls; a call's logger is `task.log`. */
  log: Logger;
}

/** The default export of a driver module. */
export type DriverModule = HardwareType | ((context: DriverContext) => HardwareType | Promise<HardwareType>);

/** How long a module may take to load, in milliseconds. */
const LOAD_TIME = 60_000;

/** Names that need no encoding in the path of a URL (RFC 3986, 2.3); not `.` or `..`. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.~-]{0,254}$/;

/**
 * Loads the modules of the setting `drivers`, in order. A path is relative to `baseDirectory`; a name that begins with
 * neither `.` nor `/` is a package installed beside the service. `passthru/driver` always resolves to this copy of the
 * package, so that errors and attachments are instances of the service's own classes.
 *
 * @throws kind `driver_not_ready` with a line for each module that cannot be used, and its fault: it cannot be loaded, its
 * default export is not a hardware type, a name is duplicate or not fit for a URL, a method was not created by defineMethod
 */
export async function loadDriverModules(
  modules: readonly string[],
  baseDirectory: string,
  context: DriverContext,
): Promise<HardwareType[]> {
  const loaded: HardwareType[] = [];
  const faults: string[] = [];
  const causes: unknown[] = [];
  if (modules.length > 0) hookDriverModules();
  for (const name of modules) {
    try {
      const hardwareType = await loadModule(name, baseDirectory, context);
      if (loaded.some((other) => other.name === hardwareType.name)) {
        throw new Error(`another module already provides the hardware type ${hardwareType.name}`);
      }
      loaded.push(hardwareType);
      context.log.info({ module: name, driver: hardwareType.name }, 'driver module loaded');
    } catch (error) {
      faults.push(`driver module ${name}: ${error instanceof Error ? error.message : String(error)}`);
      causes.push(error);
    }
  }
  if (faults.length === 0) return loaded;
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes);
  throw new PassthruError('driver_not_ready', faults.join('\n'), { cause });
}

/** @throws an error that says what is wrong with the module, without its name */
async function loadModule(name: string, baseDirectory: string, context: DriverContext): Promise<HardwareType> {
  const path = name.startsWith('.') || isAbsolute(name) ? resolve(baseDirectory, name) : null;
  const load = async () => {
    const exported = defaultExport(await import(path === null ? name : pathToFileURL(path).href));
    return typeof exported === 'function' ? exported(context) : exported;
  };
  const loading: Promise<unknown> = load().catch((error: unknown) => {
    throw new Error(explain(error, path), { cause: error });
  });
  if (!(await settledWithin([loading], LOAD_TIME))) throw new Error(`it did not load within ${LOAD_TIME / 1000} s`);
  const hardwareType = await loading;
  const fault = findFault(hardwareType);
  if (fault !== null) throw new Error(fault);
  return hardwareType as HardwareType;
}

/** Returns the default export, also of CommonJS that was compiled from an ES module. */
function defaultExport({ default: exported }: { default?: unknown }): unknown {
  return isJsonObject(exported) && exported.__esModule === true ? exported.default : exported;
}

const ERASABLE =
  'Node runs TypeScript by erasing its types: replace enums, namespaces with code, parameter properties and `import x = …`, or compile the driver to JavaScript';

/** Returns why a module could not be loaded, with the file and the line of a syntax error. `path` is null for a package. */
function explain(error: unknown, path: string | null): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (!(error instanceof SyntaxError)) return error.message;
  const place = placeOf(error) ?? (path === null ? null : placeOfSyntaxError(path));
  const message = place === null ? error.message : `${error.message} (${place})`;
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return `${message}. ${ERASABLE}`;
  if (/import statement outside a module/.test(error.message) || /Unexpected token 'export'/.test(error.message)) {
    return `${message}. A .cjs or .cts file is CommonJS: use require and module.exports, or name it .mjs or .mts`;
  }
  return message;
}

/** Returns `FILE:LINE` of a syntax error, with which V8 and Node begin the stack of some. */
function placeOf(error: Error): string | null {
  const [, file = '', line] = /^(?:file:\/\/)?(\/.*):(\d+)\n/.exec(error.stack ?? '') ?? [];
  return line === undefined ? null : `${basename(decodeURI(file))}:${line}`;
}

/** Finds the place of a syntax error in the file `path`, which V8 does not tell of an ES module. */
function placeOfSyntaxError(path: string): string | null {
  try {
    stripTypeScriptTypes(readFileSync(path, 'utf8'), { sourceUrl: path });
  } catch (error) {
    if (error instanceof SyntaxError) return placeOf(error);
  }
  return null;
}

/** Returns what is wrong with `value` as a hardware type; null when it is valid. */
function findFault(value: unknown): string | null {
  // Without exports, a CommonJS module has an empty one.
  if (!isJsonObject(value) || Object.keys(value).length === 0)
    return 'its default export must be a hardware type or a function that returns one';
  const { name, vendorInterfaces, driverMethods = [], properties } = value;
  const nameFault = faultOfName('the hardware type', name);
  if (nameFault !== null) return nameFault;
  if (!Array.isArray(vendorInterfaces) || vendorInterfaces.length === 0) {
    return `${name}: vendorInterfaces must be a list with at least one vendor interface`;
  }
  if (!isJsonObject(properties))
    return `${name}: properties must be an object with a description for each driver_info key`;
  const invalid = Object.keys(properties).find((key) => typeof properties[key] !== 'string');
  if (invalid !== undefined) return `${name}: properties.${invalid} must be a string`;
  for (const list of ['secretKeys', 'addressKeys']) {
    const fault = faultOfKeys(list, value[list], properties);
    if (fault !== null) return `${name}: ${fault}`;
  }
  for (const hook of ['longestRequest', 'release', 'close']) {
    if (value[hook] !== undefined && typeof value[hook] !== 'function') return `${name}: ${hook} must be a function`;
  }
  const faults = [
    ...vendorInterfaces.map((each) => faultOfVendorInterface(String(name), each)),
    faultOfRepeatedName(`${name}: vendor interface`, vendorInterfaces),
    faultOfMethods(`${name}: driverMethods`, driverMethods),
  ];
  return faults.find((fault) => fault !== null) ?? null;
}

function faultOfKeys(list: string, keys: unknown, properties: object): string | null {
  if (keys === undefined) return null;
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'string')) return `${list} must be a list of strings`;
  const unknown = keys.find((key) => !Object.hasOwn(properties, key));
  return unknown === undefined ? null : `${list}: '${unknown}' is not a key of properties`;
}

function faultOfVendorInterface(driver: string, value: unknown): string | null {
  if (!isJsonObject(value)) return `${driver}: every vendor interface must be an object with name and methods`;
  const fault = faultOfName(`${driver}: a vendor interface`, value.name);
  if (fault !== null) return fault;
  if (value.validate !== undefined && typeof value.validate !== 'function') {
    return `${driver}: validate of vendor interface ${value.name} must be a function`;
  }
  return faultOfMethods(`${driver}: methods of vendor interface ${value.name}`, value.methods);
}

function faultOfMethods(owner: string, methods: unknown): string | null {
  if (!Array.isArray(methods)) return `${owner} must be a list`;
  const invalid = methods.findIndex((method) => !isMethod(method));
  if (invalid !== -1) return `${owner}: number ${invalid + 1} was not created by defineMethod`;
  const misruled = methods.find(({ role }) => !isRoleOrAbsent(role));
  if (misruled !== undefined) return `${owner}: method ${misruled.name}: ${roleFault(misruled.role)}`;
  return faultOfRepeatedName(`${owner}: method`, methods);
}

function faultOfRepeatedName(what: string, things: readonly unknown[]): string | null {
  const names = things.map((thing) => (isJsonObject(thing) ? thing.name : thing));
  const second = names.find((name, index) => names.indexOf(name) !== index);
  return second === undefined ? null : `${what} ${second} is defined twice`;
}

function faultOfName(what: string, name: unknown): string | null {
  if (typeof name === 'string' && NAME.test(name)) return null;
  const rule = 'letters, digits, "_", "-", "." and "~", starting with a letter, a digit or "_"';
  return `${what} must have a name of ${rule}, not ${JSON.stringify(name) ?? 'undefined'}`;
}

function isMethod(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  const { name, description, httpMethods, async, attach, requireExclusiveLock } = value;
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    typeof description === 'string' &&
    Array.isArray(httpMethods) &&
    httpMethods.length > 0 &&
    httpMethods.every((verb) => (HTTP_METHODS as readonly unknown[]).includes(verb)) &&
    [async, attach, requireExclusiveLock].every((flag) => typeof flag === 'boolean') &&
    isJsonObject(value.argumentsSchema) &&
    isJsonObject(value.resultSchema) &&
    typeof value.parse === 'function' &&
    typeof value.run === 'function'
  );
}
