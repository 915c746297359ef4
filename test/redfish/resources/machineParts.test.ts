import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { listSubscriptions, MediaSearch } from '../../../src/redfish/index.ts';
import { getCollection } from '../../../src/redfish/resources/collection.ts';
import {
  deviceAt,
  type Handle,
  link,
  MANAGER,
  machine,
  mediaUnder,
  ROOT,
  refusal,
  SUBSCRIPTIONS,
  SYSTEM,
  startMachine,
  type Tree,
} from './machine.ts';

const UNDER_SYSTEM = `${SYSTEM}/VirtualMedia`;
const UNDER_MANAGER = `${MANAGER}/VirtualMedia`;
const underSystem = (...ids: string[]): Tree => ({
  [SYSTEM]: { ...machine()[SYSTEM]!, VirtualMedia: link(UNDER_SYSTEM) },
  ...mediaUnder(SYSTEM, ...ids),
});
const underManager = (...ids: string[]): Tree => ({
  [MANAGER]: { ...link(MANAGER), VirtualMedia: link(UNDER_MANAGER) },
  ...mediaUnder(MANAGER, ...ids),
});

const outcomes = (devices: { slot: { id: string }; outcome: string }[]) =>
  devices.map(({ slot, outcome }) => `${slot.id} ${outcome}`);
/** Responds so to GETs of `path`. */
const at =
  (path: string, response: ReturnType<Handle>): Handle =>
  (request) =>
    request.method === 'GET' && request.path === path ? response : undefined;

const NOT_READABLE: [string, ReturnType<Handle>][] = [
  ['is closed (403)', refusal(403, { MessageId: 'Base.1.8.InsufficientPrivilege', Message: 'Not for you.' })],
  ['is listed but absent (404)', { status: 404 }],
  ['fails (500)', { status: 500, body: '<html>broken</html>', headers: { 'content-type': 'text/html' } }],
  ['sleeps (503)', refusal(503, { Message: 'The board is off.' })],
  ['is not ready (400)', refusal(400, { MessageId: 'IDRAC.1.6.SWC0700', Message: 'Not ready.' })],
  ['is no JSON', { status: 200, body: '{"Id": "CD2",}' }],
  [
    'is a 200 that carries an error',
    { status: 200, body: { error: { code: 'Base.1.0.InternalError', message: 'No.' } } },
  ],
  ['shows nothing of its contents', { status: 200, body: { Id: 'CD2', Name: 'CD', MediaTypes: ['CD'] } }],
];

describe.each(NOT_READABLE)('a device that %s', (_, response) => {
  test('is told as unreadable, and the other is ejected', async () => {
    const { eject, tree } = await startMachine(machine(underSystem('CD1', 'CD2')), at(`${UNDER_SYSTEM}/CD2`, response));
    const devices = await eject();
    expect(outcomes(devices)).toEqual(['CD1 ejected', 'CD2 unreadable']);
    expect(devices[1]).toMatchObject({
      slot: { path: `${UNDER_SYSTEM}/CD2` },
      reason: expect.stringContaining('HTTP GET'),
    });
    expect(tree[`${UNDER_SYSTEM}/CD1`]).toMatchObject({ Inserted: false });
  });

  test('makes the eject fail when it is the only one', async () => {
    const { eject } = await startMachine(machine(underSystem('CD2')), at(`${UNDER_SYSTEM}/CD2`, response));
    await expect(eject()).rejects.toThrow(`${UNDER_SYSTEM}/CD2 could not be read: HTTP GET`);
  });
});

describe.each([MANAGER, UNDER_MANAGER, `${ROOT}/Managers`])('%s', (part) => {
  test.each([403, 500, 503])('returning %i is told, and the device of the system is ejected', async (status) => {
    const tree = machine({ ...underManager('USB1'), ...underSystem('CD1') });
    if (part === `${ROOT}/Managers`) tree[SYSTEM] = { ...link(SYSTEM), VirtualMedia: link(UNDER_SYSTEM) };
    const { eject } = await startMachine(tree, at(part, refusal(status, { Message: 'Closed.' })));
    const devices = await eject();
    expect(devices).toMatchObject([
      { slot: { id: 'CD1' }, outcome: 'ejected' },
      { slot: { path: part }, outcome: 'unreadable', reason: expect.stringContaining('Closed.') },
    ]);
  });

  test.each([403, 503])('returning %i fails the eject in its own words when nothing else has media', async (status) => {
    const tree = machine(underManager('CD1'));
    if (part === `${ROOT}/Managers`) tree[SYSTEM] = link(SYSTEM);
    const { eject } = await startMachine(tree, at(part, refusal(status, { Message: 'Closed.' })));
    await expect(eject()).rejects.toMatchObject({ status, message: expect.stringContaining('Closed.') });
  });
});

