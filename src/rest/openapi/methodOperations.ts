import type { HardwareType } from '../../core/hardware.ts';
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
}

/**
 * Returns the operations of a route that takes the method's name in its path. A node's methods depend on its driver and
 * vendor interface: methods of the same name are one operation.
 */
export function methodOperations(
  routePath: string,
  description: RouteDescription,
  hardwareTypes: readonly HardwareType[],
): MethodOperation[] {
  if (!routePath.endsWith('/:method')) return [];
  const owners = routePath.startsWith('/v1/nodes/')
    ? [{ path: routePath, owner: 'node', methods: hardwareTypes.flatMap(nodeMethods) }]
    : hardwareTypes.map(({ name, driverMethods = [] }) => ({
        path: routePath.replace(':driver', name),
        owner: `driver_${name}`,
        methods: driverMethods,
      }));
  return owners.flatMap(({ path, owner, methods }) => {
    const operations = methods.flatMap((method: AnyMethod) => method.httpMethods.map((verb) => ({ verb, method })));
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
    }));
  });
}

type AnyMethod = Pick<
  Method<never>,
  'name' | 'httpMethods' | 'description' | 'async' | 'attach' | 'argumentsSchema' | 'resultSchema'
>;

function nodeMethods({ vendorInterfaces }: HardwareType): AnyMethod[] {
  return vendorInterfaces.flatMap(({ methods }) => methods);
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
