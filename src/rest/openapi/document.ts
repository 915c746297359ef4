// The OpenAPI document, generated from the routes and the methods of the drivers.
import type { Access } from '../../auth/access.ts';
import type { Action } from '../../auth/actions.ts';
import type { AuthType } from '../../config/authSettings.ts';
import { ERROR_MAPPINGS } from '../../contract/errorMapping.ts';
import type { ErrorKind } from '../../core/errors.ts';
import { MAX_VERSION } from '../apiVersion.ts';
import { type Exchange, enter, type Handler } from '../context.ts';
import { readQuery } from '../query.ts';
import { sendBody } from '../response.ts';
import type { Route } from '../router.ts';
import {
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  type ResponseDescription,
  type ResponseHeader,
  type RouteDescription,
  type Schema,
} from './description.ts';
import { type DriverMethods, driverMethods, methodOperations } from './methodOperations.ts';
import { ref, SCHEMAS } from './schemas.ts';

type Operation = Record<string, unknown>;

/** Errors of every route. Not `cancelled`: its caller is gone. */
const EVERYWHERE: readonly ErrorKind[] = ['invalid_argument', 'internal'];
/** Further errors of routes that require a role. */
const GUARDED: readonly ErrorKind[] = ['too_large', 'permission_denied', 'shutting_down', 'store_unavailable'];
/** Further errors where callers are authenticated. */
const IDENTIFIED: readonly ErrorKind[] = ['unauthenticated', 'identity_unavailable', 'rate_limited'];

const PARAMETERS: Readonly<Record<string, Schema>> = {
  ident: {
    description: 'The UUID of a node, or its name (since version 1.5).',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,254}$' },
  },
  driver: { description: 'Name of a driver.', schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,255}$' } },
  method: {
    description: 'Name of a method.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$' },
  },
  host: { description: 'Host name of a process.', schema: { type: 'string', pattern: '^[A-Za-z0-9-]{1,255}$' } },
  id: { description: 'ID of a job.', schema: { type: 'string', format: 'uuid' } },
};

/** The error for a parameter of the path that names nothing. */
const NOT_FOUND: Readonly<Record<string, ErrorKind>> = {
  ident: 'node_not_found',
  driver: 'driver_not_found',
  host: 'node_not_found',
  id: 'job_not_found',
};

