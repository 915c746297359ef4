import { registerHooks } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PassthruError } from '../core/errors.ts';
import type { HardwareType } from '../core/hardware.ts';
import type { Logger } from '../core/logger.ts';
import { HTTP_METHODS } from '../core/task.ts';

/** What a driver module's function gets. */
export interface DriverContext {
  /** For what happens outside a call; a call has its own logger in the task. */
  log: Logger;
}

/** The default export of a driver module. */
export type DriverModule = HardwareType | ((context: DriverContext) => HardwareType | Promise<HardwareType>);

/** What stands in the path of a URL as it is (RFC 3986, 2.3); no `.` or `..`. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.~-]{0,254}$/;

/**
 * Loads the modules named in the configuration's `drivers`, in order. A path is taken from `baseDirectory`; a name
 * that begins with neither `.` nor `/` is a package installed beside the service. Whatever copy of this package a
 * module would find, its `passthru/driver` is this one, so that errors and attachments are the service's own.
 *
 * @throws kind `driver_not_ready` that names the module and what is wrong with it: it cannot be loaded, its default
 * export is no hardware type, a name is taken twice or cannot stand in a URL, a method was not made by defineMethod
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
      throw refuse(name, `the hardware type ${hardwareType.name} is there already, from a module before it`);
    }
    loaded.push(hardwareType);
    context.log.info({ module: name, driver: hardwareType.name }, 'driver module loaded');
  }
  return loaded;
}

/** The public entry, as source or as built. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? '../driver.ts' : '../driver.js', import.meta.url).href;
let redirected = false;

/** Makes `passthru/driver` this package's own for the rest of the process: a driver may import more of itself later. */
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
  try {
    const { default: exported }: { default?: unknown } = await import(specifier);
    hardwareType = typeof exported === 'function' ? await exported(context) : exported;
  } catch (error) {
    throw refuse(name, error instanceof Error ? error.message : String(error), error);
  }
  const fault = faultOfHardwareType(hardwareType);
  if (fault !== null) throw refuse(name, fault);
  return hardwareType as HardwareType;
}

/** What keeps `value` from being a hardware type; null when nothing does. */
function faultOfHardwareType(value: unknown): string | null {
  if (!isObject(value)) return 'its default export must be a hardware type, or a function that answers one';
  const { name, vendorInterfaces, driverMethods = [], properties } = value;
  const nameFault = faultOfName('the hardware type', name);
  if (nameFault !== null) return nameFault;
  if (!Array.isArray(vendorInterfaces) || vendorInterfaces.length === 0) {
    return `${name}: vendorInterfaces must be a list with at least one vendor interface`;
  }
  if (!isObject(properties)) return `${name}: properties must be an object of descriptions by driver_info key`;
  const strange = Object.keys(properties).find((key) => typeof properties[key] !== 'string');
  if (strange !== undefined) return `${name}: properties.${strange} must be a text`;
  for (const hook of ['longestRequest', 'release', 'close']) {
    if (value[hook] !== undefined && typeof value[hook] !== 'function') return `${name}: ${hook} must be a function`;
  }
  const faults = vendorInterfaces.map((each) => faultOfVendorInterface(String(name), each));
  faults.push(faultOfRepeatedName(`${name}: vendor interface`, vendorInterfaces));
  faults.push(faultOfMethods(`${name}: driverMethods`, driverMethods));
  return faults.find((fault) => fault !== null) ?? null;
}

function faultOfVendorInterface(driver: string, value: unknown): string | null {
  if (!isObject(value)) return `${driver}: each of vendorInterfaces must be an object with name and methods`;
  const fault = faultOfName(`${driver}: a vendor interface`, value.name);
  if (fault !== null) return fault;
  if (value.validate !== undefined && typeof value.validate !== 'function') {
    return `${driver}: validate of vendor interface ${value.name} must be a function`;
  }
  return faultOfMethods(`${driver}: methods of vendor interface ${value.name}`, value.methods);
}

function faultOfMethods(owner: string, methods: unknown): string | null {
  if (!Array.isArray(methods)) return `${owner} must be a list`;
  const strange = methods.findIndex((method) => !isMethod(method));
  if (strange !== -1) return `${owner}: number ${strange + 1} is not what defineMethod answers`;
  return faultOfRepeatedName(`${owner}: method`, methods);
}

function faultOfRepeatedName(what: string, things: readonly unknown[]): string | null {
  const names = things.map((thing) => (isObject(thing) ? thing.name : thing));
  const second = names.find((name, index) => names.indexOf(name) !== index);
  return second === undefined ? null : `${what} ${second} is there twice`;
}

function faultOfName(what: string, name: unknown): string | null {
  if (typeof name === 'string' && NAME.test(name)) return null;
  const rule = 'letters, digits, "_", "-", "." and "~", beginning with a letter, a digit or "_"';
  return `${what} must have a name of ${rule}, not ${JSON.stringify(name) ?? 'none'}`;
}

function isMethod(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { name, description, httpMethods, async, attach, requireExclusiveLock } = value;
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    typeof description === 'string' &&
    Array.isArray(httpMethods) &&
    httpMethods.length > 0 &&
    httpMethods.every((verb) => HTTP_METHODS.includes(verb)) &&
    [async, attach, requireExclusiveLock].every((flag) => typeof flag === 'boolean') &&
    isObject(value.argumentsSchema) &&
    isObject(value.resultSchema) &&
    typeof value.parse === 'function' &&
    typeof value.run === 'function'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function refuse(module: string, fault: string, cause?: unknown): PassthruError {
  return new PassthruError('driver_not_ready', `driver module ${module}: ${fault}`, { cause });
}