test('a part that sleeps is looked for again by the next call, one that is closed is not', async () => {
  const closed = `${MANAGER}/Closed`;
  const tree = machine({ ...underSystem('CD1'), ...underManager('USB1') });
  tree[SYSTEM] = { ...tree[SYSTEM]!, Links: { ManagedBy: [link(MANAGER), link(closed)] } };
  let asleep = true;
  const { eject, bmc } = await startMachine(tree, ({ path }) => {
    if (path === closed) return { status: 403 };
    return path === MANAGER && asleep ? { status: 503 } : undefined;
  });
  expect(outcomes(await eject())).toEqual(['CD1 ejected', '1 unreadable', 'Closed unreadable']);
  asleep = false;
  expect(outcomes(await eject())).toEqual(['CD1 empty', 'USB1 ejected', 'Closed unreadable']);
  const before = bmc.requests.length;
  tree[`${UNDER_SYSTEM}/CD1`] = deviceAt(`${UNDER_SYSTEM}/CD1`);
  expect(outcomes(await eject())).toEqual(['CD1 ejected', 'USB1 empty', 'Closed unreadable']);
  expect(bmc.requests.slice(before).map(({ path }) => path)).not.toContain(closed);
});

test('a device that fell asleep after it was discovered is told, and the others are ejected', async () => {
  const tree = machine(underSystem('CD1', 'CD2'));
  let asleep = false;
  const { eject } = await startMachine(tree, ({ method, path }) =>
    asleep && method === 'GET' && path.endsWith('/CD2') ? { status: 503 } : undefined,
  );
  expect(outcomes(await eject())).toEqual(['CD1 ejected', 'CD2 ejected']);
  tree[`${UNDER_SYSTEM}/CD1`] = deviceAt(`${UNDER_SYSTEM}/CD1`);
  asleep = true;
  expect(outcomes(await eject())).toEqual(['CD1 ejected', 'CD2 unreadable']);
});

test('a system that cannot be read fails the eject in the words of the BMC', async () => {
  const { eject } = await startMachine(machine(underManager('CD1')), at(SYSTEM, refusal(503, { Message: 'Off.' })));
  await expect(eject()).rejects.toThrow('Off.');
});

const PARTS: [string, JsonObject][] = [
  ['only Id and Name', { Id: 'CD1', Name: 'CD' }],
  ['Image without Inserted', { Id: 'CD1', MediaTypes: ['CD'], Image: 'http://images.example/old.iso' }],
  ['Inserted without Actions', { Id: 'CD1', MediaTypes: ['CD'], Inserted: false, Image: null }],
  ['Inserted without MediaTypes', { Id: 'CD1', Inserted: true, Actions: deviceAt('/x').Actions! }],
];

test.each(PARTS)('a member with %s is read by itself', async (_, part) => {
  const tree = machine(underSystem('CD1'));
  tree[UNDER_SYSTEM] = { Members: [{ ...link(`${UNDER_SYSTEM}/CD1`), ...part }] };
  const { eject } = await startMachine(tree);
  expect(outcomes(await eject())).toEqual(['CD1 ejected']);
  expect(tree[`${UNDER_SYSTEM}/CD1`]).toMatchObject({ Inserted: false });
});

test('a member that shows its contents, and has no document of its own, is used', async () => {
  const tree = machine(underSystem());
  const path = `${UNDER_SYSTEM}/CD1`;
  const { Actions: _, ...rest } = deviceAt(path, { Inserted: false, Image: null });
  tree[UNDER_SYSTEM] = { Members: [rest] };
  const { eject } = await startMachine(tree);
  expect(outcomes(await eject())).toEqual(['CD1 empty']);
});

