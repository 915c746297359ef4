import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfiguredService, startBasicService } from '../auth/guardedService.ts';
import { Requests } from '../auth/requests.ts';
import { basic } from '../auth/users.ts';

const NODE = 'a-node-no-one-may-see';
const GOOD = `Authorization: ${basic('anna').headers?.authorization}`;
const MEDIA = 'X-OpenStack-Ironic-API-Version: 1.80';

let service: ConfiguredService;
beforeAll(async () => {
  service = await startBasicService('anna');
  await service.createNode(NODE);
});
afterAll(() => service[Symbol.asyncDispose]());

/** Sends `lines` over HTTP/1.1; returns everything received until the service closes the connection. */
async function responseTo(...lines: string[]): Promise<string> {
  const { hostname, port } = new URL(service.url);
  const socket = createConnection(Number(port), hostname).on('error', () => {});
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  // The service takes a client that closes its side for gone, and sends what is ready.
  if (!lines.includes('Connection: close')) socket.end();
  await closed;
  return received;
}

const statusesOf = (received: string) =>
  [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));

test.each([
  '//v1/nodes',
  '/V1/nodes',
  '/%761/nodes',
  '/v1/%6eodes',
  '/v1//nodes',
  '/v1/./nodes',
  '/v1/../v1/nodes',
  '/healthz/../v1/nodes',
  '/healthz%2f..%2fv1/nodes',
  '/healthz/',
  '/v1/nodes;x=1',
  '/v1/nodes/',
  '/v1/nodes/..%2f..%2fhealthz',
  '/v1/nodes?x=/healthz',
  'http://127.0.0.1/v1/nodes',
  'http://127.0.0.1/passthru.v1.NodeService/ListNodes',
  '//passthru.v1.NodeService/ListNodes',
  '/PASSTHRU.v1.NodeService/ListNodes',
  '/passthru.v1.NodeService%2fListNodes',
  '/passthru.v1.NodeService/ListNodes/',
  '/passthru.v1.NodeService/ListNodes?x=/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/../passthru.v1.NodeService/ListNodes',
  '/openapi.json',
  '/metrics',
])('%s shows nothing without credentials', async (target) => {
  for (const verb of ['GET', 'HEAD', 'POST', 'QUERY', 'TRACE']) {
    const received = await responseTo(
      `${verb} ${target} HTTP/1.1`,
      `Host: ${target.startsWith('http:') ? '127.0.0.1' : 'a'}`,
      MEDIA,
      'Content-Length: 0',
      'Connection: close',
    );
    expect([verb, statusesOf(received)]).toEqual([
      verb,
      [expect.toBeOneOf(target === '/healthz/' ? [200, 401] : [401, 404, 405, 415])],
    ]);
    expect(received).not.toContain(NODE);
  }
});

describe('an ambiguous request', () => {
  const post = ['POST /v1/nodes HTTP/1.1', 'Host: a', MEDIA];
  test.each<[string, string[]]>([
    ['a length and chunks', [...post, 'Content-Length: 5', 'Transfer-Encoding: chunked', '', '0']],
    ['chunks that are not last', [...post, 'Transfer-Encoding: chunked, identity', '', '0']],
    ['a blank before the colon', [...post, 'Transfer-Encoding : chunked', '', '0']],
    ['two lengths', [...post, 'Content-Length: 0', 'Content-Length: 5', '', 'abcde']],
    ['a length with a sign', [...post, 'Content-Length: +5', '', 'abcde']],
    ['a folded header', [...post, 'X-Any: a', ` ${GOOD}`]],
    ['a bare line feed', [...post, `X-Any: a\n${GOOD}\nX: b`]],
    ['a null in a header', [...post, 'X-Any: a\0b']],
  ])('is refused: %s', async (_what, lines) => {
    const received = await responseTo(...lines);
    expect(statusesOf(received)).toEqual([400]);
    expect(received).not.toContain(NODE);
  });
});

test('credentials apply to their own request only, not to trailers or the next request on the connection', async () => {
  const trailers = await responseTo(
    ...['POST /v1/nodes HTTP/1.1', 'Host: a', MEDIA, 'Transfer-Encoding: chunked', 'Trailer: Authorization'],
    ...['Connection: close', '', '2', '{}', '0', GOOD],
  );
  expect(statusesOf(trailers)).toEqual([401]);
  const next = await responseTo(
    ...['GET /v1/nodes HTTP/1.1', 'Host: a', MEDIA, GOOD, ''],
    ...['GET /v1/nodes HTTP/1.1', 'Host: a', MEDIA, 'Connection: close'],
  );
  expect(statusesOf(next)).toEqual([200, 401]);
});

