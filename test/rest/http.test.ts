import { connect, createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/core/logger.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import { createRestHandler } from '../../src/rest/handler.ts';
import { CALL_LIMITS } from '../defaultLimits.ts';
import { type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService({}, { corsOrigins: ['https://console.example'] });
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);
const version = { 'X-OpenStack-Ironic-API-Version': '1.80' };

test("returns 404 in Ironic's format for an unknown path", async () => {
  for (const path of ['/v1/bogus', '/bogus', '/v1/nodes/n1/vendor_passthru/a/b', '//v1/nodes', '/V1/nodes']) {
    const { status, fault } = await rest({ path });
    expect(status).toBe(404);
    expect(fault).toEqual({ code: 404, title: 'Not Found', description: '' });
  }
});

test('returns 405 with the allowed verbs for a wrong verb', async () => {
  const response = await rest({ method: 'PUT', path: '/v1/nodes/n1' });
  expect(response).toMatchObject({ status: 405, fault: { code: 405, title: 'Method Not Allowed' } });
  expect(response.headers.allow).toBe('GET, HEAD, PATCH, DELETE, OPTIONS');
  expect((await rest({ method: 'POST', path: '/v1/jobs' })).headers.allow).toBe('GET, HEAD, OPTIONS');
});

test("returns an error in Ironic's format for unsupported routes of Ironic", async () => {
  for (const path of ['/v1/ports', '/v1/nodes/n1/states', '/v1/nodes/n1/states/power', '/v1/chassis/x']) {
    const { status, fault } = await rest({ path });
    expect(status).toBe(400);
    expect(fault).toMatchObject({ faultcode: 'Client', faultstring: expect.stringContaining('Not served here') });
  }
});

test('HEAD returns the headers of GET without a body', async () => {
  const got = await rest({ path: '/v1/nodes/n1' });
  const head = await rest({ method: 'HEAD', path: '/v1/nodes/n1' });
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['content-length']).toBe(got.headers['content-length']);
});

test('returns the version headers for every path of the API', async () => {
  for (const path of ['/', '/v1', '/v1/nodes/nope', '/nodes', '/v1/bogus', '/bogus', '/v1/jobs']) {
    const { headers } = await rest({ path, headers: { 'X-OpenStack-Ironic-API-Version': '1.50' } });
    expect(headers).toMatchObject({
      'x-openstack-ironic-api-minimum-version': '1.1',
      'x-openstack-ironic-api-maximum-version': '1.115',
      'x-openstack-ironic-api-version': '1.50',
    });
  }
  const { headers } = await rest({ path: '/healthz' });
  expect(headers).not.toHaveProperty('x-openstack-ironic-api-version');
});

test.each([
  ['the standard header alone', 'baremetal 1.82', undefined, '1.82'],
  ['whatever the case of the service', 'BareMetal 1.5', undefined, '1.5'],
  ['among those of other services', 'compute 2.1, baremetal 1.60 ,volume 3.59', undefined, '1.60'],
  ['the last of several for this service', 'baremetal 1.10, compute 2.1, baremetal 1.61', undefined, '1.61'],
  ['the standard header before the other one', 'baremetal 1.62', '1.50', '1.62'],
  ['latest', 'baremetal latest', undefined, '1.115'],
  ['the other header where the standard one names other services only', 'compute 2.1', '1.63', '1.63'],
  ['the other header where the standard one has no version', 'baremetal', '1.64', '1.64'],
  ['the lowest where the headers are empty', '', '', '1.1'],
  ['the lowest where the standard header names other services only', 'compute latest', undefined, '1.1'],
])('reads the version from OpenStack-API-Version as Ironic does: %s', async (_, standard, own, selected) => {
  const headers: Record<string, string> = { 'OpenStack-API-Version': standard };
  if (own !== undefined) headers['X-OpenStack-Ironic-API-Version'] = own;
  const got = await rest({ path: '/v1/nodes/n1', headers });
  // Nodes have names from 1.5 on.
  expect(got.status).toBe(selected === '1.1' ? 404 : 200);
  expect(got.headers['x-openstack-ironic-api-version']).toBe(selected);
});