test('empty media collections are a success, and no collection anywhere is an error', async () => {
  const none = await startMachine(machine(underSystem()));
  expect(await none.eject()).toEqual([]);
  expect(await none.eject(['CD'])).toEqual([]);
  const { eject } = await startMachine(machine());
  await expect(eject()).rejects.toThrow('neither under the system nor under its managers');
});

test('a page of every path, as of a front end, is no media collection', async () => {
  const { eject } = await startMachine(machine(), ({ path }) =>
    path.endsWith('VirtualMedia')
      ? { status: 200, body: '<html></html>', headers: { 'content-type': 'text/html' } }
      : undefined,
  );
  await expect(eject()).rejects.toThrow('The BMC has no virtual media');
});

describe('a requested type', () => {
  test('is ejected from the system without reading the managers', async () => {
    const tree = machine({ ...underSystem('CD1'), ...underManager('CD1', 'CD2') });
    const { eject, bmc } = await startMachine(tree, at(MANAGER, { status: 503 }));
    expect(outcomes(await eject(['CD']))).toEqual(['CD1 ejected']);
    expect(bmc.requests.map(({ path }) => path).filter((path) => path.includes('Managers'))).toEqual([]);
  });

  test('is ejected from a manager when the system’s own device is empty, and later with two reads', async () => {
    const tree = machine({ ...underSystem('CD1'), ...underManager('CD2') });
    tree[`${UNDER_SYSTEM}/CD1`] = deviceAt(`${UNDER_SYSTEM}/CD1`, { Inserted: false, Image: null });
    const { eject, bmc } = await startMachine(tree);
    expect(outcomes(await eject(['CD']))).toEqual(['CD1 empty', 'CD2 ejected']);
    tree[`${UNDER_MANAGER}/CD2`] = deviceAt(`${UNDER_MANAGER}/CD2`);
    const before = bmc.requests.length;
    expect(outcomes(await eject(['CD']))).toEqual(['CD1 empty', 'CD2 ejected']);
    expect(bmc.lines().slice(before)).toHaveLength(4);
  });

  test('costs two reads and one eject once the system’s own devices are known', async () => {
    const tree = machine({ ...underSystem('CD1', 'USB1') });
    tree[`${UNDER_SYSTEM}/USB1`] = deviceAt(`${UNDER_SYSTEM}/USB1`, { MediaTypes: ['USBStick'] });
    const { eject, bmc } = await startMachine(tree);
    await eject(['CD']);
    tree[`${UNDER_SYSTEM}/CD1`] = deviceAt(`${UNDER_SYSTEM}/CD1`);
    const before = bmc.requests.length;
    await eject(['CD']);
    expect(bmc.lines().slice(before)).toHaveLength(3);
  });

  test('that only an unreadable part can have fails with that part', async () => {
    const tree = machine({ ...underSystem('USB1'), ...underManager('CD1') });
    tree[`${UNDER_SYSTEM}/USB1`] = deviceAt(`${UNDER_SYSTEM}/USB1`, { MediaTypes: ['USBStick'] });
    const { eject } = await startMachine(tree, at(UNDER_MANAGER, refusal(503, { Message: 'Asleep.' })));
    await expect(eject(['CD'])).rejects.toThrow(`${UNDER_MANAGER} could not be read`);
  });
});

