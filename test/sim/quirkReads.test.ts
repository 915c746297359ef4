import { describe, expect, test } from 'vitest';
import { readsFail } from '../../src/sim/quirks/reads.ts';
import { CD, call, messages, SUBSCRIPTIONS, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const EJECT = `${CD}/Actions/VirtualMedia.EjectMedia`;
const ROOT = '/redfish/v1/';
const MANAGER = '/redfish/v1/Managers/BMC';

describe('reads that fail once', () => {
  test.each([
    ['500-html', 500],
    ['500', 500],
    ['502', 502],
    ['504', 504],
    ['503', 503],
    ['503-retry-after', 503],
    ['503-seconds', 503],
    ['429', 429],
    ['not-ready-400', 400],
    ['not-ready-409', 409],
    ['not-ready-503', 503],
    ['in-post-400', 400],
    ['in-post-409', 409],
    ['in-post-503', 503],
  ])('first-read-%s: the first read of each document gets %i, and the next one its document', async (form, status) => {
    await using one = await bmcWith([`first-read-${form}`]);
    for (const path of [SYSTEM, CD]) {
      const first = await call(one.bmc, 'GET', path);
      expect(first.status).toBe(status);
      if (form === '429' || form === '503-retry-after') expect(first.headers.get('Retry-After')).toBe('1');
      if (form === '503-seconds') expect(first.json.error['@Message.ExtendedInfo'][0].MessageArgs).toEqual(['1']);
      expect((await call(one.bmc, 'GET', path)).status).toBe(200);
    }
    expect((await call(one.bmc, 'POST', EJECT)).status).toBe(204);
  });

  test.each(['reset', 'half-body'])('first-read-%s: the first read breaks', async (form) => {
    await using one = await bmcWith([`first-read-${form}`]);
    await expect(call(one.bmc, 'GET', SYSTEM)).rejects.toThrow();
    expect((await call(one.bmc, 'GET', SYSTEM)).status).toBe(200);
  });

  test('or as often as a test says', async () => {
    await using one = await bmcWith([readsFail('x', '', 2, () => ({ status: 502, headers: {}, body: null }))]);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await call(one.bmc, 'GET', SYSTEM)).status);
    expect(statuses).toEqual([502, 502, 200]);
  });
});

describe('service roots', () => {
  test.each([
    ['root-for-strangers', ['Links', 'SessionService'], true],
    ['root-bare-for-strangers', [], true],
    ['root-without-services', ['Links'], false],
    ['root-without-links', ['EventService', 'Managers', 'SessionService', 'Systems'], false],
    ['root-bare', [], false],
  ])('%s shows strangers %j, and all else to account holders: %s', async (name, shown, whole) => {
    await using one = await bmcWith([name]);
    const services = (json: object) =>
      ['EventService', 'Links', 'Managers', 'SessionService', 'Systems'].filter((key) => key in json);
    expect(services((await call(one.bmc, 'GET', ROOT, { auth: 'none' })).json)).toEqual(shown);
    const account = services((await call(one.bmc, 'GET', ROOT)).json);
    expect(account).toEqual(whole ? ['EventService', 'Links', 'Managers', 'SessionService', 'Systems'] : shown);
    expect((await call(one.bmc, 'GET', '/redfish/v1/EventService')).status).toBe(200);
  });

  test.each([
    ['root-empty-links', { '@odata.id': '' }],
    ['root-null-links', null],
  ])('%s: a service of the root is %j', async (name, link) => {
    await using one = await bmcWith([name]);
    const { json } = await call(one.bmc, 'GET', ROOT);
    expect([json.EventService, json.Systems]).toEqual([link, link]);
  });

  test('root-closed: the service root gets 401 without credentials', async () => {
    await using one = await bmcWith(['root-closed']);
    expect((await call(one.bmc, 'GET', ROOT, { auth: 'none' })).status).toBe(401);
    expect((await call(one.bmc, 'GET', ROOT)).status).toBe(200);
  });

  test('no-subscriptions-link, no-virtual-media-link: what is there is not linked', async () => {
    await using one = await bmcWith(['no-subscriptions-link', 'no-virtual-media-link', 'media-under-both']);
    expect((await call(one.bmc, 'GET', '/redfish/v1/EventService')).json).not.toHaveProperty('Subscriptions');
    for (const owner of [SYSTEM, MANAGER]) {
      expect((await call(one.bmc, 'GET', owner)).json).not.toHaveProperty('VirtualMedia');
      expect((await call(one.bmc, 'GET', `${owner}/VirtualMedia`)).json.Members).toHaveLength(2);
    }
    expect((await call(one.bmc, 'GET', SUBSCRIPTIONS)).status).toBe(200);
  });
});

describe('parts that sleep or are closed', () => {
  test.each([
    ['sleeping-manager', 'Managers', 'HGX_BMC_1', 503],
    ['failing-manager', 'Managers', 'HGX_BMC_1', 500],
    ['closed-manager', 'Managers', 'HGX_BMC_1', 403],
    ['sleeping-system', 'Systems', 'HGX_Baseboard_0', 503],
    ['closed-system', 'Systems', 'HGX_Baseboard_0', 403],
    ['sleeping-chassis', 'Chassis', 'HGX_Baseboard_0', 503],
  ])('%s: %s lists %s first, which gets %i with all below', async (name, collection, id, status) => {
    await using one = await bmcWith([name]);
    const path = `/redfish/v1/${collection}/${id}`;
    const { Members: members } = (await call(one.bmc, 'GET', `/redfish/v1/${collection}`)).json;
    expect(members[0]).toEqual({ '@odata.id': path });
    expect(members).toHaveLength(2);
    for (const below of [path, `${path}/VirtualMedia`]) {
      expect((await call(one.bmc, 'GET', below)).status).toBe(status);
    }
    const { ManagedBy } = (await call(one.bmc, 'GET', SYSTEM)).json.Links;
    expect(ManagedBy).toHaveLength(collection === 'Managers' ? 2 : 1);
  });

  test.each([
    ['closed-managers', 403, 403, 1],
    ['closed-manager-collection', 403, 200, 1],
    ['no-managers', 404, 404, 0],
    ['no-managed-by', 200, 200, 0],
  ])('%s: the collection gets %i, a manager %i, and the system names %i', async (name, all, single, named) => {
    await using one = await bmcWith([name]);
    expect((await call(one.bmc, 'GET', '/redfish/v1/Managers')).status).toBe(all);
    expect((await call(one.bmc, 'GET', MANAGER)).status).toBe(single);
    const { Links } = (await call(one.bmc, 'GET', SYSTEM)).json;
    expect((Links.ManagedBy ?? []).length).toBe(named);
    if (all === 403) {
      expect(messages(await call(one.bmc, 'GET', '/redfish/v1/Managers'))).toEqual(['InsufficientPrivilege']);
    }
  });
});
