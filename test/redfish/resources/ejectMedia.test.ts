import { afterEach, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import {
  createRedfishClients,
  ejectMedia,
  type RedfishClient,
  type RedfishClients,
} from '../../../src/redfish/index.ts';
import { QUIRKS, type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { type ScriptedRequest, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const SIM_SYSTEM = '/redfish/v1/Systems/437XR1138R2';
const SYSTEM = '/redfish/v1/Systems/1';
const MANAGER = '/redfish/v1/Managers/1';
const UNDER_SYSTEM = `${SYSTEM}/VirtualMedia`;
const UNDER_MANAGER = `${MANAGER}/VirtualMedia`;
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

const link = (path: string) => ({ '@odata.id': path });

function eject(client: RedfishClient, system: string, mediaTypes: string[] | null = null, confirmMs = 2000) {
  const progress: string[] = [];
  return ejectMedia(client, system, { mediaTypes, confirmMs, progress: (_, message) => progress.push(message) });
}

const outcomes = (devices: Awaited<ReturnType<typeof ejectMedia>>) =>
  Object.fromEntries(devices.map(({ slot, outcome }) => [slot.id, outcome]));

async function simulated(): Promise<{ bmc: SimulatedBmc; client: RedfishClient }> {
  clients = createRedfishClients();
  const fleet = await startFleet();
  closing.push(fleet);
  return { bmc: fleet.bmcs[0]!, client: clients.for(target(fleet.bmcs[0]!.url), { signal: forever }) };
}

/** Starts a BMC with the given documents; `handle` may respond before them. */
async function scripted(
  documents: Record<string, JsonObject>,
  handle: (
    request: ScriptedRequest,
  ) => { status: number; headers?: Record<string, string>; body?: unknown } | undefined,
) {
  clients = createRedfishClients();
  const bmc = await startScriptedBmc((request) => {
    const own = handle(request);
    if (own !== undefined) return own;
    const body = documents[request.path.replace(/\/$/, '')];
    if (request.method !== 'GET') return { status: 405 };
    return body === undefined ? { status: 404 } : { status: 200, body };
  });
  closing.push(bmc);
  return {
    bmc,
    client: clients.for(target(bmc.url, { account: { username: null, password: '', authType: 'auto' } }), {
      signal: forever,
    }),
  };
}

const base = (system: JsonObject, manager: JsonObject = {}): Record<string, JsonObject> => ({
  '/redfish/v1': { Systems: link('/redfish/v1/Systems'), Managers: link('/redfish/v1/Managers') },
  '/redfish/v1/Managers': { Members: [link(MANAGER)] },
  [SYSTEM]: { '@odata.id': SYSTEM, ...system },
  [MANAGER]: { '@odata.id': MANAGER, ...manager },
});

const withAction = (path: string, more: JsonObject = {}): JsonObject => ({
  '@odata.id': path,
  Id: path.split('/').at(-1)!,
  MediaTypes: ['CD', 'DVD'],
  Inserted: true,
  Image: 'http://images.example/a.iso',
  Actions: { '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` } },
  ...more,
});

function empty(documents: Record<string, JsonObject>, path: string): { status: number } {
  documents[path] = { ...documents[path]!, Inserted: false, Image: null };
  return { status: 204 };
}

test('all devices that contain an image are ejected and read back', async () => {
  const { bmc, client } = await simulated();
  expect(outcomes(await eject(client, SIM_SYSTEM))).toEqual({ Floppy1: 'ejected', CD1: 'ejected' });
  expect(bmc.documents.get(`${SIM_SYSTEM}/VirtualMedia/CD1`)).toMatchObject({ Inserted: false });
});

test('ejecting all with nothing inserted succeeds', async () => {
  const { client } = await simulated();
  await eject(client, SIM_SYSTEM);
  expect(outcomes(await eject(client, SIM_SYSTEM))).toEqual({ Floppy1: 'empty', CD1: 'empty' });
});

test('only devices of the requested type are ejected', async () => {
  const { bmc, client } = await simulated();
  expect(outcomes(await eject(client, SIM_SYSTEM, ['CD', 'DVD']))).toEqual({ CD1: 'ejected' });
  expect(bmc.documents.get(`${SIM_SYSTEM}/VirtualMedia/Floppy1`)).toMatchObject({ Inserted: true });
});

test('one inserted device of a discovered BMC costs two reads and one eject', async () => {
  const { bmc, client } = await simulated();
  await eject(client, SIM_SYSTEM, ['Floppy']);
  const before = bmc.requestCount;
  await eject(client, SIM_SYSTEM, ['CD', 'DVD']);
  expect(bmc.requestCount - before).toBe(3);
});

test('media under the manager are found (iLO 5), and an empty object is sent where no body is refused', async () => {
  const cd = `${UNDER_MANAGER}/2`;
  const documents = {
    ...base({ Links: { ManagedBy: [link(MANAGER)] } }, { VirtualMedia: link(UNDER_MANAGER) }),
    [UNDER_MANAGER]: { Members: [link(cd)] },
    [cd]: withAction(cd),
  };
  const { bmc, client } = await scripted(documents, ({ method, body }) => {
    if (method !== 'POST') return undefined;
    return body === '' ? { status: 400 } : empty(documents, cd);
  });
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ 2: 'ejected' });
  expect(bmc.requests.filter(({ method }) => method === 'POST').map(({ body }) => body)).toEqual(['', '{}']);
});

test('devices under both the system and the manager are ejected once', async () => {
  const [here, there] = [`${UNDER_SYSTEM}/CD`, `${UNDER_MANAGER}/CD`];
  const documents: Record<string, JsonObject> = {
    ...base(
      { VirtualMedia: link(UNDER_SYSTEM), Links: { ManagedBy: [link(MANAGER)] } },
      { VirtualMedia: link(UNDER_MANAGER) },
    ),
    [UNDER_SYSTEM]: { Members: [link(here)] },
    [UNDER_MANAGER]: { Members: [link(there)] },
    [here]: withAction(here),
    [there]: withAction(there),
  };
  const { bmc, client } = await scripted(documents, ({ method }) => {
    if (method !== 'POST') return undefined;
    empty(documents, there);
    return empty(documents, here);
  });
  expect(await eject(client, SYSTEM)).toHaveLength(1);
  expect(bmc.lines().filter((line) => line.startsWith('POST'))).toHaveLength(1);
});

test('inline members of a collection without a link to it are ejected and read back there (iDRAC 9)', async () => {
  const cd = `${UNDER_SYSTEM}/2`;
  const documents: Record<string, JsonObject> = {
    ...base({}, { Links: { ManagerForServers: [link(SYSTEM)] } }),
    [UNDER_SYSTEM]: { Members: [withAction(cd)] },
  };
  let reads = 0;
  const { bmc, client } = await scripted(documents, ({ method, path }) => {
    if (method === 'POST') return { status: 204 };
    // The device still reports the image for a while.
    if (path === UNDER_SYSTEM && ++reads === 4) documents[path] = { Members: [withAction(cd, { Inserted: false })] };
    return undefined;
  });
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ 2: 'ejected' });
  expect(bmc.lines()).not.toContain(`GET ${cd}`);
});

