import type { Drivers } from './core.ts';
import { invalidArgument, PassthruError } from './errors.ts';
import type { HardwareType, VendorInterface } from './hardware.ts';
import type { Method } from './method.ts';
import type { Node } from './node.ts';
import type { DriverTask, NodeTask } from './task.ts';

/** How long a request of a hardware type that does not say may be under way, in milliseconds. */
const DEFAULT_LONGEST_REQUEST = 60_000;

/** The methods of a vendor interface or a driver. */
interface MethodTable<T extends DriverTask> {
  /** By name. */
  list: readonly Method<T>[];
  byName: ReadonlyMap<string, Method<T>>;
}

/** A hardware type with its tables made. */
interface RegisteredType {
  hardwareType: HardwareType;
  interfaces: ReadonlyMap<string, { vendorInterface: VendorInterface; methods: MethodTable<NodeTask> }>;
  driverMethods: MethodTable<DriverTask>;
}

/** The hardware types of the service, their vendor interfaces and methods. Made once at start. */
export class Registry implements Drivers {
  readonly #types = new Map<string, RegisteredType>();
  readonly #list: HardwareType[];

  /** Throws kind `failed_precondition` when two things have the same name. */
  constructor(hardwareTypes: readonly HardwareType[]) {
    for (const hardwareType of hardwareTypes) {
      if (this.#types.has(hardwareType.name)) throw twice(`two hardware types are called '${hardwareType.name}'`);
      const interfaces = new Map();
      for (const vendorInterface of hardwareType.vendorInterfaces) {
        const label = `vendor interface ${vendorInterface.name} of ${hardwareType.name}`;
        if (interfaces.has(vendorInterface.name)) throw twice(`there is a second ${label}`);
        interfaces.set(vendorInterface.name, { vendorInterface, methods: methodTable(label, vendorInterface.methods) });
      }
      const driverMethods = methodTable(`driver ${hardwareType.name}`, hardwareType.driverMethods ?? []);
      this.#types.set(hardwareType.name, { hardwareType, interfaces, driverMethods });
    }
    this.#list = [...this.#types.values()].map((type) => type.hardwareType).sort(byName);
  }

  list(): HardwareType[] {
    return [...this.#list];
  }

  get(name: string): HardwareType {
    return this.#get(name).hardwareType;
  }

  /** Whether there is a hardware type of that name. */
  has(name: string): boolean {
    return this.#types.has(name);
  }

  /** The vendor interface `name` of a hardware type; null when it has none of that name. */
  vendorInterface(driver: string, name: string): VendorInterface | null {
    return this.#types.get(driver)?.interfaces.get(name)?.vendorInterface ?? null;
  }

  /** The longest time in milliseconds that a request to the node's machine may be under way. Throws kind `driver_not_found`. */
  longestRequest(node: Node): number {
    const time = this.#get(node.driver).hardwareType.longestRequest?.(node) ?? DEFAULT_LONGEST_REQUEST;
    if (Number.isFinite(time)) return time;
    throw new TypeError(`longestRequest of driver ${node.driver} returned ${time}, not milliseconds`);
  }

  /** The methods of a node, by name. Throws kind `driver_not_found` when its driver or interface is not loaded. */
  nodeMethods(driver: string, vendorInterface: string): MethodTable<NodeTask> {
    const found = this.#get(driver).interfaces.get(vendorInterface);
    if (found !== undefined) return found.methods;
    throw new PassthruError('driver_not_found', `The driver '${driver}' has no vendor interface '${vendorInterface}'.`);
  }

  /** The methods of a driver itself. Throws kind `driver_not_found`. */
  driverMethods(driver: string): MethodTable<DriverTask> {
    return this.#get(driver).driverMethods;
  }

  #get(name: string): RegisteredType {
    const type = this.#types.get(name);
    if (type !== undefined) return type;
    // Worded as recorded ("driver methods unknown driver").
    throw new PassthruError('driver_not_found', `The driver '${name}' is unknown.`);
  }
}

/** The method `name`. Throws kind `unknown_method`, worded as recorded, or `invalid_argument` when it is not given. */
export function findMethod<T extends DriverTask>(methods: MethodTable<T>, name: string | null): Method<T> {
  // Both worded as recorded ("no method", "empty method").
  if (name === null) throw invalidArgument('method', 'Missing mandatory parameter: method');
  const method = methods.byName.get(name);
  if (method !== undefined) return method;
  if (name === '') throw invalidArgument('method', 'Method not specified');
  throw new PassthruError('unknown_method', `No handler for method ${name.slice(0, 255)}`);
}

function twice(what: string): PassthruError {
  return new PassthruError('failed_precondition', `drivers: ${what}; rename one in its module`);
}

function methodTable<T extends DriverTask>(owner: string, methods: readonly Method<T>[]): MethodTable<T> {
  const map = new Map<string, Method<T>>();
  for (const method of methods) {
    if (map.has(method.name)) throw twice(`${owner} has two methods called '${method.name}'`);
    map.set(method.name, method);
  }
  return { list: [...methods].sort(byName), byName: map };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