test.each([
  [['+1.89'], '1.89'],
  [['01.089'], '1.89'],
  [[' 1 . 8_9\t'], '1.89'],
  [['LATEST'], '1.115'],
  [['1.80, 1.81'], '1.81'],
  [['1.81', '1.80'], '1.80'],
  [['latest', ''], '1.1'],
])('reads the version %j as Ironic does', async (requested, selected) => {
  const name = 'X-OpenStack-Ironic-API-Version';
  const response = await fetch(`${service.url}/v1`, {
    headers: requested.map((value): [string, string] => [name, value]),
  });
  expect(response.status).toBe(200);
  expect(response.headers.get(name)).toBe(selected);
});

test.each([
  ['baremetal 1.116', undefined, /minor version is not supported/],
  ['baremetal 2.0', undefined, /Mutually exclusive versions/],
  ['baremetal garbage', undefined, /Invalid value/],
  ['baremetal 1.5 1.6', undefined, /Invalid value/],
  ['compute 2.1, baremetal 1', '1.50', /Invalid value/],
])('returns 406 for OpenStack-API-Version: %s', async (standard, own, text) => {
  const headers: Record<string, string> = { 'OpenStack-API-Version': standard };
  if (own !== undefined) headers['X-OpenStack-Ironic-API-Version'] = own;
  const { status, fault } = await rest({ path: '/v1/nodes/n1', headers });
  expect(status).toBe(406);
  expect(fault).toMatchObject({ code: 406, title: 'Not Acceptable', description: expect.stringMatching(text) });
});

test.each([
  ['1.0', /minor version is not supported/],
  ['1.116', /minor version is not supported/],
  ['2.0', /Mutually exclusive versions/],
  ['1', /Invalid value/],
  ['1.5.1', /Invalid value/],
  ['1.', /Invalid value/],
  ['1.5_', /Invalid value/],
  ['1.5x', /Invalid value/],
  ['-1.5', /Mutually exclusive versions/],
  ['1.-5', /minor version is not supported/],
  ['1.81, 1.5.1', /Invalid value/],
])('returns 406 for the version %j, before any other check', async (requested, text) => {
  const headers = { 'X-OpenStack-Ironic-API-Version': requested };
  const { status, fault } = await rest({ method: 'POST', path: '/v1/nodes', rawBody: '{bad', headers });
  expect(status).toBe(406);
  expect(fault).toMatchObject({ code: 406, title: 'Not Acceptable', description: expect.stringMatching(text) });
});

describe('links', () => {
  test('begin with the Host header of the request', async () => {
    const { json } = await rest({ path: '/v1/nodes/n1', headers: { ...version, Host: 'ironic.example:8080' } });
    expect(json.links[0].href).toBe(`http://ironic.example:8080/v1/nodes/${json.uuid}`);
  });

  test('do not repeat an invalid Host header', async () => {
    for (const host of ['evil"><script>', 'a/b', 'a b', 'user@host']) {
      const { json } = await rest({ path: '/v1/nodes/n1', headers: { ...version, Host: host } });
      expect(json.links[0].href).toBe(`${service.url}/v1/nodes/${json.uuid}`);
    }
  });
});

test('accepts a target in absolute form; refuses a fragment', async () => {
  expect((await rest({ path: `${service.url}/v1/nodes/n1` })).json.name).toBe('n1');
  expect((await rest({ path: '/v1/nodes#n1' })).status).toBe(400);
});

test('GET /healthz returns 200 while calls are accepted, 503 afterwards', async () => {
  expect(await rest({ path: '/healthz' })).toMatchObject({ status: 200, json: { status: 'ok' } });
  await service.core.shutdown(0);
  const response = await rest({ path: '/healthz' });
  expect(response).toMatchObject({ status: 503, json: { status: 'unavailable' } });
  expect(response.headers['retry-after']).toBe('1');
  const call = await rest({ method: 'POST', path: '/v1/nodes/n1/vendor_passthru/exclusive', body: {} });
  expect(call.status).toBe(503);
  expect(call.headers['retry-after']).toBe('1');
});