test('an eject that the BMC accepts without effect has an unknown outcome', async () => {
  const cd = `${UNDER_SYSTEM}/1`;
  const documents = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(cd)] },
    [cd]: withAction(cd),
  };
  const { client } = await scripted(documents, ({ method }) => (method === 'POST' ? { status: 204 } : undefined));
  await expect(eject(client, SYSTEM, null, 300)).rejects.toMatchObject({ kind: 'outcome-unknown' });
});

test('a failed eject of a device that is empty afterwards succeeds', async () => {
  const cd = `${UNDER_SYSTEM}/1`;
  const documents = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(cd)] },
    [cd]: withAction(cd),
  };
  const { client } = await scripted(documents, ({ method }) => {
    if (method !== 'POST') return undefined;
    empty(documents, cd);
    return { status: 500 };
  });
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ 1: 'ejected' });
});

test('a failed eject is reported with the outcome of every device', async () => {
  const [one, two] = [`${UNDER_SYSTEM}/1`, `${UNDER_SYSTEM}/2`];
  const documents = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(one), link(two)] },
    [one]: withAction(one),
    [two]: withAction(two),
  };
  const { client } = await scripted(documents, ({ method, path }) => {
    if (method !== 'POST') return undefined;
    return path.startsWith(two) ? empty(documents, two) : { status: 503, body: { error: { message: 'Busy now.' } } };
  });
  await expect(eject(client, SYSTEM)).rejects.toMatchObject({
    kind: 'failed',
    status: 503,
    message: expect.stringMatching(/2: ejected; 1: .*Busy now\./),
  });
});

