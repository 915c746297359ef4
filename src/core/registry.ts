import { highestRole, type Role } from './caller.ts';
import { type CallRule, checkRules, leastCallRole, requiredRole, withRole } from './calls/callRules.ts';
import type { Drivers } from './core.ts';
import { invalidArgument, PassthruError } from './errors.ts';
import type { HardwareType, VendorInterface } from './hardware.ts';
import type { Method } from './method.ts';
import type { Node } from './node.ts';
import { declareSecretNames } from './secretNames.ts';
import type { DriverTask, NodeTask } from './task.ts';
import { settledWithin } from './waiting.ts';

/** The longest duration of a request of hardware types that declare none, in milliseconds. */
const DEFAULT_LONGEST_REQUEST = 60_000;

/** How long a driver may take to validate a node, in milliseconds. */
const VALIDATE_TIME = 10_000;

/** The methods of a vendor interface or a driver. */
export interface MethodTable<T extends DriverTask> {
  /** By name. */
  list: readonly Method<T>[];
  byName: ReadonlyMap<string, Method<T>>;
}

/** A hardware type with its method tables. */
interface RegisteredType {
  hardwareType: HardwareType;
  interfaces: ReadonlyMap<string, { vendorInterface: VendorInterface; methods: MethodTable<NodeTask> }>;
  driverMethods: MethodTable<DriverTask>;
}

/** The hardware types of the service with their vendor interfaces and methods. */
export class Registry implements Drivers {
  readonly #types = new Map<string, RegisteredType>();
  readonly #list: HardwareType[];
  readonly leastCallRole: Role;