describe('a browser', () => {
  const allowed = { ...version, Origin: 'https://console.example' };
  const foreign = { ...version, Origin: 'https://evil.example' };
  const path = '/v1/nodes/n1/vendor_passthru/work';

  test('of an allowed origin may send a preflight, call, and read the exposed headers', async () => {
    const preflight = await rest({
      method: 'OPTIONS',
      path,
      headers: { Origin: allowed.Origin, 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight).toMatchObject({ status: 200, text: '' });
    expect(preflight.headers['access-control-allow-origin']).toBe(allowed.Origin);
    expect(preflight.headers['access-control-allow-methods']).toContain('POST');
    expect(preflight.headers['access-control-allow-headers']).toContain('Idempotency-Key');
    const called = await rest({ method: 'POST', path, body: {}, headers: allowed });
    expect(called.status).toBe(202);
    expect(called.headers['access-control-allow-origin']).toBe(allowed.Origin);
    expect(called.headers['access-control-expose-headers']).toContain('Passthru-Job-Id');
  });

  test('of a foreign origin is refused a call that needs no preflight', async () => {
    const headers = { ...foreign, 'Content-Type': 'text/plain' };
    const refused = await rest({ method: 'POST', path, rawBody: '{}', headers });
    expect(refused).toMatchObject({ status: 403, fault: { faultcode: 'Client' } });
    expect(refused.headers).not.toHaveProperty('access-control-allow-origin');
    expect(service.hardware.calls).toHaveLength(0);
    const preflight = { ...foreign, 'Access-Control-Request-Method': 'POST' };
    expect((await rest({ method: 'OPTIONS', path, headers: preflight })).headers).not.toHaveProperty(
      'access-control-allow-methods',
    );
  });

  test.each<[string, Record<string, string>, number]>([
    ['an image or a link on another site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['one of a neighbouring name', { 'Sec-Fetch-Site': 'same-site' }, 403],
    ['a script of another origin', { Origin: foreign.Origin, 'Sec-Fetch-Site': 'cross-site' }, 403],
    // As far as the method, which has another verb.
    ['a script of an allowed one', { Origin: allowed.Origin, 'Sec-Fetch-Site': 'cross-site' }, 400],
    ["the service's own page", { 'Sec-Fetch-Site': 'same-origin' }, 400],
    ['the line of addresses', { 'Sec-Fetch-Site': 'none' }, 400],
  ])('sending GET %s is refused calls unless allowed, but not reads', async (_what, headers, status) => {
    expect((await rest({ path, headers: { ...version, ...headers } })).status).toBe(status);
    expect((await rest({ path: '/v1/nodes/n1', headers: { ...version, ...headers } })).status).toBe(200);
  });

  test('is refused with DNS rebinding', async () => {
    const { port } = new URL(service.url);
    for (const name of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example']) {
      const headers = { ...version, Host: `${name}:${port}`, Origin: `http://${name}:${port}` };
      expect((await rest({ method: 'POST', path, body: {}, headers })).status).toBe(403);
    }
    expect(service.hardware.calls).toHaveLength(0);
    const headers = { ...version, Host: `localhost:${port}`, Origin: `http://localhost:${port}` };
    expect((await rest({ method: 'POST', path, body: {}, headers })).status).toBe(202);
  });

  test("on the service's own origin may call", async () => {
    expect((await rest({ method: 'POST', path, body: {}, headers: { ...version, Origin: service.url } })).status).toBe(
      202,
    );
  });
});

test('logs requests without query and body, and a defect with its cause', async () => {
  const lines: [string, string, object][] = [];
  const log = Object.fromEntries(
    ['debug', 'info', 'warn', 'error'].map((level) => [
      level,
      (fields: object, message: string) => lines.push([level, message, fields]),
    ]),
  ) as unknown as Logger;
  const logged = await startGatedService({}, { log });
  try {
    const path = '/v1/nodes/n1/vendor_passthru';
    await send(logged.url, { path: `${path}?method=both_verbs&password=hunter2` });
    await send(logged.url, { method: 'POST', path: `${path}/exclusive`, body: { password: 'hunter2' } });
    await send(logged.url, { method: 'POST', path: `${path}/defect`, body: {} });
    await expect.poll(() => lines.filter(([, message]) => message === 'REST request served')).toHaveLength(3);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    const [defect] = lines.filter(([level]) => level === 'error');
    expect(defect?.[2]).toMatchObject({ err: expect.any(TypeError) });
  } finally {
    await logged.close();
  }
});

describe('over HTTP/2', () => {
  let server: Http2Server;
  let url: string;
  beforeEach(async () => {
    server = createHttp2Server(service.handler);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** Sends one request on a connection of its own. */
  async function sendHttp2(path: string, headers: Record<string, string> = {}, body?: string) {
    const session = connect(url);
    try {
      const stream = session.request({ ':path': path, ...version, ...headers });
      stream.end(body);
      const got = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return { headers: got, text: Buffer.concat(chunks).toString() };
    } finally {
      session.close();
    }
  }

  test('serves a node, a call, an error and an attachment as over HTTP/1.1', async () => {
    const node = await sendHttp2('/v1/nodes/n1');
    expect(node.headers).toMatchObject({ ':status': 200, 'x-openstack-ironic-api-version': '1.80' });
    expect(JSON.parse(node.text).links[0].href).toContain(`${url}/v1/nodes/`);

    const call = sendHttp2('/v1/nodes/n1/vendor_passthru/exclusive', { ':method': 'POST' }, '{"word": "x"}');
    const { args, finish } = await service.hardware.call(0);
    expect(args).toEqual({ word: 'x' });
    finish({ ok: true });
    expect((await call).text).toBe('{"ok":true}');

    expect((await sendHttp2('/v1/nodes/nope')).headers).toMatchObject({ ':status': 404 });
    expect((await sendHttp2('/v1/nodes/n1/vendor_passthru/attachment')).text).toBe('a,b\n');
    const head = await sendHttp2('/v1/nodes/n1', { ':method': 'HEAD' });
    expect(head).toMatchObject({ headers: { ':status': 200 }, text: '' });
    const large = `{"word":"${'x'.repeat(1024 * 1024)}"}`;
    const refused = await sendHttp2('/v1/nodes/n1/vendor_passthru/exclusive', { ':method': 'POST' }, large);
    expect(refused.headers).toMatchObject({ ':status': 413 });
  });

  test('cancels a call when the client resets its stream', async () => {
    const session = connect(url);
    const path = '/v1/nodes/n1/vendor_passthru/exclusive';
    const stream = session.request({ ':path': path, ':method': 'POST', ...version });
    stream.on('error', () => {});
    stream.end('{}');
    const { task } = await service.hardware.call(0);
    const aborted = new Promise((resolve) => task.signal.addEventListener('abort', resolve));
    stream.close();
    await aborted;
    expect(task.signal.reason).toMatchObject({ kind: 'cancelled' });
    session.close();
  });

  test('streams the events of a job as they happen, and ends with the job', async () => {
    const started = await sendHttp2('/v1/nodes/n1/vendor_passthru/work', { ':method': 'POST' }, '{}');
    const watching = sendHttp2(String(started.headers.location).concat('/events'));
    (await service.hardware.call(0)).finish('done');
    const { headers, text } = await watching;
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream' });
    expect(text.match(/^event: job$/gm)?.length).toBeGreaterThanOrEqual(1);
    expect(text).toContain('JOB_STATE_SUCCEEDED');
  });
});

test('returns 503 with Retry-After while the store is unreachable', async () => {
  const failing = {
    ...service.core,
    listNodeMethods: async () => {
      throw new PassthruError('store_unavailable', 'The store does not respond.');
    },
  };
  const handler = createRestHandler({
    core: failing,
    access: OPEN_ACCESS,
    calls: new CallsInFlight(CALL_LIMITS),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const server = createHttp2Server(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = session.request({ ':path': '/v1/nodes/n1/vendor_passthru/methods', ...version });
  const headers = await new Promise((resolve) => stream.once('response', resolve));
  expect(headers).toMatchObject({ ':status': 503, 'retry-after': '1' });
  session.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('a client that disconnects in the middle of its body leaves nothing behind', async () => {
  const { port } = new URL(service.url);
  const socket = createConnection(Number(port), '127.0.0.1');
  socket.write('POST /v1/nodes HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"driver":');
  await new Promise((resolve) => setImmediate(resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await closed;
  expect((await rest({ path: '/v1/nodes' })).json.nodes).toHaveLength(2);
});
