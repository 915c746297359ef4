import { StatementSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SORT_KEYS } from '../../src/rest/nodes/nodeList.ts';
import { type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService();
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);
const create = (body: object) => rest({ method: 'POST', path: '/v1/nodes', body: { driver: 'gated', ...body } });
const patch = (ident: string, ...operations: object[]) =>
  rest({ method: 'PATCH', path: `/v1/nodes/${ident}`, body: operations });
const names = async (query: string): Promise<string[]> => {
  const { json } = await rest({ path: `/v1/nodes?${query}` });
  return json.nodes.map((node: { name: string }) => node.name);
};

/** The fields that the service stores without interpreting them. */
const attributes = {
  automated_clean: false,
  boot_interface: 'ipxe',
  disable_power_off: true,
  firmware_interface: 'no-firmware',
  instance_name: 'i',
  chassis_uuid: 'cccccccc-1111-4111-8111-cccccccccccc',
  conductor_group: 'g',
  instance_info: { image: 'x' },
  instance_uuid: 'dddddddd-1111-4111-8111-dddddddddddd',
  lessee: 'l',
  network_data: { links: [] },
  owner: 'o',
  resource_class: 'r',
  retired: true,
  retired_reason: 'rr',
  shard: 's',
};

describe('creating a node', () => {
  test('stores and returns fields that the service does not interpret', async () => {
    const made = await create({ name: 'n3', ...attributes });
    expect(made.status).toBe(201);
    expect(made.headers.location).toBe(`${service.url}/v1/nodes/${made.json.uuid}`);
    expect(made.json).toMatchObject(attributes);
    expect((await rest({ path: '/v1/nodes/n3' })).json).toMatchObject(attributes);
  });

  test("accepts null for every field but the driver, and Ironic's words for booleans", async () => {
    const nulls = Object.fromEntries(Object.keys(attributes).map((key) => [key, null]));
    const { status, json } = await create({
      ...nulls,
      name: null,
      extra: null,
      power_interface: null,
      retired: 'True',
    });
    expect(status).toBe(201);
    expect(json).toMatchObject({ name: null, extra: {}, conductor_group: '', disable_power_off: false, retired: true });
  });

  test('masks secrets in every response, and logs none', async () => {
    const secret = 'hunter2';
    const { json } = await create({
      name: 'n3',
      driver_info: { redfish_password: secret, redfish_username: 'u', nested: { api_token: secret } },
      instance_info: { configdrive_password: secret },
    });
    expect(json.driver_info).toEqual({
      redfish_password: '******',
      redfish_username: 'u',
      nested: { api_token: '******' },
    });
    const shown = [
      await rest({ path: '/v1/nodes/n3' }),
      await rest({ path: '/v1/nodes/detail' }),
      await rest({ path: '/v1/nodes?fields=driver_info,instance_info' }),
      await patch('n3', { op: 'add', path: '/extra/a', value: 1 }),
    ];
    for (const response of shown) expect(response.text).not.toContain(secret);
  });

  test('stores the key __proto__ of extra', async () => {
    const rawBody = '{"driver": "gated", "name": "n3", "extra": {"__proto__": {"polluted": true}}}';
    expect((await rest({ method: 'POST', path: '/v1/nodes', rawBody })).status).toBe(201);
    const { text } = await rest({ path: '/v1/nodes/n3?fields=extra' });
    expect(text).toContain('"extra":{"__proto__":{"polluted":true}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('a JSON Patch', () => {
  test('adds, replaces and removes at any depth, in order', async () => {
    const { status, json } = await patch(
      'n1',
      { op: 'add', path: '/extra', value: { list: [1, 3], a: { b: 1 } } },
      { op: 'add', path: '/extra/list/1', value: 2 },
      { op: 'add', path: '/extra/list/-', value: 4 },
      { op: 'remove', path: '/extra/list/0' },
      { op: 'replace', path: '/extra/a/b', value: { c: null } },
      { op: 'add', path: '/properties/cpus', value: 8 },
      { op: 'add', path: '/owner', value: 'me' },
    );
    expect(status).toBe(200);
    expect(json).toMatchObject({
      extra: { list: [2, 3, 4], a: { b: { c: null } } },
      properties: { cpus: 8 },
      owner: 'me',
    });
    expect(json.reservation).toBeNull();
  });

  test('changes nothing when its last operation fails', async () => {
    const before = (await rest({ path: '/v1/nodes/n1' })).text;
    const response = await patch(
      'n1',
      { op: 'add', path: '/extra/a', value: 1 },
      { op: 'remove', path: '/extra/missing' },
    );
    expect(response.status).toBe(400);
    expect(response.fault.faultstring).toBe(
      "Couldn't apply patch '{'op': 'remove', 'path': '/extra/missing'}'. Reason: can't remove a non-existent object 'missing'",
    );
    expect((await rest({ path: '/v1/nodes/n1' })).text).toBe(before);
  });

  test('resets a removed field to its default', async () => {
    await patch(
      'n1',
      { op: 'add', path: '/owner', value: 'me' },
      { op: 'add', path: '/vendor_interface', value: 'no-vendor' },
      { op: 'add', path: '/maintenance', value: 'true' },
    );
    const { json } = await patch(
      'n1',
      { op: 'remove', path: '/owner' },
      { op: 'remove', path: '/vendor_interface' },
      { op: 'remove', path: '/maintenance' },
      { op: 'remove', path: '/name' },
      { op: 'remove', path: '/power_interface' },
    ).then(async (response) => rest({ path: `/v1/nodes/${response.json.uuid}` }));
    expect(json).toMatchObject({ owner: null, vendor_interface: 'gated', maintenance: false, name: null });
  });

  test.each<[string, object, RegExp]>([
    ['test, which Ironic has not', { op: 'test', path: '/name', value: 'n1' }, /'test' is not one of/],
    ['move', { op: 'move', path: '/extra/a', from: '/extra/b' }, /'from' was unexpected|'move' is not one of/],
    ['no path', { op: 'remove' }, /'path' is a required property/],
    ['no value', { op: 'add', path: '/extra/a' }, /'value' is a required property/],
    ['a path without a slash', { op: 'add', path: 'extra', value: {} }, /is not a valid path/],
    ['a path with an escape', { op: 'add', path: '/extra/a~1b', value: 1 }, /is not a valid path/],
    ['a path with ..', { op: 'add', path: '/extra/../name', value: 'x' }, /is not a valid path/],
    ['the prototype', { op: 'add', path: '/__proto__/x', value: 1 }, /Cannot patch/],
    ['what lies below a text', { op: 'add', path: '/name/x', value: 1 }, /Couldn't apply patch/],
    ['a member of a member that is missing', { op: 'add', path: '/extra/a/b', value: 1 }, /member 'a' not found/],
    ['the inherited members of an object', { op: 'replace', path: '/extra/toString', value: 1 }, /non-existent/],
    ['an interface that Ironic has not', { op: 'add', path: '/power_interface', value: 'x' }, /Valid interfaces are/],
    ['a field with a value of another type', { op: 'replace', path: '/extra', value: 5 }, /'extra' must be an object/],
    ['an unknown vendor interface', { op: 'add', path: '/vendor_interface', value: 'x' }, /no vendor interface 'x'/],
    ['a masked secret', { op: 'add', path: '/driver_info/redfish_password', value: '******' }, /redfish_password/],
  ])('refuses %s', async (_name, operation, text) => {
    const response = await patch('n1', operation);
    expect(response.fault.faultstring).toMatch(text);
    expect(response.status).toBe(400);
  });

  test('treats __proto__ as a plain key of extra', async () => {
    const { text } = await patch('n1', { op: 'add', path: '/extra/__proto__', value: { polluted: true } });
    expect(text).toContain('"extra":{"__proto__":{"polluted":true}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('the list of nodes', () => {
  beforeEach(async () => {
    await create({ name: 'n3', owner: 'o1', description: 'In Rack 7', retired: true });
    await create({ name: 'n4', lessee: 'o1', instance_uuid: attributes.instance_uuid, conductor_group: 'g' });
    await create({ name: 'n5', vendor_interface: 'no-vendor' });
    await rest({ method: 'PUT', path: '/v1/nodes/n5/maintenance', body: { reason: 'fan' } });
  });

  test.each<[string, string[]]>([
    ['', ['n1', 'n2', 'n3', 'n4', 'n5']],
    ['sort_key=name&sort_dir=desc', ['n5', 'n4', 'n3', 'n2', 'n1']],
    ['driver=gated&maintenance=True', ['n5']],
    ['maintenance=false', ['n1', 'n2', 'n3', 'n4']],
    ['owner=o1', ['n3']],
    ['project=o1', ['n3', 'n4']],
    ['retired=true', ['n3']],
    ['retired=false', ['n1', 'n2', 'n4', 'n5']],
    ['conductor_group=', ['n1', 'n2', 'n3', 'n5']],
    ['conductor_group=g', ['n4']],
    ['associated=true', ['n4']],
    ['associated=false', ['n1', 'n2', 'n3', 'n5']],
    ['description_contains=rack', ['n3']],
    ['conductor=localhost&limit=1', ['n1']],
    ['conductor=&limit=1', ['n1']],
    ['description_contains=', ['n1', 'n2', 'n3', 'n4', 'n5']],
    ['description_contains=rack&project=o1&associated=false', ['n3']],
    ['project=o1&owner=o1', ['n3']],
    ['project=o1&limit=1', ['n3']],
    ['fault=power%20failure', []],
    ['provision_state=enroll&sort_key=name', ['n1', 'n2', 'n3', 'n4', 'n5']],
    ['conductor=other', []],
    ['provision_state=active', []],
    ['driver=nope', []],
  ])('?%s', async (query, expected) => {
    expect(await names(query)).toEqual(expected);
  });

  test.each(['', 'retired=false', 'associated=false&sort_key=name&sort_dir=desc', 'detail=true', 'fields=name,uuid'])(
    'comes whole over its next links with ?%s',
    async (query) => {
      const whole = await names(query);
      const seen: string[] = [];
      let path: string | undefined = `/v1/nodes?${query}&limit=2`;
      while (path !== undefined) {
        const { json } = await rest({ path });
        seen.push(...json.nodes.map((node: { name: string }) => node.name));
        expect(json.nodes.length).toBeLessThanOrEqual(2);
        expect(json.next ?? service.url).toContain(service.url);
        path = json.next?.slice(service.url.length);
      }
      expect(seen).toEqual(whole);
    },
  );

  test.each<[string, RegExp]>([
    ['limit=0', /positive/],
    ['limit=-1', /positive/],
    ['limit=x', /integer/],
    ['marker=n1', /Expected UUID for marker: n1/],
    ['sort_dir=up', /sort direction/],
    ['sort_key=toString', /invalid field for sorting/],
    ['maintenance=perhaps', /boolean/],
    ['associated=perhaps', /boolean/],
    ['fields=name&detail=true', /subset of fields/],
    ['colour=red', /Unexpected arguments: colour/],
    ['fault=x', /Unrecognized fault "x" is specified, allowed faults are power failure/],
    ['provision_state=foo', /Provision state "foo" is not valid/],
    ['instance_uuid=zz', /Expected UUID for instance_uuid: zz/],
    ['chassis_uuid=zz', /Expected UUID for chassis_uuid: zz/],
    ['sharded=perhaps', /boolean/],
    ['sort_key=driver_info', /invalid field for sorting/],
    ['sort_key=instance_info', /invalid field for sorting/],
    ['sort_key=attributes.owner', /invalid field for sorting/],
    ['owner=a&owner=b', /more than once/],
  ])('refuses ?%s', async (query, text) => {
    const response = await rest({ path: `/v1/nodes?${query}` });
    expect(response.status).toBe(400);
    expect(response.fault.faultstring).toMatch(text);
  });
});

// The marker, the nodes with a value in the sort key, and those without one.
describe('a list of 300 nodes needs at most six database queries', () => {
  const statements: string[] = [];
  beforeEach(async () => {
    for (let number = 1; number <= 300; number++) {
      await service.core.nodes.create({ name: `many-${number}`, driver: 'gated' }, { name: 'test', role: 'admin' });
    }
    for (const step of ['all', 'get', 'run', 'iterate'] as const) {
      const original = StatementSync.prototype[step] as (...args: unknown[]) => unknown;
      vi.spyOn(StatementSync.prototype, step).mockImplementation(function (this: StatementSync, ...args: unknown[]) {
        // Not the renewal of the lease, which may come between.
        if (/\bfrom "nodes"/.test(this.sourceSQL)) statements.push(this.sourceSQL);
        return original.apply(this, args) as never;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const filters = [
    ...[
      '',
      'fault=clean%20failure',
      'provision_state=active',
      'provision_state=enroll',
      'conductor=other',
      'conductor=localhost',
    ],
    ...['associated=true', 'associated=false', 'project=nobody', 'description_contains=nothing', 'owner=nobody'],
    'project=nobody&associated=true&description_contains=x&provision_state=enroll',
  ];
  test('for every limit, filter and sort key', async () => {
    const { uuid: marker } = (await rest({ path: '/v1/nodes/many-1' })).json;
    for (const filter of filters) {
      // Every key once; with a filter, one of each kind that the store sorts by.
      const keys =
        filter === '' ? SORT_KEYS.keys() : ['id', 'name', 'updated_at', 'description', 'owner', 'reservation'];
      for (const sort of keys) {
        for (const page of ['limit=1', 'limit=1000', `limit=1&marker=${marker}`]) {
          statements.length = 0;
          const path = `/v1/nodes?${[filter, `sort_key=${sort}`, page].filter((part) => part !== '').join('&')}`;
          const { status } = await rest({ path });
          expect({ path, status, count: statements.length <= 6 ? 'bounded' : statements.length }).toEqual({
            path,
            status: 200,
            count: 'bounded',
          });
        }
      }
    }
    statements.length = 0;
    await rest({ path: '/v1/nodes?limit=1' });
    expect(statements.join()).toContain('select');
  });

  test.each(['fault=clean%20failure', 'provision_state=active', 'conductor=other'])(
    'and none with ?%s, which no node matches',
    async (filter) => {
      statements.length = 0;
      expect(await names(filter)).toEqual([]);
      expect(statements).toEqual([]);
    },
  );
});

test('sets maintenance with a reason and unsets it', async () => {
  const set = await rest({ method: 'PUT', path: '/v1/nodes/n1/maintenance' });
  expect(set).toMatchObject({ status: 202, text: '' });
  await rest({ method: 'PUT', path: '/v1/nodes/n1/maintenance', body: { reason: 'fan' } });
  const path = '/v1/nodes/n1?fields=maintenance,maintenance_reason';
  expect((await rest({ path })).json).toMatchObject({ maintenance: true, maintenance_reason: 'fan' });
  await rest({ method: 'DELETE', path: '/v1/nodes/n1/maintenance' });
  expect((await rest({ path })).json).toMatchObject({ maintenance: false, maintenance_reason: null });
  for (const body of [{ reason: 5 }, { cause: 'x' }]) {
    expect((await rest({ method: 'PUT', path: '/v1/nodes/n1/maintenance', body })).status).toBe(400);
  }
});

test('validate returns whether the node is valid for its vendor interface, with the reason', async () => {
  const path = '/v1/nodes/n1/validate';
  expect((await rest({ path })).json).toEqual({ vendor: { result: true, reason: null } });
  await patch('n1', { op: 'add', path: '/driver_info/broken', value: true });
  expect((await rest({ path })).json.vendor).toEqual({ result: false, reason: expect.stringContaining('is broken') });
});

test('before version 1.5 names are neither found nor shown', async () => {
  const old = { 'X-OpenStack-Ironic-API-Version': '1.4' };
  const { uuid } = (await rest({ path: '/v1/nodes/n1' })).json;
  for (const path of ['/v1/nodes/n1', '/v1/nodes/n1/vendor_passthru?method=both_verbs']) {
    expect(await rest({ path, headers: old })).toMatchObject({ status: 404 });
  }
  expect(await rest({ path: '/v1/nodes/n1/validate', headers: old })).toMatchObject({ status: 406 });
  const { json } = await rest({ path: `/v1/nodes/${uuid}`, headers: old });
  expect(json.uuid).toBe(uuid);
  expect(json).not.toHaveProperty('name');
});
