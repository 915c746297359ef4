import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Fleet, SimulatedBmc } from '../../src/sim/index.ts';
import { loadCapture, startFleet } from '../../src/sim/index.ts';
import { call, logIn, messages, SESSIONS, SUBSCRIPTIONS } from './client.ts';
import { startReceiver } from './events/receiver.ts';

const link = (path: string) => ({ '@odata.id': path });
const MEDIA = '/redfish/v1/Systems/1/VirtualMedia';
const SYSTEMS = {
  '/redfish/v1/Systems': {
    '@odata.id': '/redfish/v1/Systems',
    '@odata.type': '#ComputerSystemCollection.ComputerSystemCollection',
    Members: [link('/redfish/v1/Systems/1/')],
    'Members@odata.count': 1,
  },
  '/redfish/v1/Systems/1/': {
    '@odata.id': '/redfish/v1/Systems/1/',
    '@odata.type': '#ComputerSystem.v1_16_0.ComputerSystem',
    Id: '1',
  },
};

/** Like a captured iDRAC: inline virtual media without a link to them, no session service. */
const INLINE = {
  '/redfish/v1': { '@odata.id': '/redfish/v1', Systems: link('/redfish/v1/Systems') },
  ...SYSTEMS,
  '/redfish/v1/EventService': {
    '@odata.id': '/redfish/v1/EventService',
    '@odata.type': '#EventService.v1_7_0.EventService',
    Subscriptions: link(SUBSCRIPTIONS),
  },
  [MEDIA]: {
    '@odata.id': MEDIA,
    '@odata.type': '#VirtualMediaCollection.VirtualMediaCollection',
    Members: ['1', '2'].map((id) => ({
      '@odata.id': `${MEDIA}/${id}`,
      '@odata.type': '#VirtualMedia.v1_6_0.VirtualMedia',
      Id: id,
      Image: 'http://images.example/a.iso',
      Inserted: true,
      Actions: { '#VirtualMedia.EjectMedia': { target: `${MEDIA}/${id}/Actions/VirtualMedia.EjectMedia` } },
    })),
    'Members@odata.count': 2,
  },
};

/** Like a captured iLO: ETags in the documents, `Image: ""`, linked sessions without documents, HPE's own actions. */
const ILO_MEDIUM = '/redfish/v1/Managers/1/VirtualMedia/2';
const ILO = {
  '/redfish/v1/': {
    '@odata.id': '/redfish/v1/',
    Links: { Sessions: link(`${SESSIONS}/`) },
    EventService: link('/redfish/v1/EventService/'),
  },
  '/redfish/v1/EventService/': {
    '@odata.id': '/redfish/v1/EventService/',
    '@odata.type': '#EventService.v1_7_2.EventService',
    Subscriptions: link(`${SUBSCRIPTIONS}/`),
  },
  [`${ILO_MEDIUM}/`]: {
    '@odata.id': `${ILO_MEDIUM}/`,
    '@odata.etag': 'W/"14700DD6"',
    '@odata.type': '#VirtualMedia.v1_3_0.VirtualMedia',
    Id: '2',
    Image: '',
    Inserted: false,
    Oem: {
      Hpe: {
        Actions: {
          '#HpeiLOVirtualMedia.InsertVirtualMedia': {
            target: `${ILO_MEDIUM}/Actions/Oem/Hpe/HpeiLOVirtualMedia.InsertVirtualMedia/`,
          },
        },
      },
    },
  },
};

let folder: string;
let fleet: Fleet | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capture-'));
});
afterEach(async () => {
  await fleet?.close();
  fleet = undefined;
  await rm(folder, { recursive: true });
});

async function serve(capture: unknown): Promise<SimulatedBmc> {
  fleet = await startFleet({ profile: await loadCapture(await save(JSON.stringify(capture))) });
  return fleet.bmcs[0]!;
}

async function save(content: string): Promise<string> {
  const file = join(folder, 'capture.json');
  await writeFile(file, content);
  return file;
}