test('a device without the action is emptied by PATCH under its ETag, read again after a 412 (Lenovo XCC)', async () => {
  const cd = `${UNDER_SYSTEM}/1`;
  const documents: Record<string, JsonObject> = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(cd)] },
    [cd]: withAction(cd, { Actions: {}, '@odata.etag': '"one"' }),
  };
  const { bmc, client } = await scripted(documents, ({ method, headers }) => {
    if (method !== 'PATCH') return undefined;
    if (headers['if-match'] === '"two"') return empty(documents, cd);
    documents[cd] = { ...documents[cd]!, '@odata.etag': '"two"' };
    return { status: 412 };
  });
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ 1: 'ejected' });
  const patches = bmc.requests.filter(({ method }) => method === 'PATCH');
  expect(patches.map(({ headers }) => headers['if-match'])).toEqual(['"one"', '"two"']);
  expect(JSON.parse(patches[0]!.body)).toEqual({ Image: null, Inserted: false });
});

test('If-Match is sent without quotes to a BMC that compares it so', async () => {
  const cd = `${UNDER_SYSTEM}/1`;
  const documents: Record<string, JsonObject> = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(cd)] },
    [cd]: withAction(cd, { Actions: {}, '@odata.etag': 'W/"one"' }),
  };
  const { client } = await scripted(documents, ({ method, headers }) => {
    if (method !== 'PATCH') return undefined;
    return headers['if-match'] === 'one' ? empty(documents, cd) : { status: 412 };
  });
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ 1: 'ejected' });
});

test('slots without actions that return 405 are skipped beside those that can be ejected (Cisco C845A M8)', async () => {
  const [one, two] = [`${UNDER_SYSTEM}/1`, `${UNDER_SYSTEM}/2`];
  const documents = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(one), link(two)] },
    [one]: withAction(one, { Actions: {} }),
    [two]: withAction(two),
  };
  const { client } = await scripted(documents, ({ method }) => (method === 'POST' ? empty(documents, two) : undefined));
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ 1: 'skipped', 2: 'ejected' });
});

test('a machine without virtual media, or without a device of the type, is reported as unsupported', async () => {
  const none = await scripted(base({}), () => undefined);
  await expect(eject(none.client, SYSTEM)).rejects.toMatchObject({ kind: 'unsupported' });
  const { client } = await simulated();
  const tape = eject(client, SIM_SYSTEM, ['Tape']);
  await expect(tape).rejects.toThrow(/CD1 \(CD, DVD\)/);
});

test('an eject without a response succeeds if the device is empty, and otherwise reports the state of the device', async () => {
  const { bmc, client } = await simulated();
  const lost = { kind: 'reset', match: { method: 'POST', path: '*EjectMedia' }, times: 1 } as const;
  await client.logIn();
  bmc.faults.add({ ...lost, afterRead: true });
  expect(outcomes(await eject(client, SIM_SYSTEM, ['CD']))).toEqual({ CD1: 'ejected' });

  bmc.faults.add(lost);
  await expect(eject(client, SIM_SYSTEM, ['Floppy'])).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: expect.stringContaining('Floppy1 still contains an image'),
  });

  bmc.faults.add({ ...lost, afterRead: true });
  const device = { method: 'GET', path: '*/Floppy1' };
  const arrived = bmc.nextRequest({ method: 'POST' }).then(() => {
    bmc.faults.add({ kind: 'status', status: 500, match: device, times: 3 });
  });
  await expect(eject(client, SIM_SYSTEM, ['Floppy'])).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: expect.stringContaining('could not be checked'),
  });
  await arrived;
});

test('a failed check of a device whose eject was accepted does not fail the eject', async () => {
  const { bmc, client } = await simulated();
  await eject(client, SIM_SYSTEM, ['Floppy']);
  const arrived = bmc.nextRequest({ method: 'POST' }).then(() => {
    bmc.faults.add({ kind: 'status', status: 500, match: { method: 'GET', path: '*/CD1' }, times: 1 });
  });
  expect(outcomes(await eject(client, SIM_SYSTEM, ['CD']))).toEqual({ CD1: 'ejected' });
  await arrived;
});

