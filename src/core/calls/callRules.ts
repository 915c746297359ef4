import { ROLES, type Role } from '../caller.ts';
import { PassthruError } from '../errors.ts';
import type { HardwareType } from '../hardware.ts';
import type { Method } from '../method.ts';

/** The role that a method requires unless a rule or its definition says otherwise. */
const CALL_ROLE: Role = 'operator';

/** The role required to call some methods. */
export interface CallRule {
  /** The name of a hardware type; null for all. */
  driver: string | null;
  /** The name of a method, of a node or of the driver itself; null for all. */
  method: string | null;
  role: Role;
}

function matches(rule: CallRule, driver: string, method: Method<never>): boolean {
  return (rule.driver ?? driver) === driver && (rule.method ?? method.name) === method.name;
}

/** Returns `method` of `driver` with the role that the first matching rule gives it. */
export function withRole<M extends Method<never>>(method: M, driver: string, rules: readonly CallRule[]): M {
  const rule = rules.find((candidate) => matches(candidate, driver, method));
  if (rule === undefined) return method;
  // A method may be an instance of a class, whose functions need `this`.
  const functions = { parse: method.parse.bind(method), run: method.run.bind(method) };
  return Object.assign({}, method, { role: rule.role, ...functions });
}

/** Throws kind `failed_precondition` for a rule that matches no loaded method: it would guard nothing. */
export function checkRules(rules: readonly CallRule[], types: readonly HardwareType[]): void {
  for (const [index, rule] of rules.entries()) {
    const isUsed = types.some(({ name, vendorInterfaces, driverMethods = [] }) =>
      [...vendorInterfaces.flatMap(({ methods }) => methods), ...driverMethods].some((method) =>
        matches(rule, name, method),
      ),
    );
    if (isUsed) continue;
    const { driver, method } = rule;
    const loaded = types.map(({ name }) => name);
    const what =
      driver !== null && !loaded.includes(driver)
        ? `driver: ${JSON.stringify(driver)} is not a loaded hardware type; loaded: ${loaded.join(', ')}`
        : `method: ${JSON.stringify(method)} is not a method of ${driver ?? 'any driver'}`;
    throw new PassthruError('failed_precondition', `auth.rules[${index}].${what}`);
  }
}

/** Returns the lowest role that may call `method`. */
export function requiredRole(method: Pick<Method<never>, 'role'>): Role {
  return method.role ?? CALL_ROLE;
}

/** Returns the lowest role that may call one of `methods`, which is at most `CALL_ROLE`. */
export function leastCallRole(methods: readonly Method<never>[]): Role {
  return lowest([CALL_ROLE, ...methods.map(requiredRole)]);
}

function lowest(roles: readonly Role[]): Role {
  return ROLES.find((role) => roles.includes(role)) ?? CALL_ROLE;
}
