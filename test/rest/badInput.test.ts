import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isNodeName } from '../../src/core/node.ts';
import { type RestResponse, type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
let before: string;
beforeEach(async () => {
  service = await startGatedService();
  before = await state();
});
afterEach(() => service.close());

const passthru = '/v1/nodes/n1/vendor_passthru';
const nested = (levels: number) => `{"any":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
const MIB = 1024 * 1024;
const large = `{"word":"${'x'.repeat(MIB)}"}`;

/** Everything that a request could have changed. */
async function state(): Promise<string> {
  const nodes = await send(service.url, { path: '/v1/nodes?fields=name,updated_at,reservation,driver_info,extra' });
  const jobs = await send(service.url, { path: '/v1/jobs' });
  for (const node of nodes.json.nodes) delete node.links;
  return JSON.stringify({ nodes: nodes.json.nodes, jobs: jobs.json.jobs, calls: service.hardware.calls.length });
}

/** Expects Ironic's fault with `text`, an unchanged service, and no logged defect. */
async function expectRefused(response: RestResponse, status: number, text: string | RegExp): Promise<void> {
  expect(response.text).toMatch(/./);
  expect(response.status).toBe(status);
  expect(response.headers['content-type']).toBe('application/json');
  expect(Object.keys(response.json)).toEqual(['error_message']);
  expect(String(response.fault.faultstring ?? response.fault.description)).toMatch(text);
  expect(await state()).toBe(before);
}

const jsonBodies: [string, string | Uint8Array, number, RegExp][] = [
  ['malformed JSON', '{bad', 400, /not valid JSON/],
  ['JSON that is cut off', '{"word": "x"', 400, /not valid JSON/],
  ['two documents', '{} {}', 400, /not valid JSON/],
  ['NaN', '{"count": NaN}', 400, /not valid JSON/],
  ['bytes that are not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, /UTF-8/],
  ['an array', '[1, 2]', 400, /must be a JSON object/],
  ['a string', '"x"', 400, /must be a JSON object/],
  ['a number', '1', 400, /must be a JSON object/],
  ['null', 'null', 400, /must be a JSON object/],
  ['a number that is infinite', '{"any": {"a": [1, 1e400]}}', 400, /^any\.a\.1 must be a number that fits/],
  ['an integer that would be rounded', '{"any": 12345678901234567890}', 400, /^any must be a number that fits/],
  ['a number of a million digits', `{"any": 1${'0'.repeat(1_000_000)}1}`, 400, /^any must be a number that fits/],
  ['a number on its own that is infinite', '1e400', 400, /^body must be a number that fits/],
  ['31 levels', nested(31), 400, /deeper than 30/],
  ['100 000 levels', nested(100_000), 400, /deeper than 30/],
  ['half a million open brackets', '['.repeat(500_000), 400, /not valid JSON/],
  ['a null character', '{"word": "a\\u0000b"}', 400, /null character/],
  ['half a surrogate pair', '{"word": "\\ud800"}', 400, /surrogate/],
  ['more than 1 MiB', large, 413, /larger than 1048576 bytes/],
];

describe('refuses a call with an invalid body, without side effects:', () => {
  test.each(jsonBodies)('%s', async (_name, rawBody, status, text) => {
    await expectRefused(
      await send(service.url, { method: 'POST', path: `${passthru}/exclusive`, rawBody }),
      status,
      text,
    );
  });

  test.each([
    ['an unknown argument', { colour: 1 }, /colour/],
    ['an argument called __proto__', '{"__proto__": {"word": "x"}}', /__proto__|Unexpected|unrecognized/i],
    ['an argument called constructor', { constructor: 1 }, /constructor/],
  ])('%s', async (_name, body, text) => {
    const rawBody = typeof body === 'string' ? body : JSON.stringify(body);
    await expectRefused(await send(service.url, { method: 'POST', path: `${passthru}/exclusive`, rawBody }), 400, text);
  });

  test('more than 1 MiB in chunks of undeclared length', async () => {
    const headers = { 'X-OpenStack-Ironic-API-Version': '1.80', 'Transfer-Encoding': 'chunked' };
    const sent: Sent = { method: 'POST', path: `${passthru}/exclusive`, rawBody: large, headers };
    await expectRefused(await send(service.url, sent), 413, /larger/);
  });

  test('an endless body: the connection is cut', async () => {
    const { port } = new URL(service.url);
    const socket = createConnection(Number(port), '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const more = () => {
      while (socket.writable && socket.write(chunk));
    };
    socket.on('drain', more);
    socket.write(`POST ${passthru}/exclusive?x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`);
    more();
    await closed;
    expect(await state()).toBe(before);
  });

  test('accepts exactly 1 MiB and exactly 30 levels', async () => {
    const word = (length: number) => `{"word":"${'x'.repeat(length - '{"word":""}'.length)}"}`;
    for (const rawBody of [word(MIB), nested(30)]) {
      const response = await send(service.url, { method: 'POST', path: `${passthru}/nothing`, rawBody });
      expect(response.fault.faultstring).toBe('No handler for method nothing');
    }
  });
});

describe('refuses an invalid path, without side effects:', () => {
  const parts: [string, number, RegExp][] = [
    ['..', 404, /could not be found/],
    ['%2e%2e', 404, /could not be found/],
    ['a%2fb', 400, /Expected UUID or name for node_ident: a\/b/],
    ['%2F', 400, /Expected UUID or name/],
    ['%2e%2e%2f%2e%2e', 400, /Expected UUID or name/],
    ['a%3fb', 400, /Expected UUID or name for node_ident: a\?b/],
    ['a%23b', 400, /Expected UUID or name for node_ident: a#b/],
    ['a%00b', 400, /Expected UUID or name/],
    ['%0d%0aX:y', 400, /Expected UUID or name/],
    ['a%2', 400, /percent-encoded/],
    ['%ff', 400, /percent-encoded/],
    ['%zz', 400, /percent-encoded/],
    ['a;b', 400, /Expected UUID or name/],
    ["'%20or%201=1--", 400, /Expected UUID or name/],
    ['__proto__', 404, /Node __proto__ could not be found/],
    ['constructor', 404, /could not be found/],
    ['n'.repeat(256), 400, /Expected UUID or name/],
    ['n1#x', 400, /#/],
  ];
  test.each(parts)('/v1/nodes/%s', async (part, status, text) => {
    for (const tail of ['', '/validate', '/vendor_passthru/methods']) {
      await expectRefused(await send(service.url, { path: `/v1/nodes/${part}${tail}` }), status, text);
    }
    const call = { method: 'POST', path: `/v1/nodes/${part}/vendor_passthru?method=exclusive`, body: {} };
    await expectRefused(await send(service.url, call), status, text);
    await expectRefused(await send(service.url, { method: 'DELETE', path: `/v1/nodes/${part}` }), status, text);
  });

  test.each(['..', '%2e%2e', 'a%2fb', '__proto__', 'constructor', 'toString', '%00'])(
    'the method, driver and job %s',
    async (part) => {
      const method = await send(service.url, { method: 'POST', path: `${passthru}/${part}`, body: {} });
      await expectRefused(method, 400, /No handler for method/);
      const driver = await send(service.url, { path: `/v1/drivers/${part}/vendor_passthru/methods` });
      await expectRefused(driver, 404, /is unknown/);
      await expectRefused(await send(service.url, { path: `/v1/drivers/${part}` }), 404, /Could not find/);
      await expectRefused(await send(service.url, { path: `/v1/jobs/${part}` }), 404, /could not be found/);
      await expectRefused(await send(service.url, { path: `/v1/jobs/${part}/events` }), 404, /could not be found/);
      await expectRefused(await send(service.url, { method: 'DELETE', path: `/v1/jobs/${part}` }), 404, /could not/);
    },
  );
});

describe('refuses an invalid query, without side effects:', () => {
  test.each([
    ['method=both_verbs&word=%zz', /percent-encoded/],
    ['method=both_verbs&word=%ff', /percent-encoded/],
    ['method=both_verbs&word=a&word=b', /'word' is given more than once/],
    ['method=both_verbs&method=exclusive', /'method' is given more than once/],
    ['method=both_verbs&__proto__=x', /__proto__|Unexpected|unrecognized/i],
    ['method=both_verbs&colour=red', /colour/],
    ['=x', /Missing mandatory parameter: method/],
  ])('%s', async (query, text) => {
    await expectRefused(await send(service.url, { path: `${passthru}?${query}` }), 400, text);
  });
});

describe('refuses an invalid node document and creates no node:', () => {
  test.each<[string, unknown, number, RegExp]>([
    ['a list', [], 400, /must be a JSON object/],
    ['a name that is a UUID', { driver: 'gated', name: '99999999-9999-4999-8999-999999999999' }, 400, /invalid name/],
    ['a name that is a route', { driver: 'gated', name: 'detail' }, 400, /invalid name/],
    ['a name with a slash', { driver: 'gated', name: 'a/b' }, 400, /invalid name/],
    ['a name of dots', { driver: 'gated', name: '..' }, 400, /invalid name/],
    ['a name that is a number', { driver: 'gated', name: 5 }, 400, /'name' must be a string/],
    ['a driver that is a list', { driver: ['gated'] }, 400, /'driver' must be a string/],
    ['extra that is a list', { driver: 'gated', extra: [] }, 400, /'extra' must be an object/],
    ['a masked secret', { driver: 'gated', driver_info: { redfish_password: '******' } }, 400, /redfish_password/],
    ['a masked secret that is only kept', { driver: 'gated', instance_info: { a: { b: '******' } } }, 400, /a\.b/],
    [
      'an interface that Ironic has not',
      { driver: 'gated', power_interface: 'x' },
      400,
      /'ironic.hardware.interfaces.power'/,
    ],
    ['a boolean that is none', { driver: 'gated', retired: 'perhaps' }, 400, /'retired' must be a boolean/],
    ['31 levels', { driver: 'gated', extra: JSON.parse(nested(30)) }, 400, /deeper than 30/],
  ])('%s', async (_name, body, status, text) => {
    await expectRefused(await send(service.url, { method: 'POST', path: '/v1/nodes', body }), status, text);
  });

  test('a key called __proto__', async () => {
    const rawBody = '{"driver": "gated", "__proto__": {"name": "x"}}';
    await expectRefused(await send(service.url, { method: 'POST', path: '/v1/nodes', rawBody }), 400, /__proto__/);
  });

  test('path segments of routes cannot be node names', () => {
    for (const word of ['detail', 'vendor_passthru', 'maintenance', 'validate', 'states', 'ports']) {
      expect(isNodeName(word)).toBe(false);
    }
  });
});

test('no error repeats a secret given in the wrong place', async () => {
  const sent: Sent[] = [
    { method: 'POST', path: '/v1/nodes', body: { driver: 'gated', driver_info: 'hunter2' } },
    { method: 'POST', path: '/v1/nodes', rawBody: '{"driver_info": {"redfish_password": "hunter2"' },
    { method: 'PATCH', path: '/v1/nodes/n1', body: [{ op: 'add', path: '/driver_info', value: 'hunter2' }] },
    { method: 'PATCH', path: '/v1/nodes/n1', body: [{ op: 'add', path: '/driver_info/a/b', value: 'hunter2' }] },
    { method: 'PATCH', path: '/v1/nodes/n1', body: { op: 'add', path: '/driver_info', value: 'hunter2' } },
  ];
  for (const each of sent) {
    const response = await send(service.url, each);
    expect(response.status).toBe(400);
    expect(response.text).not.toContain('hunter2');
  }
});