test.each([
  ['X-HTTP-Method-Override: DELETE'],
  ['X-Forwarded-User: anna', 'X-Remote-User: anna', 'REMOTE_USER: anna', 'X-Auth-Token: anna'],
  ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1;host=localhost;proto=https'],
  ['Cookie: session=anna'],
  ['X-Original-URL: /healthz', 'X-Rewrite-URL: /healthz'],
  ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x', 'Sec-WebSocket-Version: 13'],
  ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'],
])('headers for proxies are not trusted: %s', async (...headers) => {
  const received = await responseTo('GET /v1/nodes HTTP/1.1', 'Host: a', MEDIA, ...headers);
  expect(statusesOf(received)).toEqual([401]);
});

test('CONNECT opens no connection for a client', async () => {
  expect(await responseTo('CONNECT 169.254.169.254:80 HTTP/1.1', 'Host: a', GOOD)).toBe('');
});

test('open routes show the version and the collections, and no data', async () => {
  using anonymous = new Requests(service.url);
  const links = { href: `${service.url}/v1/`, rel: 'self' };
  const version = { id: 'v1', links: [links], status: 'CURRENT', min_version: '1.1', version: '1.115' };
  expect(JSON.parse((await anonymous.rest('GET', '/')).text)).toEqual({
    name: 'OpenStack Ironic API',
    description: expect.any(String),
    default_version: version,
    versions: [version],
  });
  const names =
    'chassis nodes ports drivers portgroups volume lookup heartbeat conductors allocations events deploy_templates ' +
    'shards runbooks inspection_rules continue_inspection';
  const collections = names.split(' ').map((name) => [
    name,
    [
      { href: `${service.url}/v1/${name}/`, rel: 'self' },
      { href: `${service.url}/${name}/`, rel: 'bookmark' },
    ],
  ]);
  expect(JSON.parse((await anonymous.rest('GET', '/v1')).text)).toEqual({
    id: 'v1',
    links: [links, expect.objectContaining({ rel: 'describedby' })],
    media_types: { base: 'application/json', type: 'application/vnd.openstack.ironic.v1+json' },
    version,
    ...Object.fromEntries(collections),
  });
  expect((await anonymous.rest('GET', '/healthz')).text).toBe('{"status":"ok"}');
});

test.each([
  ['two different Hosts', ['Host: a.example', 'Host: b.example']],
  ['the same Host twice', ['Host: localhost', 'Host: localhost']],
  ['two in different case, apart', ['HOST: localhost', 'Accept: */*', 'host: b.example']],
  ['an empty second one', ['Host: localhost', 'Host:']],
  ['three', ['Host: localhost', 'Host: localhost', 'Host: localhost']],
])('a request with %s gets 400, and its connection ends', async (_what, hosts) => {
  for (const path of ['/healthz', '/v1/nodes', '/passthru.v1.NodeService/ListNodes']) {
    const received = await responseTo(`GET ${path} HTTP/1.1`, ...hosts, GOOD, '', 'GET /healthz HTTP/1.1', 'Host: x');
    expect(statusesOf(received)).toEqual([400]);
    expect(received).not.toMatch(NODE);
  }
});

test('a request with one Host, and other fields twice, is served', async () => {
  const received = await responseTo('GET /v1/nodes HTTP/1.1', 'Host: a.example', 'X-Host: b', 'X-Host: c', GOOD, MEDIA);
  expect(statusesOf(received)).toEqual([200]);
});

test.each([
  ['another host', 'http://b.example/v1/nodes', 'Host: a.example'],
  ['another port', 'http://a.example:81/v1/nodes', 'Host: a.example'],
  ['a user before its host', 'http://a@a.example/v1/nodes', 'Host: a.example'],
  ['a host where Host is empty', 'http://a.example/v1/nodes', 'Host:'],
])('a request whose target is a URL of %s than its Host gets 400', async (_what, target, host) => {
  expect(statusesOf(await responseTo(`GET ${target} HTTP/1.1`, host, GOOD, MEDIA))).toEqual([400]);
});

test('a request whose target is a URL of the host in Host is served', async () => {
  const received = await responseTo('GET http://A.example/v1/nodes HTTP/1.1', 'Host: a.Example', GOOD, MEDIA);
  expect(statusesOf(received)).toEqual([200]);
});