test('a starting BMC that returns 404 to everything does not make a device count as empty', async () => {
  const { bmc, client } = await simulated();
  await eject(client, SIM_SYSTEM, ['Floppy']);
  void bmc.nextRequest({ method: 'GET', path: '*/CD1' }).then(() => {
    bmc.faults.add({ kind: 'status', status: 404 });
  });
  await expect(eject(client, SIM_SYSTEM, ['CD'])).rejects.toMatchObject({ status: 404 });
});

test('a BMC that returns 404 to everything after the eject, or to a device that it lists, does not make it count as empty', async () => {
  const { bmc, client } = await simulated();
  const place = `${SIM_SYSTEM}/VirtualMedia/Floppy1`;
  const floppy = bmc.documents.get(place)!;
  for (const path of ['*', '*/Floppy1']) {
    let fault = 0;
    const arrived = bmc.nextRequest({ method: 'POST', path: '*EjectMedia' }).then(() => {
      fault = bmc.faults.add({ kind: 'status', status: 404, match: { method: 'GET', path } });
    });
    await expect(eject(client, SIM_SYSTEM, ['Floppy'], 300)).rejects.toMatchObject({
      kind: 'outcome-unknown',
      message: expect.stringContaining('accepted the eject'),
    });
    await arrived;
    bmc.faults.remove(fault);
    bmc.documents.set(place, floppy);
  }
});

test('a device listed only while it contains an image is empty when its collection no longer has it', async () => {
  clients = createRedfishClients();
  const fleet = await startFleet({ quirks: [QUIRKS.get('media-listed-while-inserted')!] });
  closing.push(fleet);
  const client = clients.for(target(fleet.bmcs[0]!.url), { signal: forever });
  expect(outcomes(await eject(client, SIM_SYSTEM, ['CD']))).toEqual({ CD1: 'ejected' });
});

test('a device that still reports its image after the eject is polled until it is empty (iDRAC)', async () => {
  const path = `${UNDER_SYSTEM}/CD`;
  const documents: Record<string, JsonObject> = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(path)] },
    [path]: withAction(path),
  };
  let reads = 0;
  const { client } = await scripted(documents, ({ method, path: at }) => {
    if (method === 'POST') return { status: 204 };
    if (at === path && ++reads === 4) documents[path] = { ...documents[path]!, Inserted: false };
    return undefined;
  });
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ CD: 'ejected' });
  expect(reads).toBe(4);
});

test('a slot whose action returns 405 is skipped beside one that can be ejected (Cisco C845A M8)', async () => {
  const [good, bad] = [`${UNDER_SYSTEM}/CD`, `${UNDER_SYSTEM}/Slot2`];
  const documents: Record<string, JsonObject> = {
    ...base({ VirtualMedia: link(UNDER_SYSTEM) }),
    [UNDER_SYSTEM]: { Members: [link(good), link(bad)] },
    [good]: withAction(good),
    [bad]: withAction(bad),
  };
  const { client } = await scripted(documents, ({ method, path }) =>
    method === 'POST' && path.startsWith(good) ? empty(documents, good) : undefined,
  );
  expect(outcomes(await eject(client, SYSTEM))).toEqual({ CD: 'ejected', Slot2: 'skipped' });
});

test('managers without virtual media are skipped, and one device serves two types (GB300)', async () => {
  const other = '/redfish/v1/Managers/HGX';
  const path = `${UNDER_MANAGER}/USB0`;
  const documents: Record<string, JsonObject> = {
    ...base({ Links: { ManagedBy: [link(other), link(MANAGER)] } }, { VirtualMedia: link(UNDER_MANAGER) }),
    [other]: { '@odata.id': other },
    [UNDER_MANAGER]: { Members: [link(path)] },
    [path]: withAction(path, { MediaTypes: ['CD', 'USBStick'] }),
  };
  for (const types of [['CD', 'DVD'], ['USBStick']]) {
    documents[path] = withAction(path, { MediaTypes: ['CD', 'USBStick'] });
    const { client } = await scripted(documents, ({ method }) =>
      method === 'POST' ? empty(documents, path) : undefined,
    );
    expect(outcomes(await eject(client, SYSTEM, types))).toEqual({ USB0: 'ejected' });
  }
});