describe('a captured BMC', () => {
  test('returns every document as captured', async () => {
    const bmc = await serve(ILO);
    for (const [path, document] of Object.entries(ILO)) {
      expect((await call(bmc, 'GET', path)).json, path).toEqual(document);
    }
  });

  test('returns inline members at their own paths too, and an eject changes both', async () => {
    const bmc = await serve(INLINE);
    expect((await call(bmc, 'GET', `${MEDIA}/2`)).json).toEqual(INLINE[MEDIA]?.Members[1]);
    expect((await call(bmc, 'POST', `${MEDIA}/2/Actions/VirtualMedia.EjectMedia`)).status).toBe(204);
    expect((await call(bmc, 'GET', `${MEDIA}/2`)).json).toMatchObject({ Image: null, Inserted: false });
    const { Members } = (await call(bmc, 'GET', MEDIA)).json;
    expect(Members).toMatchObject([{ Inserted: true }, { Image: null, Inserted: false }]);
  });

  test('links to its services and virtual media', async () => {
    const bmc = await serve(INLINE);
    expect((await call(bmc, 'GET', '/redfish/v1')).json.EventService).toEqual(link('/redfish/v1/EventService'));
    expect((await call(bmc, 'GET', '/redfish/v1/Systems/1')).json.VirtualMedia).toEqual(link(MEDIA));
  });

  test('returns 404 to a log-in without a session service, and accepts Basic', async () => {
    const bmc = await serve(INLINE);
    const reply = await call(bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'p' } });
    expect([reply.status, messages(reply)]).toEqual([404, ['ResourceMissingAtURI']]);
    expect((await call(bmc, 'GET', '/redfish/v1/Systems', { auth: { token: 'x' } })).status).toBe(401);
    expect((await call(bmc, 'GET', '/redfish/v1/Systems')).status).toBe(200);
    expect([bmc.sessions, bmc.expireSessions()]).toEqual([[], 0]);
  });

  test('has linked collections of sessions and subscriptions that were not captured', async () => {
    const bmc = await serve(ILO);
    const { token } = await logIn(bmc);
    const auth = { token };
    expect((await call(bmc, 'GET', SESSIONS, { auth })).json.Members).toHaveLength(1);
    expect((await call(bmc, 'GET', SUBSCRIPTIONS, { auth })).json).toMatchObject({ Members: [] });
    const body = { Destination: 'https://events.example/x' };
    const created = await call(bmc, 'POST', `${SUBSCRIPTIONS}/`, { auth, body });
    expect([created.status, created.headers.get('Location')]).toEqual([201, `${SUBSCRIPTIONS}/1`]);
    expect((await call(bmc, 'GET', SUBSCRIPTIONS, { auth })).json.Members).toEqual([link(`${SUBSCRIPTIONS}/1`)]);
    expect((await call(bmc, 'DELETE', `${SUBSCRIPTIONS}/1/`, { auth })).status).toBe(204);
  });

  test('PATCH inserts and ejects in a device without actions, renews its ETag, and restores its empty Image', async () => {
    const bmc = await serve(ILO);
    const etag = async () => (await call(bmc, 'GET', ILO_MEDIUM)).headers.get('ETag')!;
    expect(await etag()).toBe('W/"14700DD6"');
    const image = 'https://images.example/b.iso';
    const inserted = await call(bmc, 'PATCH', ILO_MEDIUM, {
      body: { Image: image },
      headers: { 'If-Match': await etag() },
    });
    expect(inserted.json).toMatchObject({ Image: image, Inserted: true });
    expect(inserted.json['@odata.etag']).toBe(await etag());
    expect(await etag()).toMatch(/^W\/"[0-9A-F]{8}"$/);
    expect(await etag()).not.toBe('W/"14700DD6"');
    const ejected = await call(bmc, 'PATCH', ILO_MEDIUM, { body: { Image: null, Inserted: false } });
    expect(ejected.json).toMatchObject({ Image: '', Inserted: false });
  });

  test('Inserted: false alone ejects; an unknown property gets 400', async () => {
    const bmc = await serve(ILO);
    await call(bmc, 'PATCH', ILO_MEDIUM, { body: { Image: 'https://images.example/b.iso' } });
    const ejected = await call(bmc, 'PATCH', ILO_MEDIUM, { body: { Inserted: false } });
    expect(ejected.json).toMatchObject({ Image: '', Inserted: false });
    expect(messages(await call(bmc, 'PATCH', ILO_MEDIUM, { body: { Id: '3' } }))).toEqual(['PropertyNotWritable']);
    expect(messages(await call(bmc, 'PATCH', ILO_MEDIUM, { body: { Hue: '3' } }))).toEqual(['PropertyUnknown']);
  });

  test('runs a vendor action with a standard equivalent', async () => {
    const bmc = await serve(ILO);
    const target = ILO[`${ILO_MEDIUM}/`]!.Oem.Hpe.Actions['#HpeiLOVirtualMedia.InsertVirtualMedia'].target;
    const image = 'https://images.example/b.iso';
    expect((await call(bmc, 'POST', target, { body: { Image: image } })).status).toBe(204);
    expect((await call(bmc, 'GET', ILO_MEDIUM)).json.Image).toBe(image);
  });

  test('sends a test event to a subscription that a client made, and to none of its own', async () => {
    const target = '/redfish/v1/EventService/Actions/EventService.SubmitTestEvent';
    const service = { ...INLINE['/redfish/v1/EventService'], Actions: { '#EventService.SubmitTestEvent': { target } } };
    await using receiver = await startReceiver();
    await using captured = await startReceiver();
    const own = { '@odata.id': `${SUBSCRIPTIONS}/1`, Id: '1', Destination: captured.url };
    const collection = { '@odata.id': SUBSCRIPTIONS, Members: [{ '@odata.id': `${SUBSCRIPTIONS}/1` }] };
    const bmc = await serve({
      ...INLINE,
      '/redfish/v1/EventService': service,
      [SUBSCRIPTIONS]: collection,
      [`${SUBSCRIPTIONS}/1`]: own,
    });
    await call(bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: receiver.url } });
    expect((await call(bmc, 'POST', target, { body: { MessageId: 'Vendor.1.0.Test' } })).status).toBe(204);
    await bmc.events.idle();
    expect(captured.posts).toEqual([]);
    expect(receiver.posts.map(({ json }) => json.Events[0].MessageId)).toEqual(['Vendor.1.0.Test']);
  });

  test('returns 400 to an action that is not simulated', async () => {
    const target = '/redfish/v1/EventService/Actions/EventService.TestEventSubscription';
    const actions = { '#EventService.TestEventSubscription': { target } };
    const service = { ...INLINE['/redfish/v1/EventService'], Actions: actions };
    const bmc = await serve({ ...INLINE, '/redfish/v1/EventService': service });
    const reply = await call(bmc, 'POST', target, { body: { MessageId: 'x' } });
    expect([reply.status, messages(reply)]).toEqual([400, ['ActionNotSupported']]);
  });
});

describe('loadCapture rejects an invalid file with its name and the reason', () => {
  test.each([
    ['{bad', /JSON/],
    ['[]', /not a JSON object/],
    ['{"/redfish/v1": 1}', /the document at \/redfish\/v1 is not/],
    ['{"/redfish/v1": {}, "/etc/passwd": {}}', /\/etc\/passwd is not a path/],
    ['{"/redfish/v1/Systems": {}}', /the service root/],
  ])('%s', async (content, reason) => {
    const file = await save(content);
    const error = await loadCapture(file).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'invalid_argument', message: expect.stringContaining(file) });
    expect((error as Error).message).toMatch(reason);
  });

  test('a missing file', async () => {
    await expect(loadCapture(join(folder, 'none.json'))).rejects.toMatchObject({ kind: 'invalid_argument' });
  });
});
