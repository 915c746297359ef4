import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService();
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);
const create = (body: object) => rest({ method: 'POST', path: '/v1/nodes', body: { driver: 'gated', ...body } });
const show = async (ident: string) => (await rest({ path: `/v1/nodes/${ident}` })).json;
const remove = (ident: string) => rest({ method: 'DELETE', path: `/v1/nodes/${ident}` });
const patch = (ident: string, fields: object, query = '') =>
  rest({
    method: 'PATCH',
    path: `/v1/nodes/${ident}${query}`,
    body: Object.entries(fields).map(([key, value]) => ({ op: 'add', path: `/${key}`, value })),
  });
const names = async (query: string): Promise<string[]> =>
  (await rest({ path: `/v1/nodes?${query}` })).json.nodes.map((node: { name: string }) => node.name);
const INSTANCE = 'dddddddd-1111-4111-8111-dddddddddddd';
const OTHER = 'dddddddd-2222-4222-8222-dddddddddddd';

test('the empty resource class of a new node is none', async () => {
  expect((await create({ name: 'made', resource_class: '' })).json.resource_class).toBeNull();
});

test('the name of an instance is not empty', async () => {
  expect(await create({ name: 'made', instance_name: '' })).toMatchObject({ status: 400 });
  expect(await patch('n1', { instance_name: '' })).toMatchObject({ status: 400 });
  expect((await show('n1')).instance_name).toBeNull();
});

describe('interfaces that are not served', () => {
  test('are null until they are set, then kept and shown', async () => {
    expect(await show('n1')).toMatchObject({ boot_interface: null, power_interface: null, firmware_interface: null });
    expect(await patch('n1', { boot_interface: 'ipxe', power_interface: 'redfish' })).toMatchObject({ status: 200 });
    expect(await show('n1')).toMatchObject({ boot_interface: 'ipxe', power_interface: 'redfish' });
    expect((await patch('n1', { boot_interface: null })).json.boot_interface).toBeNull();
  });

  test.each(['boot', 'deploy', 'power', 'management', 'network', 'bios', 'raid', 'firmware'])(
    'are refused by another name or an empty one: %s',
    async (kind) => {
      for (const refused of [
        await create({ name: 'made', [`${kind}_interface`]: 'colour' }),
        await patch('n1', { [`${kind}_interface`]: 'colour' }),
      ]) {
        expect(refused.status).toBe(400);
        expect(refused.fault.faultstring).toContain(`'ironic.hardware.interfaces.${kind}' entrypoint: colour`);
        expect(refused.fault.detail.violations[0].field).toBe(`${kind}_interface`);
      }
      expect(await create({ name: 'made', [`${kind}_interface`]: '' })).toMatchObject({ status: 400 });
      expect(await names('')).toEqual(['n1', 'n2']);
    },
  );

  test('are listed by their driver', async () => {
    const { json } = await rest({ path: '/v1/drivers/gated' });
    expect(json.enabled_boot_interfaces).toContain('redfish-virtual-media');
    expect(json.default_boot_interface).toBeNull();
    expect(json.enabled_vendor_interfaces[0]).toBe('gated');
  });

  test('are reset on request only when the driver changes', async () => {
    await patch('n1', { boot_interface: 'ipxe', vendor_interface: 'no-vendor' });
    expect(await patch('n1', { description: 'd' }, '?reset_interfaces=true')).toMatchObject({ status: 400 });
    const { json } = await patch('n1', { driver: 'gated', raid_interface: 'agent' }, '?reset_interfaces=true');
    expect(json).toMatchObject({ boot_interface: null, raid_interface: 'agent', vendor_interface: 'gated' });
  });
});

describe('the reason of a flag', () => {
  test('goes when the flag does, and cannot be given without it', async () => {
    await patch('n1', { retired: true, retired_reason: 'old' });
    expect(await show('n1')).toMatchObject({ retired: true, retired_reason: 'old' });
    expect((await patch('n1', { retired: false })).json).toMatchObject({ retired: false, retired_reason: null });
    for (const fields of [{ retired_reason: 'x' }, { protected_reason: 'x' }]) {
      expect((await patch('n1', fields)).status).toBe(400);
    }
    await patch('n1', { retired: true, retired_reason: 'old' });
    const removed = await rest({ method: 'PATCH', path: '/v1/nodes/n1', body: [{ op: 'remove', path: '/retired' }] });
    expect(removed.json).toMatchObject({ retired: false, retired_reason: null });
  });
});