describe('a collection', () => {
  const read = async (body: JsonObject, more: Tree = {}) => {
    const { client } = await startMachine(machine({ [SUBSCRIPTIONS]: body, ...more }));
    return getCollection(client, SUBSCRIPTIONS);
  };
  const one = `${SUBSCRIPTIONS}/1`;

  test.each<[string, JsonObject]>([
    ['is null', { Members: null }],
    ['is absent, with a count of 0', { 'Members@odata.count': 0 }],
    ['has empty links', { Members: [{}, { '@odata.id': '' }, null, '', { '@odata.id': null }] }],
  ])('whose list of members %s is empty', async (_, body) => {
    expect(await read(body)).toMatchObject({ members: [], unreadable: [], complete: true });
  });

  test.each<[string, JsonObject]>([
    ['without Members', { Name: 'Subscriptions' }],
    ['with a count but without Members', { 'Members@odata.count': 2 }],
    ['with an object in place of the list', { Members: {} }],
    ['that is empty beside an error', { Members: [], error: { message: 'It is no collection now.' } }],
  ])('%s is an error', async (_, body) => {
    await expect(read(body)).rejects.toThrow('is no collection');
  });

  test('has each member once, by links in any form, and names a link to another host', async () => {
    const foreign = 'http://other.example/redfish/v1/S/9';
    const { members, unreadable } = await read({
      Members: [link(one), one, link(`${one}/`), link(foreign), { ...link(`${SUBSCRIPTIONS}/2`), Id: '2' }],
    });
    expect(members).toMatchObject([{ path: one }, { path: `${SUBSCRIPTIONS}/2`, document: { Id: '2' } }]);
    expect(unreadable).toMatchObject([{ error: { message: expect.stringContaining('other.example') } }]);
  });

  test('with a page that fails has the members of the others, and names it', async () => {
    const next = `${SUBSCRIPTIONS}?$skip=1`;
    const body = { Members: [link(one)], 'Members@odata.nextLink': next };
    const { client } = await startMachine(machine({ [SUBSCRIPTIONS]: body }));
    expect(await listSubscriptions(client)).toMatchObject({
      members: [{ path: one }],
      unreadable: [{ path: next, error: { status: 404 } }],
      complete: false,
    });
  });
});

describe('a poor service root', () => {
  test.each<[string, JsonObject]>([
    ['no links', { Id: 'RootService' }],
    ['empty links', { Id: 'R', EventService: {}, Systems: { '@odata.id': '' }, Managers: null, Links: null }],
    ['links to another host', { Id: 'R', EventService: link('http://other.example/redfish/v1/EventService') }],
  ])('with %s hides no service at its usual path', async (_, root) => {
    const tree = machine({ ...underManager('CD1'), [ROOT]: root });
    delete tree[SYSTEM]!.Links;
    const { client, eject, bmc } = await startMachine(tree);
    expect((await listSubscriptions(client)).members).toEqual([]);
    expect(outcomes(await eject())).toEqual(['CD1 ejected']);
    const before = bmc.requests.length;
    await listSubscriptions(client);
    expect(bmc.requests.length).toBe(before + 1);
  });

  test('and an event service without a link to its subscriptions hide none', async () => {
    const { client } = await startMachine(machine({ [ROOT]: { Id: 'R' }, [`${ROOT}/EventService`]: { Id: 'E' } }));
    expect((await listSubscriptions(client)).members).toEqual([]);
  });

  test.each([403, 500, 503])(
    'with an event service that returns %i hides no subscriptions at their usual path',
    async (status) => {
      const refused = refusal(status, { MessageId: 'Base.1.8.InsufficientPrivilege' });
      const { client } = await startMachine(machine(), at(`${ROOT}/EventService`, refused));
      expect((await listSubscriptions(client)).members).toEqual([]);
    },
  );

  test('without a service at the usual path is reported as one without it', async () => {
    const tree = machine({ [ROOT]: { Id: 'R' } });
    delete tree[`${ROOT}/EventService`];
    const { client } = await startMachine(tree);
    await expect(listSubscriptions(client)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  test('with a closed service at the usual path is asked for the subscriptions below it', async () => {
    const tree = machine({ [ROOT]: { Id: 'R' } });
    delete tree[`${ROOT}/EventService`];
    const refused = at(`${ROOT}/EventService`, refusal(403, { MessageId: 'Base.1.8.InsufficientPrivilege' }));
    const open = await startMachine(tree, refused);
    expect((await listSubscriptions(open.client)).members).toEqual([]);
    delete tree[`${ROOT}/EventService/Subscriptions`];
    const closed = await startMachine(tree, refused);
    await expect(listSubscriptions(closed.client)).rejects.toMatchObject({ kind: 'refused', status: 403 });
  });
});

test('the media of a machine are found under a second manager when the first sleeps', async () => {
  const asleep = `${ROOT}/Managers/HGX`;
  const tree = machine(underManager('CD1'));
  tree[SYSTEM] = { ...link(SYSTEM), Links: { ManagedBy: [link(asleep), link(MANAGER)] } };
  const { client } = await startMachine(tree, at(asleep, { status: 503 }));
  const { devices, unreadable } = await new MediaSearch(client, SYSTEM).all();
  expect(devices.map(({ slot }) => slot.id)).toEqual(['CD1']);
  expect(unreadable.map(({ path }) => path)).toEqual([asleep]);
});
