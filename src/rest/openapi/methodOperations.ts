import type { HardwareType } from '../../core/hardware.ts';
import type { Method } from '../../core/method.ts';
import type { Route, Verb } from '../router.ts';
import type { AnswerDescription, RouteDescription, Schema } from './description.ts';
import { JOB_STARTED } from './descriptions.ts';

/** A method under one of its verbs, as a path of its own. */
export interface MethodOperation {
  /** As a route's, with the method's name in place of its parameter. */
  path: string;
  verb: Verb;
  description: RouteDescription;
  /** Of this operation, in the document alone. */
  id: string;
}

/**
 * The methods that can be called by `route`, when it names one by its path. Nodes have methods by their driver and
 * interface: what goes by one name is one operation.
 */
export function methodOperations(route: Route, hardwareTypes: readonly HardwareType[]): MethodOperation[] {
  if (route.description === null || !route.path.endsWith('/:method')) return [];
  const owners = route.path.startsWith('/v1/nodes/')
    ? [{ path: route.path, id: 'node', methods: hardwareTypes.flatMap(nodeMethods) }]
    : hardwareTypes.map(({ name, driverMethods = [] }) => ({
        path: route.path.replace(':driver', name),
        id: `driver_${name}`,
        methods: driverMethods,
      }));
  return owners.flatMap(({ path, id, methods }) =>
    [...Map.groupBy(methods, ({ name }) => name)].flatMap(([name, alike]) =>
      [...Map.groupBy(alike.flatMap(withVerbs), ([verb]) => verb)].map(([verb, found]) => ({
        path: path.replace(':method', name),
        verb,
        description: describe(
          route.description as RouteDescription,
          verb,
          found.map(([, method]) => method),
        ),
        id: `${id}_${name}_${verb.toLowerCase()}`,
      })),
    ),
  );
}

type AnyMethod = Pick<
  Method<never>,
  'name' | 'httpMethods' | 'description' | 'async' | 'attach' | 'argumentsSchema' | 'resultSchema'
>;

function nodeMethods({ vendorInterfaces }: HardwareType): AnyMethod[] {
  return vendorInterfaces.flatMap(({ methods }) => methods);
}

function withVerbs(method: AnyMethod): [Verb, AnyMethod][] {
  return method.httpMethods.map((verb) => [verb, method]);
}

function describe(route: RouteDescription, verb: Verb, methods: readonly AnyMethod[]): RouteDescription {
  const takesQuery = verb === 'GET' || verb === 'DELETE';
  const answers: Record<number, AnswerDescription> = {};
  const results = methods.filter((method) => !method.async && !method.attach);
  const attaches = methods.some(({ attach }) => attach);
  if (results.length > 0 || attaches) {
    answers[200] = {
      description: attaches ? 'What the method answers, as an attachment' : 'What the method answers',
      schema: attaches ? {} : anyOf(results.map(({ resultSchema }) => resultSchema)),
      mediaType: attaches ? '*/*' : undefined,
      headers: attaches ? ['Content-Disposition'] : undefined,
    };
  }
  if (methods.some((method) => method.async)) answers[202] = JOB_STARTED;
  return {
    ...route,
    summary: [...new Set(methods.map(({ description }) => description))].join('; '),
    // Bodies of these verbs are lost on the way by some clients.
    query: takesQuery
      ? Object.assign({}, ...methods.map(({ argumentsSchema }) => argumentsSchema.properties))
      : undefined,
    body: takesQuery ? undefined : anyOf(methods.map(({ argumentsSchema }) => argumentsSchema)),
    answers,
  };
}

function anyOf(schemas: readonly Schema[]): Schema {
  const plain = schemas.map(({ $schema: _, ...schema }) => schema);
  const distinct = [...new Map(plain.map((schema) => [JSON.stringify(schema), schema])).values()];
  return distinct.length === 1 ? (distinct[0] as Schema) : { anyOf: distinct };
}