describe('a protected node', () => {
  test('cannot be made where nodes are never deployed', async () => {
    const refused = await patch('n1', { protected: true, protected_reason: 'r' });
    expect(refused.status).toBe(409);
    expect(refused.fault.faultstring).toContain("'active' or 'rescue', the current state is 'enroll'");
    expect(await show('n1')).toMatchObject({ protected: false, protected_reason: null });
    expect((await create({ name: 'made', protected: true })).status).toBe(400);
  });

  test('that exists nevertheless is not removed, by any way in, until it is not protected', async () => {
    const caller = { name: 'test', role: 'admin' } as const;
    await service.core.nodes.create({ name: 'kept', driver: 'gated', attributes: { protected: true } }, caller);
    expect((await remove('kept')).status).toBe(403);
    const signal = new AbortController().signal;
    await expect(service.core.nodes.delete('kept', caller, signal)).rejects.toMatchObject({
      kind: 'permission_denied',
    });
    expect((await patch('kept', { protected: false })).status).toBe(200);
    expect((await remove('kept')).status).toBe(204);
  });
});

describe('an instance', () => {
  test('belongs to one node', async () => {
    expect((await patch('n1', { instance_uuid: INSTANCE })).status).toBe(200);
    for (const refused of [await patch('n2', { instance_uuid: INSTANCE }), await create({ instance_uuid: INSTANCE })]) {
      expect(refused.status).toBe(409);
      expect(refused.fault.faultstring).toContain(`instance_uuid ${INSTANCE}`);
    }
    expect((await show('n2')).instance_uuid).toBeNull();
  });

  test('is removed before another is set', async () => {
    await patch('n1', { instance_uuid: INSTANCE });
    expect((await patch('n1', { instance_uuid: OTHER })).status).toBe(409);
    expect((await patch('n1', { instance_uuid: INSTANCE })).status).toBe(200);
    await patch('n1', { instance_uuid: null });
    expect((await patch('n1', { instance_uuid: OTHER })).status).toBe(200);
  });

  test('keeps its node from being removed, except in maintenance', async () => {
    await patch('n1', { instance_uuid: INSTANCE });
    expect((await remove('n1')).status).toBe(409);
    await patch('n1', { maintenance: true });
    expect((await remove('n1')).status).toBe(204);
    expect((await patch('n2', { instance_uuid: INSTANCE })).status).toBe(200);
  });

  test('gets its name from the display name of its info, unless it has one', async () => {
    expect((await patch('n1', { instance_info: { display_name: 'shown' } })).json.instance_name).toBe('shown');
    expect((await patch('n1', { instance_info: { display_name: 'other' } })).json.instance_name).toBe('shown');
    expect(await names('instance_name=shown')).toEqual(['n1']);
  });
});

describe('a parent', () => {
  test('is given by UUID or name and kept as UUID; its children are listed on request', async () => {
    const { uuid } = await show('n1');
    expect((await create({ name: 'c1', parent_node: 'n1' })).json.parent_node).toBe(uuid);
    expect((await patch('n2', { parent_node: uuid })).json.parent_node).toBe(uuid);
    expect(await names('')).toEqual(['n1']);
    expect(await names('include_children=true')).toEqual(['n1', 'n2', 'c1']);
    expect(await names(`parent_node=${uuid}`)).toEqual(['n2', 'c1']);
    expect(await names('parent_node=n1')).toEqual(['n2', 'c1']);
    expect(await names('parent_node=nope')).toEqual([]);
    await patch('n2', { parent_node: null });
    expect(await names('')).toEqual(['n1', 'n2']);
  });

  test('is a node with the same owner; the error does not tell which it is not', async () => {
    await create({ name: 'owned', owner: 'o' });
    for (const parent of ['nope', 'owned']) {
      for (const refused of [await patch('n1', { parent_node: parent }), await create({ parent_node: parent })]) {
        expect(refused.status).toBe(400);
        expect(refused.fault.faultstring).toBe(
          `Unable to apply the requested parent_node '${parent}'. Requested value was invalid.`,
        );
      }
    }
    expect((await create({ parent_node: 'owned', owner: 'o' })).status).toBe(201);
  });
});

