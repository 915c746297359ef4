import { afterEach, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { createRedfishClients, ejectMedia, MediaSearch, type RedfishClients } from '../../../src/redfish/index.ts';
import { startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const SYSTEM = '/redfish/v1/Systems/1';
const MANAGERS = ['/redfish/v1/Managers/A', '/redfish/v1/Managers/B'];
const IMAGE = 'http://images.example/a.iso';
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

const link = (path: string) => ({ '@odata.id': path });
const deviceAt = (owner: string) => `${owner}/VirtualMedia/USB1`;
const paths = (devices: { slot: { path: string } }[]) => devices.map(({ slot }) => slot.path);

/** Starts a machine with a USB1 under each of `owners`; an eject empties those in `emptiedBy`, by default itself. */
async function start(
  owners: string[],
  emptiedBy: Record<string, string[]> = {},
  more: { device?: Record<string, JsonObject>; collections?: Record<string, string> } = {},
) {
  clients = createRedfishClients();
  const inserted = new Set(owners);
  const collectionOf = (owner: string) => more.collections?.[owner] ?? `${owner}/VirtualMedia`;
  const media = (owner: string) => (owners.includes(owner) ? { VirtualMedia: link(collectionOf(owner)) } : {});
  const bmc = await startScriptedBmc(({ method, path }) => {
    const owner = [SYSTEM, ...MANAGERS].find((one) => path === one || path.startsWith(`${one}/`));
    if (method === 'POST' && owner !== undefined) {
      if (!path.endsWith('EjectMedia')) return { status: 405 };
      for (const one of emptiedBy[owner] ?? [owner]) inserted.delete(one);
      return { status: 204 };
    }
    if (method !== 'GET') return { status: 405 };
    if (path === '/redfish/v1/') return { status: 200, body: { Systems: link('/redfish/v1/Systems') } };
    if (path === SYSTEM) {
      return { status: 200, body: { ...link(path), ...media(path), Links: { ManagedBy: MANAGERS.map(link) } } };
    }
    if (owner === path) return { status: 200, body: { ...link(path), ...media(path) } };
    if (owner === undefined) return { status: 404 };
    if (path === `${owner}/VirtualMedia`) return { status: 200, body: { Members: [link(deviceAt(owner))] } };
    const holds = inserted.has(owner);
    const body = {
      ...link(path),
      Id: 'USB1',
      MediaTypes: ['CD', 'USBStick'],
      Inserted: holds,
      Image: holds ? IMAGE : null,
      Actions: { '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` } },
      ...more.device?.[owner],
    };
    return { status: 200, body };
  });
  closing.push(bmc);
  const account = { username: null, password: '', authType: 'auto' as const };
  const client = clients.for(target(bmc.url, { account }), { signal: forever });
  return {
    client,
    inserted,
    ejects: () => bmc.lines().filter((line) => line.startsWith('POST')).length,
    eject: () => ejectMedia(client, SYSTEM, { mediaTypes: null, confirmMs: 500, progress: () => undefined }),
  };
}

const [A, B] = MANAGERS as [string, string];

test('identical devices of two managers are two devices, and both are ejected', async () => {
  const bmc = await start(MANAGERS);
  expect(paths(await bmc.eject())).toEqual([deviceAt(A), deviceAt(B)]);
  expect(bmc.inserted.size).toBe(0);
  expect(paths((await new MediaSearch(bmc.client, SYSTEM).all()).devices)).toEqual([deviceAt(A), deviceAt(B)]);
});

test('one device under the system and its manager is listed once and ejected once, discovered or not', async () => {
  const both = [SYSTEM, A];
  const bmc = await start(both, { [SYSTEM]: both });
  for (const times of [1, 2]) {
    for (const owner of both) bmc.inserted.add(owner);
    expect(paths(await bmc.eject())).toEqual([deviceAt(SYSTEM)]);
    expect(bmc.ejects()).toBe(times);
  }
  expect(paths((await new MediaSearch(bmc.client, SYSTEM).all()).devices)).toEqual([deviceAt(SYSTEM)]);
});

test('one collection linked from both the system and the manager is read as one', async () => {
  const bmc = await start([SYSTEM, A], {}, { collections: { [A]: `${SYSTEM}/VirtualMedia/` } });
  expect(paths(await bmc.eject())).toEqual([deviceAt(SYSTEM)]);
  expect(bmc.ejects()).toBe(1);
});

test('an identical device under the manager that still contains an image is ejected as well', async () => {
  const bmc = await start([SYSTEM, A]);
  expect(paths(await bmc.eject())).toEqual([deviceAt(SYSTEM), deviceAt(A)]);
  expect(bmc.inserted.size).toBe(0);
});

test('with the system’s device under one of two managers, the device of the other is ejected as well', async () => {
  for (const own of MANAGERS) {
    const bmc = await start([SYSTEM, ...MANAGERS], { [SYSTEM]: [SYSTEM, own], [own]: [SYSTEM, own] });
    await bmc.eject();
    expect([...bmc.inserted]).toEqual([]);
  }
});

test('an image that only the twin contains is ejected from discovered slots too', async () => {
  const bmc = await start([SYSTEM, A]);
  bmc.inserted.clear();
  expect(await bmc.eject()).toMatchObject([{ outcome: 'empty' }]);
  bmc.inserted.add(A);
  await bmc.eject();
  expect([...bmc.inserted]).toEqual([]);
});

test('a device that cannot be ejected under the system is ejected under the manager', async () => {
  const both = [SYSTEM, A];
  const bmc = await start(both, { [A]: both }, { device: { [SYSTEM]: { Actions: {} } } });
  expect((await bmc.eject()).map(({ outcome }) => outcome)).toContain('ejected');
  expect([...bmc.inserted]).toEqual([]);
});