  /** Throws kind `failed_precondition` for a duplicate name, or a rule that matches no method. */
  constructor(hardwareTypes: readonly HardwareType[], rules: readonly CallRule[]) {
    for (const hardwareType of hardwareTypes) {
      const { name, secretKeys = [] } = hardwareType;
      if (this.#types.has(name)) throw duplicate(`two hardware types are called '${name}'`);
      declareSecretNames(secretKeys);
      const table = <T extends DriverTask>(owner: string, methods: readonly Method<T>[]) =>
        methodTable(
          owner,
          methods.map((method) => withRole(method, name, rules)),
        );
      const interfaces = new Map();
      for (const vendorInterface of hardwareType.vendorInterfaces) {
        const label = `vendor interface ${vendorInterface.name} of ${name}`;
        if (interfaces.has(vendorInterface.name)) throw duplicate(`there is a second ${label}`);
        interfaces.set(vendorInterface.name, { vendorInterface, methods: table(label, vendorInterface.methods) });
      }
      const driverMethods = table(`driver ${name}`, hardwareType.driverMethods ?? []);
      this.#types.set(name, { hardwareType, interfaces, driverMethods });
    }
    checkRules(rules, hardwareTypes);
    this.#list = [...hardwareTypes].sort(byName);
    const methods = this.#list.map(({ name }) => this.methods(name));
    this.leastCallRole = leastCallRole(methods.flatMap(({ ofNodes, ofDriver }) => [...ofNodes, ...ofDriver]));
  }

  list(): HardwareType[] {
    return [...this.#list];
  }

  get(name: string): HardwareType {
    return this.#get(name).hardwareType;
  }

  methods(name: string): { ofNodes: readonly Method<NodeTask>[]; ofDriver: readonly Method<DriverTask>[] } {
    const { interfaces, driverMethods } = this.#get(name);
    return { ofNodes: [...interfaces.values()].flatMap(({ methods }) => methods.list), ofDriver: driverMethods.list };
  }

  /** Whether a hardware type of that name exists. */
  has(name: string): boolean {
    return this.#types.has(name);
  }

  /** Returns a vendor interface of a hardware type; null when it does not exist. */
  vendorInterface(driver: string, name: string): VendorInterface | null {
    return this.#types.get(driver)?.interfaces.get(name)?.vendorInterface ?? null;
  }

  /**
   * Checks the node by its vendor interface. Returns a promise only where the driver does; null when the node is valid.
   * @throws, or rejects with, what the driver throws, kind `driver_not_ready` when it takes longer than `VALIDATE_TIME`
   */
  validate(node: Node): Promise<void> | null {
    const outcome = this.vendorInterface(node.driver, node.vendorInterface)?.validate?.(node);
    const thenable = typeof outcome === 'object' && outcome !== null && 'then' in outcome;
    return thenable ? inTime(Promise.resolve(outcome), node) : null;
  }

  /** Returns the longest duration of a request to the node's machine, in milliseconds. Throws kind `driver_not_found`. */
  longestRequest(node: Node): number {
    const time = this.#get(node.driver).hardwareType.longestRequest?.(node) ?? DEFAULT_LONGEST_REQUEST;
    if (Number.isFinite(time)) return time;
    throw new TypeError(`longestRequest of driver ${node.driver} returned ${time}, not milliseconds`);
  }

  /** Returns the methods of a node. Throws kind `driver_not_found` when its driver or interface is not loaded. */
  nodeMethods(driver: string, vendorInterface: string): MethodTable<NodeTask> {
    const found = this.#get(driver).interfaces.get(vendorInterface);
    if (found !== undefined) return found.methods;
    throw new PassthruError('driver_not_found', `The driver '${driver}' has no vendor interface '${vendorInterface}'.`);
  }

  /** Returns the methods of a node, sorted by name. Throws as `nodeMethods`. */
  listOf({ driver, vendorInterface }: Pick<Node, 'driver' | 'vendorInterface'>): readonly Method<NodeTask>[] {
    return this.nodeMethods(driver, vendorInterface).list;
  }

  /** Returns the methods of a driver itself. Throws kind `driver_not_found`. */
  driverMethods(driver: string): MethodTable<DriverTask> {
    return this.#get(driver).driverMethods;
  }

  /**
   * Returns the lowest role that may see what a call returned: the one that its method required then or requires now,
   * whichever is higher. Admin when the method is not loaded, so that removing a driver does not open what it left.
   * @param role what the method required then; null when that is not known
   */
  roleOfPast(call: { driver: string; method: string; nodeUuid: string | null; role: Role | null }): Role {
    const { driver, method, nodeUuid, role } = call;
    const type = this.#types.get(driver);
    // A node may have had any of the interfaces.
    const tables =
      nodeUuid === null ? [type?.driverMethods] : [...(type?.interfaces.values() ?? [])].map((each) => each.methods);
    const found = tables.flatMap((table) => table?.byName.get(method) ?? []);
    if (found.length === 0) return 'admin';
    return highestRole([role ?? undefined, ...found.map(requiredRole)]) ?? 'admin';
  }

  #get(name: string): RegisteredType {
    const type = this.#types.get(name);
    if (type !== undefined) return type;
    // Worded as recorded ("driver methods unknown driver").
    throw new PassthruError('driver_not_found', `The driver '${name}' is unknown.`);
  }
}

/** Returns the method `name`. Throws kind `unknown_method`, or `invalid_argument` when no name is given. */
export function findMethod<T extends DriverTask>(methods: MethodTable<T>, name: string | null): Method<T> {
  // Both worded as recorded ("no method", "empty method").
  if (name === null) throw invalidArgument('method', 'Missing mandatory parameter: method');
  const method = methods.byName.get(name);
  if (method !== undefined) return method;
  if (name === '') throw invalidArgument('method', 'Method not specified');
  throw unknownMethod(name);
}

export function unknownMethod(name: string): PassthruError {
  return new PassthruError('unknown_method', `No handler for method ${name.slice(0, 255)}`);
}

async function inTime(validating: Promise<unknown>, { driver, vendorInterface }: Node): Promise<void> {
  if (await settledWithin([validating], VALIDATE_TIME)) return void (await validating);
  const what = `validate of vendor interface ${vendorInterface} of driver ${driver}`;
  throw new PassthruError('driver_not_ready', `${what} did not end within ${VALIDATE_TIME / 1000} s`);
}

function duplicate(what: string): PassthruError {
  return new PassthruError('failed_precondition', `drivers: ${what}; rename one in its module`);
}

function methodTable<T extends DriverTask>(owner: string, methods: readonly Method<T>[]): MethodTable<T> {
  const map = new Map<string, Method<T>>();
  for (const method of methods) {
    if (map.has(method.name)) throw duplicate(`${owner} has two methods called '${method.name}'`);
    map.set(method.name, method);
  }
  return { list: [...methods].sort(byName), byName: map };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
