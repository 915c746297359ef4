// The drivers: a folder for each built-in one, and the loading of third-party modules.
import { registerHooks } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PassthruError } from '../core/errors.ts';
import type { HardwareType } from '../core/hardware.ts';
import { isJsonObject } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { isRoleOrAbsent, roleFault } from '../core/method.ts';
import { HTTP_METHODS } from '../core/task.ts';
import { settledWithin } from '../core/waiting.ts';

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
 * @throws kind `driver_not_ready` that names the module and the fault: it cannot be loaded, its default export is not a
 * hardware type, a name is duplicate or not fit for a URL, a method was not created by defineMethod
 */
export async function loadDriverModules(
  modules: readonly string[],
  baseDirectory: string,
  context: DriverContext,
): Promise<HardwareType[]> {
  const loaded: HardwareType[] = [];
  if (modules.length > 0) redirectEntry();
  for (const name of modules) {
    const hardwareType = await loadModule(name, baseDirectory, context);
    if (loaded.some((other) => other.name === hardwareType.name)) {
      throw notReady(name, `another module already provides the hardware type ${hardwareType.name}`);
    }
    loaded.push(hardwareType);
    context.log.info({ module: name, driver: hardwareType.name }, 'driver module loaded');
  }
  return loaded;
}

/** The public entry: the source, or the build. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? '../driver.ts' : '../driver.js', import.meta.url).href;
let redirected = false;

/** Resolves `passthru/driver` to this package for the rest of the process, as a driver may import more modules later. */
function redirectEntry(): void {
  if (redirected) return;
  redirected = true;
  registerHooks({
    resolve: (specifier, from, next) =>
      specifier === 'passthru/driver' ? { url: ENTRY, shortCircuit: true } : next(specifier, from),
  });
}

async function loadModule(name: string, baseDirectory: string, context: DriverContext): Promise<HardwareType> {
  const isPath = name.startsWith('.') || isAbsolute(name);
  const specifier = isPath ? pathToFileURL(resolve(baseDirectory, name)).href : name;
  let hardwareType: unknown;
  const load = async () => {
    const { default: exported }: { default?: unknown } = await import(specifier);
    return typeof exported === 'function' ? exported(context) : exported;
  };
  try {
    const loading: Promise<unknown> = load();
    if (!(await settledWithin([loading], LOAD_TIME))) throw new Error(`it did not load within ${LOAD_TIME / 1000} s`);
    hardwareType = await loading;
  } catch (error) {
    throw notReady(name, error instanceof Error ? error.message : String(error), error);
  }
  const fault = findFault(hardwareType);
  if (fault !== null) throw notReady(name, fault);
  return hardwareType as HardwareType;
}

/** Returns what is wrong with `value` as a hardware type; null when it is valid. */
function findFault(value: unknown): string | null {
  if (!isJsonObject(value)) return 'its default export must be a hardware type or a function that returns one';
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
  const secretFault = faultOfSecretKeys(value.secretKeys, properties);
  if (secretFault !== null) return `${name}: ${secretFault}`;
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

function faultOfSecretKeys(keys: unknown, properties: object): string | null {
  if (keys === undefined) return null;
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'string'))
    return 'secretKeys must be a list of strings';
  const unknown = keys.find((key) => !Object.hasOwn(properties, key));
  return unknown === undefined ? null : `secretKeys: '${unknown}' is not a key of properties`;
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

function notReady(module: string, fault: string, cause?: unknown): PassthruError {
  return new PassthruError('driver_not_ready', `driver module ${module}: ${fault}`, { cause });
}
