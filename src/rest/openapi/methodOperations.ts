import { requiredRole } from '../../core/calls/callRules.ts';
import type { Drivers } from '../../core/core.ts';
import type { Method } from '../../core/method.ts';
import type { Verb } from '../router.ts';
import type { ResponseDescription, RouteDescription, Schema } from './description.ts';
import { JOB_STARTED } from './descriptions.ts';

/** An operation with its own path: one method with one of its verbs. */
interface MethodOperation {
  /** The route's path, with the method's name in place of the parameter. */
  path: string;
  verb: Verb;
  description: RouteDescription;
  /** The operationId. */
  id: string;
  /** The role that it requires, in words: `admin`, or `operator (redfish), admin (ipmi)`. */
  role: string;
}

/** A driver with its methods. */
export interface DriverMethods {
  name: string;
  ofNodes: readonly AnyMethod[];
  ofDriver: readonly AnyMethod[];
}

/** Returns all drivers with their methods and the roles that these require. */
export function driverMethods(drivers: Drivers): DriverMethods[] {
  return drivers.list().map(({ name }) => ({ name, ...drivers.methods(name) }));
}

/**
 * Returns the operations of a route that takes the method's name in its path. A node's methods depend on its driver and
 * vendor interface: methods of the same name are one operation.
 */
export function methodOperations(
  routePath: string,
  description: RouteDescription,
  drivers: readonly DriverMethods[],
): MethodOperation[] {
  if (!routePath.endsWith('/:method')) return [];
  const owners = routePath.startsWith('/v1/nodes/')
    ? [{ path: routePath, owner: 'node', methods: drivers.flatMap(({ name, ofNodes }) => withDriver(name, ofNodes)) }]
    : drivers.map(({ name, ofDriver }) => ({
        path: routePath.replace(':driver', name),
        owner: `driver_${name}`,
        methods: withDriver(name, ofDriver),
      }));
  return owners.flatMap(({ path, owner, methods }) => {
    const operations = methods.flatMap((each) => each.method.httpMethods.map((verb) => ({ verb, ...each })));
    const alike = Map.groupBy(operations, ({ verb, method }) => `${method.name}_${verb.toLowerCase()}`);
    return [...alike].map(([name, found]) => ({
      path: path.replace(':method', found[0]!.method.name),
      verb: found[0]!.verb,
      description: describe(
        description,
        found[0]!.verb,
        found.map(({ method }) => method),
      ),
      id: `${owner}_${name}`,
      role: rolesInWords(found),
    }));
  });
}

type AnyMethod = Pick<
  Method<never>,
  'name' | 'httpMethods' | 'description' | 'async' | 'attach' | 'role' | 'argumentsSchema' | 'resultSchema'
>;

/** A method of a driver. */
interface Owned {
  driver: string;
  method: AnyMethod;
}

function withDriver(driver: string, methods: readonly AnyMethod[]): Owned[] {
  return methods.map((method) => ({ driver, method }));
}

function rolesInWords(methods: readonly Owned[]): string {
  const byRole = [...Map.groupBy(methods, ({ method }) => requiredRole(method))];
  if (byRole.length === 1) return byRole[0]![0];
  const drivers = (alike: readonly Owned[]) => [...new Set(alike.map(({ driver }) => driver))].sort().join(', ');
  return byRole.map(([role, alike]) => `${role} (${drivers(alike)})`).join(', ');
}

function describe(route: RouteDescription, verb: Verb, methods: readonly AnyMethod[]): RouteDescription {
  const takesQuery = verb === 'GET' || verb === 'DELETE';
  const responses: Record<number, ResponseDescription> = {};
  const results = methods.filter((method) => !method.async && !method.attach);
  const attaches = methods.some(({ attach }) => attach);
  if (results.length > 0 || attaches) {
    responses[200] = {
      description: attaches ? "The method's result as an attachment" : "The method's result",
      schema: attaches ? {} : anyOf(results.map(({ resultSchema }) => resultSchema)),
      mediaType: attaches ? '*/*' : undefined,
      headers: attaches ? ['Content-Disposition', 'Passthru-Transcript'] : ['Passthru-Transcript'],
    };
  }
  if (methods.some((method) => method.async)) responses[202] = JOB_STARTED;
  return {
    ...route,
    summary: [...new Set(methods.map(({ description }) => description))].join('; '),
    // Some clients do not send a body with these verbs.
    query: takesQuery
      ? Object.assign({}, ...methods.map(({ argumentsSchema }) => argumentsSchema.properties))
      : undefined,
    body: takesQuery ? undefined : anyOf(methods.map(({ argumentsSchema }) => argumentsSchema)),
    responses,
  };
}

function anyOf(schemas: readonly Schema[]): Schema {
  const plain = schemas.map(({ $schema: _, ...schema }) => schema);
  const distinct = [...new Map(plain.map((schema) => [JSON.stringify(schema), schema])).values()];
  return distinct.length === 1 ? (distinct[0] as Schema) : { anyOf: distinct };
}