/** The security scheme of each `auth.type`. */
const SECURITY_SCHEMES: Readonly<Record<Exclude<AuthType, 'none'>, Readonly<Record<string, Schema>>>> = {
  http_basic: { basic: { type: 'http', scheme: 'basic' } },
  keystone: { keystone: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
  jwt: { jwt: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
  client_certificate: { certificate: { type: 'mutualTLS' } },
};

/** Returns the handler of GET /openapi.json for `routes`, which contain it. The document is built once per service. */
export function showOpenApi(routes: () => readonly Route[]): Handler {
  const built = new WeakMap<Exchange['guardedCore'], string>();
  return (exchange) => {
    readQuery(exchange.rawQuery);
    const core = enter(exchange);
    let document = built.get(core);
    if (document === undefined) {
      document = JSON.stringify(openApiDocument(routes(), driverMethods(core.drivers), exchange.access));
      built.set(core, document);
    }
    sendBody(exchange, 200, 'application/json', document);
  };
}

/**
 * Returns the OpenAPI 3.1 document of `routes`, with a path for each method of `drivers`. Routes without a
 * description are left out: nothing is served there. HEAD is left out too: it goes with every GET.
 */
export function openApiDocument(routes: readonly Route[], drivers: readonly DriverMethods[], access: Access) {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const { action, path: routePath, verbs, description } of routes) {
    if (description === null) continue;
    const general = verbs
      .filter((verb) => verb !== 'HEAD')
      .map((verb) => ({ verb, path: routePath, description, id: undefined, role: null }));
    for (const each of [...general, ...methodOperations(routePath, description, drivers)]) {
      const path = each.path.replaceAll(/:(\w+)/g, '{$1}');
      const verb = each.verb.toLowerCase();
      const id = each.id ?? verb + path.replaceAll(/[^A-Za-z0-9]+/g, '_');
      paths[path] = { ...paths[path], [verb]: operation(action, verb, each, path, access, id) };
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'passthru',
      version: MAX_VERSION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        "Vendor passthru for bare-metal nodes, at the URLs of OpenStack Ironic. Other requests of Ironic's API get 400 in Ironic's error format.",
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: SCHEMAS,
      headers: RESPONSE_HEADERS,
      securitySchemes: access.type === 'none' ? undefined : SECURITY_SCHEMES[access.type],
    },
  };
}

function operation(
  action: Action,
  verb: string,
  { description, role }: { description: RouteDescription; role: string | null },
  path: string,
  access: Access,
  operationId: string,
): Operation {
  const { summary, query = {}, headers = [], body } = description;
  const required = access.requiredRole(action);
  const isVersioned = path.startsWith('/v1');
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, ...PARAMETERS[name] })),
    ...Object.entries(query).map(([name, schema]) => ({ name, in: 'query', schema })),
    ...headers.map((name) => ({ name, in: 'header', ...REQUEST_HEADERS[name] })),
    ...(isVersioned ? [VERSION_PARAMETER] : []),
  ];
  const isOpen = required === 'open';
  const schemes = isOpen || access.type === 'none' ? null : Object.keys(SECURITY_SCHEMES[access.type]);
  const successes = Object.entries(description.responses).map(([status, success]) => [
    status,
    response(success, isVersioned ? VERSION_HEADERS : []),
  ]);
  const kinds = new Set<ErrorKind>([
    ...EVERYWHERE,
    ...(isVersioned ? (['version_not_acceptable'] as const) : []),
    ...(isOpen ? [] : GUARDED),
    ...(schemes === null ? [] : IDENTIFIED),
    ...names.flatMap((name) => NOT_FOUND[name] ?? []),
    ...(description.errors ?? []),
  ]);
  return {
    operationId,
    summary,
    description: isOpen ? undefined : `Requires the role ${role ?? required}.`,
    parameters,
    requestBody:
      body === undefined || verb === 'get'
        ? undefined
        : { required: isRequired(body), content: { 'application/json': { schema: body } } },
    responses: { ...errorResponses(kinds, isVersioned, access, action), ...Object.fromEntries(successes) },
    security: schemes?.map((scheme) => ({ [scheme]: [] })),
  };
}

const VERSION_PARAMETER = {
  name: 'X-OpenStack-Ironic-API-Version',
  in: 'header',
  description: 'The requested API version, or `latest`; 1.1 when absent.',
  schema: { type: 'string', pattern: '^(latest|1\\.[0-9]{1,3})$', default: 'latest' },
};

/** An empty body counts as `{}`. */
function isRequired(body: Schema): boolean {
  return body.$ref !== undefined || (Array.isArray(body.required) && body.required.length > 0);
}

function errorResponses(
  kinds: ReadonlySet<ErrorKind>,
  isVersioned: boolean,
  access: Access,
  action: Action,
): Operation {
  const responses: Operation = {};
  for (const [status, alike] of Map.groupBy(kinds, (kind) => ERROR_MAPPINGS[kind].status)) {
    const headers = isVersioned ? VERSION_HEADERS.slice(0, status === 406 ? 2 : undefined) : [];
    if (status === 429 || status === 503) headers.push('Retry-After');
    if (action === 'call a method' && status !== 406) headers.push('Passthru-Transcript');
    if (status === 401 && access.challenge !== null) headers.push('WWW-Authenticate');
    responses[status] = response({ description: alike.sort().join(', '), schema: ref('Error') }, headers);
  }
  return responses;
}

const VERSION_HEADERS: readonly ResponseHeader[] = [
  'X-OpenStack-Ironic-API-Minimum-Version',
  'X-OpenStack-Ironic-API-Maximum-Version',
  'X-OpenStack-Ironic-API-Version',
];

function response(described: ResponseDescription, more: readonly ResponseHeader[]): Operation {
  const { description, schema, mediaType = 'application/json', headers = [] } = described;
  return {
    description,
    headers: Object.fromEntries([...headers, ...more].map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: schema && { [mediaType]: { schema } },
  };
}
