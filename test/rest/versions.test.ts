import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { defineMethod } from '../../src/core/method.ts';
import { DRIVER_FIELDS, NODE_FIELDS, NODE_FILTERS } from '../../src/rest/apiTable.ts';
import { runService } from '../service.ts';
import { type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
let uuid: string;
beforeEach(async () => {
  service = await startGatedService();
  uuid = (await rest({ path: '/v1/nodes/n1' })).json.uuid;
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);
const at = (minor: number, sent: Sent) =>
  rest({ ...sent, headers: { ...sent.headers, 'X-OpenStack-Ironic-API-Version': `1.${minor}` } });
const patch = (ident: string, ...body: object[]) => rest({ method: 'PATCH', path: `/v1/nodes/${ident}`, body });

const gated = [...NODE_FIELDS].filter(([, { from }]) => from > 8);

describe('at the version before its own', () => {
  test.each(gated)('the field %s is not shown, selected, sorted by or written', async (key, { from, write, sort }) => {
    const shown = await at(from - 1, { path: `/v1/nodes/${uuid}` });
    expect(shown.json).not.toHaveProperty(key);
    expect((await at(from, { path: `/v1/nodes/${uuid}` })).json).toHaveProperty(key);

    const selected = await at(from - 1, { path: `/v1/nodes/${uuid}?fields=${key}` });
    expect(selected).toMatchObject({ status: 406, fault: { faultcode: 'Client' } });
    expect(selected.fault.faultstring).toContain(`should be 1.${from}`);
    expect(selected.headers['x-openstack-ironic-api-version']).toBe(`1.${from - 1}`);

    if (sort !== undefined) {
      expect((await at(from - 1, { path: `/v1/nodes?sort_key=${key}` })).status).toBe(406);
      expect((await at(from, { path: `/v1/nodes?sort_key=${key}` })).status).toBe(200);
    }
    if (write === undefined) return;
    const value = write.kind === 'boolean' ? true : write.kind === 'object' ? { k: 1 } : 'x';
    if (write.on !== 'patch') {
      const body = { driver: 'gated', name: 'made', [key]: value };
      expect((await at(from - 1, { method: 'POST', path: '/v1/nodes', body })).status).toBe(406);
    }
    if (write.on !== 'create') {
      const body = [{ op: 'add', path: `/${key}`, value }];
      expect((await at(from - 1, { method: 'PATCH', path: `/v1/nodes/${uuid}`, body })).status).toBe(406);
    }
    expect((await rest({ path: '/v1/nodes/made' })).status).toBe(404);
  });

  const filters = Object.entries(NODE_FILTERS).filter(([, { from }]) => from > 1);
  test.each(filters)('the filter %s is refused', async (name, { from, kind, values }) => {
    const value = kind === 'boolean' ? 'true' : kind === 'enum' ? encodeURIComponent(values![0]!) : 'x';
    expect((await at(from - 1, { path: `/v1/nodes?${name}=${value}` })).status).toBe(406);
    expect((await at(from, { path: `/v1/nodes?${name}=${value}` })).status).toBe(200);
  });

  test.each([...DRIVER_FIELDS].filter(([, from]) => from > 1))(
    'the field %s of a driver is not shown',
    async (key, from) => {
      expect((await at(from - 1, { path: '/v1/drivers/gated' })).json).not.toHaveProperty(key);
      expect((await at(from, { path: '/v1/drivers/gated' })).json).toHaveProperty(key);
    },
  );

  test.each([
    ['/v1/conductors', 49, 404],
    ['/v1/conductors/localhost', 49, 404],
    ['/v1/nodes?fields=uuid', 8, 406],
    ['/v1/nodes?detail=true', 43, 400],
    ['/v1/drivers?fields=name', 77, 406],
    ['/v1/drivers?type=dynamic', 30, 406],
    ['/v1/drivers?detail=true', 30, 406],
    ['/v1/nodes/n1', 5, 404],
    ['/v1/nodes/n1/validate', 5, 406],
  ])('%s is refused', async (path, from, status) => {
    expect((await at(from - 1, { path })).status).toBe(status);
    expect((await at(from, { path })).status).toBe(200);
  });
});

test('a field that its version lacks can be left as it is, by null or its default text', async () => {
  const body = { driver: 'gated', name: 'made', owner: null, shard: null, boot_interface: null, conductor_group: '' };
  expect((await at(10, { method: 'POST', path: '/v1/nodes', body: { ...body, shard: '' } })).status).toBe(406);
  expect((await at(10, { method: 'POST', path: '/v1/nodes', body: { ...body, retired: false } })).status).toBe(406);
  expect((await at(10, { method: 'POST', path: '/v1/nodes', body })).status).toBe(201);
});

test('names have only the characters of host names before version 1.10', async () => {
  const body = { driver: 'gated', name: 'a_b' };
  expect((await at(9, { method: 'POST', path: '/v1/nodes', body })).status).toBe(400);
  expect((await at(10, { method: 'POST', path: '/v1/nodes', body })).status).toBe(201);
  expect((await at(9, { path: '/v1/nodes/a_b' })).status).toBe(400);
  expect((await at(10, { path: '/v1/nodes/a_b' })).status).toBe(200);
});

test('a node created before version 1.11 is available, and found so', async () => {
  await at(10, { method: 'POST', path: '/v1/nodes', body: { driver: 'gated', name: 'old' } });
  expect((await rest({ path: '/v1/nodes/old' })).json.provision_state).toBe('available');
  expect((await at(5, { path: '/v1/nodes/old' })).json.provision_state).toBe('available');
  const names = async (state: string) =>
    (await rest({ path: `/v1/nodes?provision_state=${state}` })).json.nodes.map(({ name }: { name: string }) => name);
  expect(await names('available')).toEqual(['old']);
  expect(await names('enroll')).not.toContain('old');
  expect(await patch('old', { op: 'add', path: '/retired', value: true })).toMatchObject({ status: 409 });
});

describe('paths', () => {
  test.each(['/nodes', '/nodes/n1', '/nodes/detail', '/drivers', '/drivers/gated/properties', '/conductors'])(
    '%s is the same as below /v1',
    async (path) => {
      const [bare, versioned] = [await rest({ path }), await rest({ path: `/v1${path}` })];
      expect(bare.status).toBe(200);
      expect(bare.text).toBe(versioned.text);
    },
  );

  test('every bookmark link of a document leads to its resource', async () => {
    const { json } = await rest({ path: '/v1/nodes/n1' });
    const bookmark = json.links.find(({ rel }: { rel: string }) => rel === 'bookmark').href as string;
    expect((await rest({ path: bookmark.slice(service.url.length) })).json.uuid).toBe(uuid);
  });

  test('a call may leave out /v1', async () => {
    const called = rest({ method: 'POST', path: '/nodes/n1/vendor_passthru/exclusive', body: {} });
    (await service.hardware.call(0)).finish(1);
    expect(await called).toMatchObject({ status: 200, json: 1 });
  });

  test('.json is ignored before version 1.91, and belongs to a name that has it', async () => {
    expect((await at(90, { path: '/v1/nodes/n1.json' })).json.uuid).toBe(uuid);
    expect((await at(90, { path: `/v1/nodes/${uuid}.json` })).json.uuid).toBe(uuid);
    for (const path of ['/v1/nodes.json', '/nodes.json', '/v1.json']) {
      expect((await at(90, { path })).status).toBe(200);
      expect((await at(91, { path })).status).toBe(404);
    }
    expect((await at(91, { path: '/v1/nodes/n1.json' })).status).toBe(404);
    expect((await rest({ path: `/v1/nodes/${uuid}.json`, headers: {} })).status).toBe(404);
    await rest({ method: 'POST', path: '/v1/nodes', body: { driver: 'gated', name: 'x.json' } });
    expect((await at(90, { path: '/v1/nodes/x.json' })).json.name).toBe('x.json');
    expect((await at(91, { path: '/v1/nodes/x.json' })).json.name).toBe('x.json');
    expect((await at(90, { method: 'DELETE', path: '/v1/nodes/x.json' })).status).toBe(204);
    expect((await rest({ path: '/openapi.json' })).status).toBe(200);
  });

  test('the id of the request is in both headers', async () => {
    for (const path of ['/', '/v1/nodes', '/v1/nodes/nope', '/bogus']) {
      const { headers } = await rest({ path });
      expect(headers['x-openstack-request-id']).toMatch(/^req-/);
      expect(headers['x-openstack-request-id']).toBe(headers['openstack-request-id']);
    }
  });
});

test('the list of methods has each from the version that its driver declares, whatever its name', async () => {
  const method = (name: string, listedFrom?: number | null) =>
    defineMethod({
      name,
      listedFrom,
      httpMethods: ['GET'],
      description: name,
      arguments: z.object({}),
      handler: async () => name,
    });
  const own = ['get_vmedia', 'insert_vmedia', 'log_passthrough'];
  const methods = [
    ...own.map((name) => method(name)),
    method('later', 60),
    method('routed', null),
    method('latest', 90),
  ];
  const hardware = { name: 'own', vendorInterfaces: [{ name: 'own', methods }] as const, properties: {} };
  const other = await runService({ hardwareTypes: [hardware] });
  const node = await other.core.nodes.create({ driver: 'own' }, ANONYMOUS);
  const path = `/v1/nodes/${node.uuid}/vendor_passthru`;
  const get = (minor: number, of: string) =>
    send(other.url, { path: path + of, headers: { 'X-OpenStack-Ironic-API-Version': `1.${minor}` } });
  const listed = async (minor: number) => Object.keys((await get(minor, '/methods')).json).sort();
  expect(await listed(1)).toEqual(own);
  expect(await listed(59)).toEqual(own);
  expect(await listed(60)).toEqual([...own, 'later'].sort());
  expect(await listed(90)).toEqual([...own, 'later', 'latest'].sort());
  expect((await get(1, '/latest')).json).toBe('latest');
  expect((await get(1, '/routed')).json).toBe('routed');
  await other.close();
});