describe('lists', () => {
  test('filter by several shards, given in either way, and by whether a node has one', async () => {
    await create({ name: 'a', shard: 's1' });
    await create({ name: 'b', shard: 's2' });
    expect(await names('shard=s1,zz')).toEqual(['a']);
    expect(await names('shard=s1,s2')).toEqual(['a', 'b']);
    expect(await names('shard=s1&shard=s2')).toEqual(['a', 'b']);
    expect(await names('shard=')).toEqual([]);
    expect(await names('sharded=true')).toEqual(['a', 'b']);
    expect(await names('sharded=False')).toEqual(['n1', 'n2']);
  });

  test('sort by fields that the service does not interpret, and by those that it does', async () => {
    await create({ name: 'a', owner: 'z', description: 'y', retired: true, boot_interface: 'pxe' });
    await create({ name: 'b', owner: 'x', description: 'z', boot_interface: 'ipxe' });
    expect(await names('sort_key=owner')).toEqual(['n1', 'n2', 'b', 'a']);
    expect(await names('sort_key=owner&sort_dir=desc')).toEqual(['a', 'b', 'n2', 'n1']);
    expect(await names('sort_key=description')).toEqual(['n1', 'n2', 'a', 'b']);
    expect(await names('sort_key=boot_interface')).toEqual(['n1', 'n2', 'b', 'a']);
    expect(await names('sort_key=retired&sort_dir=desc')).toEqual(['a', 'b', 'n2', 'n1']);
    // The same in every node.
    expect(await names('sort_key=power_state')).toEqual(['n1', 'n2', 'a', 'b']);
  });

  test('take fields that are given several times', async () => {
    const { json } = await rest({ path: '/v1/nodes?fields=uuid&fields=name&limit=1' });
    expect(Object.keys(json.nodes[0]).sort()).toEqual(['links', 'name', 'uuid']);
  });
});

describe('conductors', () => {
  test('show when they started, in detail', async () => {
    const { json } = await rest({ path: '/v1/conductors?detail=true' });
    const [conductor] = json.conductors;
    expect(Date.parse(conductor.created_at)).toBeLessThanOrEqual(Date.parse(conductor.updated_at));
    expect(Date.parse(conductor.created_at)).toBeGreaterThan(Date.now() - 3_600_000);
    expect((await rest({ path: '/v1/conductors' })).json.conductors[0]).not.toHaveProperty('created_at');
    expect((await rest({ path: '/v1/conductors?fields=hostname' })).json.conductors[0]).toEqual({
      hostname: 'localhost',
      links: expect.any(Array),
    });
  });

  test.each(['fields=colour', 'sort_key=alive', 'sort_dir=up', 'limit=0', 'detail=true&fields=hostname', 'colour=red'])(
    'refuse ?%s',
    async (query) => {
      expect((await rest({ path: `/v1/conductors?${query}` })).status).toBe(400);
    },
  );
});

describe('drivers', () => {
  test('show the selected fields', async () => {
    expect((await rest({ path: '/v1/drivers?fields=name,type' })).json.drivers[0]).toEqual({
      name: 'gated',
      links: expect.any(Array),
      type: 'dynamic',
    });
    expect((await rest({ path: '/v1/drivers/gated?fields=hosts&fields=name' })).json).toMatchObject({ name: 'gated' });
    for (const path of [
      '/v1/drivers?fields=colour',
      '/v1/drivers/gated?fields=colour',
      '/v1/drivers?fields=name&detail=1',
    ]) {
      expect((await rest({ path })).status).toBe(400);
    }
  });
});

test('the reason of maintenance may come from the query, be absent in any form, and is cut', async () => {
  const path = '/v1/nodes/n1/maintenance';
  const reason = async () => (await show('n1')).maintenance_reason;
  for (const body of [null, [], {}, { reason: null }]) {
    expect((await rest({ method: 'PUT', path, body })).status).toBe(202);
    expect(await reason()).toBeNull();
  }
  expect((await rest({ method: 'PUT', path: `${path}?reason=fan` })).status).toBe(202);
  expect(await reason()).toBe('fan');
  await rest({ method: 'PUT', path, body: { reason: 'x'.repeat(5000) } });
  expect(await reason()).toBe('x'.repeat(4096));
});
