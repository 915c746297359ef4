import type { Role } from '../caller.ts';
import { PassthruError } from '../errors.ts';
import type { HardwareType, VendorInterface } from '../hardware.ts';
import type { Method } from '../method.ts';

/** The role that a method requires unless a rule or the method itself says otherwise. */
export const CALL_ROLE: Role = 'operator';

/** The role required to call some methods. */
export interface CallRule {
  /** The name of a hardware type; null for all. */
  driver: string | null;
  /** The name of a method, of a node or of the driver itself; null for all. */
  method: string | null;
  role: Role;
}

/**
 * Returns `hardwareTypes` with the roles that `rules` give to their methods; the first matching rule decides.
 * @throws kind `failed_precondition` for a rule that matches no loaded method: it would guard nothing
 */
export function applyCallRules(hardwareTypes: readonly HardwareType[], rules: readonly CallRule[]): HardwareType[] {
  if (rules.length === 0) return [...hardwareTypes];
  const fitting = new Set<CallRule>();
  const guard = <M extends Method<never>>(driver: string, method: M): M => {
    let first: CallRule | undefined;
    for (const rule of rules) {
      if ((rule.driver ?? driver) !== driver || (rule.method ?? method.name) !== method.name) continue;
      fitting.add(rule);
      first ??= rule;
    }
    // A method may be an instance of a class, whose functions need `this`.
    return first === undefined
      ? method
      : Object.assign({}, method, { role: first.role, parse: method.parse.bind(method), run: method.run.bind(method) });
  };
  const guarded = hardwareTypes.map((type) => ({
    ...type,
    name: type.name,
    vendorInterfaces: type.vendorInterfaces.map((face) => ({
      ...face,
      name: face.name,
      validate: face.validate?.bind(face),
      methods: face.methods.map((method) => guard(type.name, method)),
    })) as unknown as [VendorInterface, ...VendorInterface[]],
    driverMethods: type.driverMethods?.map((method) => guard(type.name, method)),
    properties: type.properties,
    release: type.release?.bind(type),
    close: type.close?.bind(type),
  }));
  for (const [index, rule] of rules.entries()) if (!fitting.has(rule)) throw fitsNothing(index, rule, hardwareTypes);
  return guarded;
}

/** Returns the lowest role that may call any method. */
export function leastCallRole(rules: readonly CallRule[]): Role {
  return rules.some(({ role }) => role === 'reader') ? 'reader' : CALL_ROLE;
}

function fitsNothing(index: number, { driver, method }: CallRule, types: readonly HardwareType[]): PassthruError {
  const known = types.map(({ name }) => name).join(', ');
  const what =
    driver !== null && !types.some(({ name }) => name === driver)
      ? `driver: ${JSON.stringify(driver)} is no hardware type that is loaded; loaded: ${known}`
      : `method: ${JSON.stringify(method)} is no method of ${driver ?? 'any driver'}`;
  return new PassthruError('failed_precondition', `auth.rules[${index}].${what}`);
}
