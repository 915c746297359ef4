import findMyWay, { type HTTPMethod } from 'find-my-way';
import type { Action } from '../auth/actions.ts';
import type { Handler } from './context.ts';
import type { RouteDescription } from './openapi/description.ts';

/** One way to ask: verbs, a path with `:parameters`, what it does and what answers. */
export interface Route {
  verbs: readonly Verb[];
  path: string;
  /** Which role it takes is the table's to say (`ACTIONS`). */
  action: Action;
  handler: Handler;
  /** For the OpenAPI document; null where nothing is served. */
  description: RouteDescription | null;
}

export type Verb = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const VERBS: readonly Verb[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The longest part of a path, in characters; a name has at most 255, and each may be percent-encoded. */
const MAX_PARAM_LENGTH = 1024;

/** Finds the route of a request. */
export interface Router {
  /** Undefined when no route has this path and verb; `malformed` when the path is not percent-encoded UTF-8. */
  find(
    verb: string,
    path: string,
  ): { route: Route; params: Record<string, string | undefined> } | 'malformed' | undefined;
  /** The verbs that a path takes; none when nothing is there. */
  verbsAt(path: string): Verb[];
}

/** Makes a router of a table of routes. A path may end in a slash; `%2F` in a parameter is not a separator. */
export function createRouter(routes: readonly Route[]): Router {
  const router = findMyWay({
    ignoreTrailingSlash: true,
    maxParamLength: MAX_PARAM_LENGTH,
    querystringParser: () => undefined,
    onBadUrl: () => undefined,
  });
  for (const route of routes) router.on([...route.verbs], route.path, () => undefined, route);

  return {
    find(verb, path) {
      const found = router.find(verb as HTTPMethod, path);
      if (found === null) return undefined;
      // find-my-way answers a path that it cannot decode with the handler `onBadUrl`, which has no store.
      return found.store === null ? 'malformed' : { route: found.store as Route, params: found.params };
    },
    verbsAt: (path) => VERBS.filter((verb) => router.find(verb, path)?.store),
  };
}
