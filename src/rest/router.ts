import findMyWay, { type HTTPMethod } from 'find-my-way';
import type { Action } from '../auth/actions.ts';
import type { Handler } from './context.ts';
import type { RouteDescription } from './openapi/description.ts';

/** A route: verbs, a path with `:parameters`, and its handler. */
export interface Route {
  readonly verbs: readonly Verb[];
  readonly path: string;
  /** Determines the required role (`ACTIONS`). */
  readonly action: Action;
  readonly handler: Handler;
  /** The first minor version that has the route. */
  readonly from: number;
  /** For the OpenAPI document; null for routes of Ironic that are not supported here. */
  readonly description: RouteDescription | null;
}

export const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export type Verb = (typeof VERBS)[number];

/** Maximum length of a path segment, in characters: names have up to 255, each of which may be percent-encoded. */
const MAX_PARAM_LENGTH = 1024;

/** Finds the route of a request. */
export interface Router {
  /** Returns undefined if no route has this path and verb, `malformed` if the path is not percent-encoded UTF-8. */
  find(
    verb: string,
    path: string,
  ): { route: Route; params: Record<string, string | undefined> } | 'malformed' | undefined;
  /** Returns the verbs of a path at a minor version; none if it is unknown. */
  verbsAt(path: string, minor: number): Verb[];
}

/** Creates a router. Paths may end in a slash; `%2F` in a parameter is not a separator. */
export function createRouter(routes: readonly Route[]): Router {
  const byVerb = new Map<string, FindMyWay>();
  const find = (verb: string, path: string) => {
    let routesOfVerb = byVerb.get(verb);
    if (routesOfVerb === undefined) {
      if (!isVerb(verb)) return null;
      routesOfVerb = routesByPath(routes, verb);
      byVerb.set(verb, routesOfVerb);
    }
    return routesOfVerb.find(verb as HTTPMethod, path);
  };

  return {
    find(verb, path) {
      const found = find(verb, path);
      if (found === null) return undefined;
      // For a path that it cannot decode find-my-way returns the handler `onBadUrl`, which has no store.
      return found.store === null ? 'malformed' : { route: found.store as Route, params: found.params };
    },
    verbsAt: (path, minor) =>
      VERBS.filter((verb) => {
        const route = find(verb, path)?.store as Route | null | undefined;
        return route && minor >= route.from;
      }),
  };
}

function isVerb(verb: string): verb is Verb {
  return (VERBS as readonly string[]).includes(verb);
}

type FindMyWay = ReturnType<typeof findMyWay>;

/** Compiles the routes with `verb`: 4 ms for each verb, which a start need not wait for. */
function routesByPath(routes: readonly Route[], verb: Verb): FindMyWay {
  const compiled = findMyWay({
    ignoreTrailingSlash: true,
    maxParamLength: MAX_PARAM_LENGTH,
    querystringParser: () => undefined,
    onBadUrl: () => undefined,
  });
  for (const route of routes.filter(({ verbs }) => verbs.includes(verb))) {
    compiled.on(verb, route.path, () => undefined, route);
  }
  return compiled;
}
