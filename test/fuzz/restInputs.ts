import fc from 'fast-check';
import { ROUTES } from '../../src/rest/routes.ts';
import { headerValue, ident, json, jsonObject, method, mutated, oddText } from './words.ts';

/** A request over REST or Connect. */
export interface HttpInput {
  verb: string;
  path: string;
  headers: Record<string, string>;
  body: Uint8Array | null;
}

const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];

const QUERY = [
  ...['method', 'fields', 'limit', 'marker', 'sort_key', 'sort_dir', 'driver', 'maintenance', 'associated', 'detail'],
  ...['node', 'state', 'after_revision', 'bar', 'id', 'provision_state', 'resource_class', 'owner'],
];

const queryValue = fc.oneof(
  method,
  ident,
  json.map((value) => JSON.stringify(value)),
  fc.constantFrom('name,uuid', '-1', '0', '1', '1000000', 'true', 'asc', 'desc', 'JOB_STATE_SUCCEEDED'),
);

const query = fc.oneof(
  fc.constant(''),
  fc
    .array(fc.tuple(fc.constantFrom(...QUERY), queryValue), { maxLength: 3 })
    .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&')),
  fc.string({ maxLength: 30 }),
);

const path = fc
  .tuple(fc.constantFrom(...ROUTES), ident, method, fc.boolean())
  .map(([{ path }, name, called, isRaw]) => {
    const encode = isRaw ? (text: string) => text : (text: string) => encodeURIComponent(text.toWellFormed());
    return path.replaceAll(/:\w+|\*/g, (parameter) => encode(parameter === ':method' ? called : name));
  });

const headers = fc.record(
  {
    'X-OpenStack-Ironic-API-Version': fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('1.82', '1.1', 'latest') },
      { weight: 1, arbitrary: headerValue },
    ),
    'Content-Type': fc.oneof(fc.constant('application/json'), headerValue),
    'Idempotency-Key': headerValue,
    'Passthru-Lock-Wait': fc.oneof(fc.constantFrom('0', '0.01', '-1', '1e9', 'NaN'), headerValue),
    'Last-Event-ID': headerValue,
    Origin: headerValue,
    Authorization: headerValue,
    Accept: headerValue,
  },
  { requiredKeys: ['X-OpenStack-Ironic-API-Version'] },
);

const patch = fc.array(
  fc.record(
    {
      op: fc.constantFrom('add', 'replace', 'remove', 'move', 'test'),
      path: fc.oneof(
        fc.constantFrom('/name', '/extra/a', '/driver', '/driver_info', '/driver_info/x', '/reservation'),
        oddText,
      ),
      value: fc.oneof(json, ident),
    },
    { requiredKeys: ['op'] },
  ),
  { maxLength: 3 },
);

const node = fc.record(
  { name: ident, driver: ident, uuid: ident, driver_info: jsonObject, extra: jsonObject, description: json },
  { requiredKeys: [] },
);

const body = fc.oneof(
  fc.constant(null),
  mutated(fc.oneof(jsonObject, node, patch, json).map((value) => Buffer.from(JSON.stringify(value)))),
  fc.oneof(jsonObject, node, patch).map((value) => Buffer.from(JSON.stringify(value))),
  fc.uint8Array({ maxLength: 40 }),
);

/** Requests for every route, some of them valid. */
export const restInput: fc.Arbitrary<HttpInput> = fc
  .record({ verb: fc.constantFrom(...VERBS), path, query, headers, body })
  .map(({ verb, path, query, headers, body }) => ({
    verb,
    path: `${path}${query === '' ? '' : `?${query}`}`.replaceAll(/[^\x21-\x7e]/g, '%C3%A4'),
    headers,
    // undici does not send a body with these.
    body: verb === 'GET' || verb === 'HEAD' || verb === 'TRACE' ? null : body,
  }));

const line = fc.oneof(
  fc.constantFrom(
    'GET / HTTP/1.1',
    'POST /v1/nodes HTTP/1.0',
    'GET http://a/v1 HTTP/1.1',
    'CONNECT a:1 HTTP/1.1',
    'PRI * HTTP/2.0',
  ),
  fc.constantFrom(
    'Host: a',
    'Host:',
    'Content-Length: 5',
    'Content-Length: 5, 6',
    'Transfer-Encoding: chunked',
    'Upgrade: h2c',
  ),
  fc.constantFrom(
    'Expect: 100-continue',
    'Expect: x',
    'Connection: close',
    'Connection: upgrade',
    '',
    '5;a=b',
    '0',
    'a: b',
  ),
  oddText,
);

/** The bytes of a connection in approximate HTTP/1.1. */
export const rawHttp1: fc.Arbitrary<Uint8Array> = mutated(
  fc
    .tuple(line, fc.array(line, { maxLength: 8 }))
    .map(([first, others]) => Buffer.from([first, ...others, '', ''].join('\r\n'))),
).filter((bytes) => bytes.length > 0);
