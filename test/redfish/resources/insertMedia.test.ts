import { expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { createRedfishClients, insertMedia, type Medium } from '../../../src/redfish/index.ts';
import { PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { slowInserts } from '../../../src/sim/quirks/mediaInserts.ts';
import { devicesAt } from '../machines/furnish.ts';
import { failure, forever, target } from '../target.ts';
import { deviceAt, link, MANAGER, machine, mediaUnder, refusal, SYSTEM, startMachine } from './machine.ts';

const IMAGE = 'https://images.example/boot.iso';
const CD = ['CD', 'DVD'];

const medium = (more: Partial<Medium> = {}): Medium => ({
  image: IMAGE,
  transferProtocol: null,
  transferMethod: null,
  writeProtected: true,
  credentials: { username: null, password: null },
  ...more,
});

type Options = Partial<Parameters<typeof insertMedia>[3]>;
const options = (more: Options = {}) => ({
  mediaTypes: CD,
  ifInserted: 'refuse' as const,
  confirmMs: 2000,
  progress: () => undefined,
  ...more,
});

/** Starts a simulated BMC, of the plain profile unless given, and returns what a call needs. */
async function simulated(quirks: string[] = [], profile = 'plain') {
  const known = quirks.map((name) => (name === 'insert-slow' ? slowInserts(1) : QUIRKS.get(name)!));
  const fleet = await startFleet({ profile: PROFILES.get(profile)!, quirks: known });
  const clients = createRedfishClients();
  onTestFinished(async () => {
    await clients.close();
    await fleet.close();
  });
  const bmc = fleet.bmcs[0]!;
  const client = clients.for(target(bmc.url), { signal: forever });
  return { bmc, client };
}

/** Puts `image` into every device; null empties them. */
function fill(bmc: SimulatedBmc, profile: string, image: string | null): void {
  for (const { path } of devicesAt(bmc, profile)) {
    const via = image === null ? 'NotConnected' : 'URI';
    bmc.documents.set(path, { ...bmc.documents.get(path), Inserted: image !== null, Image: image, ConnectedVia: via });
  }
}

/** Answers InsertMedia and PATCH of an empty device of a scripted BMC. */
function insertOnly(status = 204): Parameters<typeof startMachine>[1] {
  return ({ method, path, body }, tree) => {
    if (method !== 'POST' || !path.endsWith('InsertMedia')) return undefined;
    const device = path.replace(/\/Actions.*/, '');
    tree[device] = { ...tree[device], Inserted: true, Image: JSON.parse(body).Image };
    return { status };
  };
}

const withInsert = (path: string, more: JsonObject = {}) =>
  deviceAt(path, {
    Inserted: false,
    Image: null,
    Actions: {
      '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` },
      '#VirtualMedia.InsertMedia': { target: `${path}/Actions/VirtualMedia.InsertMedia` },
    },
    ...more,
  });

/** A machine whose system has the given devices. */
const tree = (...devices: JsonObject[]) => {
  const ids = devices.map(({ Id }) => String(Id));
  return machine({
    [SYSTEM]: {
      ...link(SYSTEM),
      Id: '1',
      VirtualMedia: link(`${SYSTEM}/VirtualMedia`),
      Links: { ManagedBy: [link(MANAGER)] },
    },
    ...mediaUnder(SYSTEM, ...ids),
    ...Object.fromEntries(devices.map((device) => [String(device['@odata.id']), device])),
  });
};
const slot = (id: string) => `${SYSTEM}/VirtualMedia/${id}`;

test.each([...PROFILES.keys()])('an image is inserted on the profile %s, and shown by the device', async (profile) => {
  const { bmc, client } = await simulated([], profile);
  fill(bmc, profile, null);
  const result = await insertMedia(client, null, medium(), options());
  expect(result).toMatchObject({ outcome: 'inserted', replaced: false, refused: [] });
  expect(bmc.documents.get(result.slot.path.replace(/\/$/, ''))).toMatchObject({ Image: IMAGE, Inserted: true });
});

test.each([...PROFILES.keys()])('an image is replaced on the profile %s', async (profile) => {
  const { bmc, client } = await simulated([], profile);
  fill(bmc, profile, 'http://images.example/old.iso');
  const result = await insertMedia(client, null, medium(), options({ ifInserted: 'replace' }));
  expect(result).toMatchObject({ outcome: 'inserted', replaced: true });
  expect(bmc.documents.get(result.slot.path.replace(/\/$/, ''))).toMatchObject({ Image: IMAGE, Inserted: true });
  // Only one was ejected, which XCC shows twice.
  const now = devicesAt(bmc, profile).filter(
    ({ path }) => bmc.documents.get(path)?.Image !== 'http://images.example/old.iso',
  );
  expect(new Set(now.map(({ id }) => id)).size).toBe(1);
});

test.each([
  'insert-refuses-flags',
  'insert-wants-protocol',
  'insert-wants-method',
  'insert-wants-credentials',
  'insert-refused-while-full',
  'image-without-scheme',
  'image-hidden',
  'insert-slow',
  'tasks',
  'dvd-only',
  'cd-and-usb-in-one',
  'media-under-manager',
  'media-under-both',
  'inline-media',
  'no-media-actions',
])('an image is inserted although the BMC has the quirk %s', async (quirk) => {
  const { bmc, client } = await simulated([quirk]);
  fill(bmc, 'plain', null);
  const { outcome, slot: found } = await insertMedia(client, null, medium(), options());
  expect(outcome).toBe('inserted');
  expect(bmc.documents.get(found.path)).toMatchObject({ Image: IMAGE, Inserted: true });
});

test.each(['insert-refused-by-first-slot', 'insert-405-in-first-slot', 'dead-slot'])(
  'the next device is used where the BMC has the quirk %s, and the first is named',
  async (quirk) => {
    const { bmc, client } = await simulated([quirk], 'xcc');
    fill(bmc, 'xcc', null);
    const { slot: found, refused } = await insertMedia(client, null, medium(), options());
    expect(bmc.documents.get(found.path)).toMatchObject({ Image: IMAGE });
    if (quirk !== 'dead-slot') expect(refused[0]!.slot.id).toBe('EXT1');
  },
);

test('only the image is sent where the BMC asks for no more', async () => {
  const { client, bmc } = await startMachine(tree(withInsert(slot('CD'))), insertOnly());
  await insertMedia(client, SYSTEM, medium(), options());
  expect(bmc.requests.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body))).toEqual([
    { Image: IMAGE },
  ]);
});

test('what the caller gave is sent', async () => {
  const { client, posts } = await startMachine(tree(withInsert(slot('CD'))), insertOnly());
  const given = {
    transferProtocol: 'CIFS',
    transferMethod: 'Upload',
    writeProtected: false,
    credentials: { username: 'u1', password: 'p1' },
  };
  await insertMedia(client, SYSTEM, medium(given), options());
  expect(posts()).toEqual([
    {
      Image: IMAGE,
      TransferProtocolType: 'CIFS',
      TransferMethod: 'Upload',
      UserName: 'u1',
      Password: 'p1',
      WriteProtected: false,
    },
  ]);
});

test('a device that contains the image already is left as it is', async () => {
  const { client, bmc } = await startMachine(
    tree(withInsert(slot('CD'), { Inserted: true, Image: 'HTTPS://images.example:443/boot.iso' })),
  );
  expect(await insertMedia(client, SYSTEM, medium(), options())).toMatchObject({ outcome: 'unchanged' });
  expect(bmc.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('another image is not replaced unless asked for, and is named without its secrets', async () => {
  const image = 'http://u:s3cret@images.example/other.iso';
  const { client, bmc } = await startMachine(tree(withInsert(slot('CD'), { Inserted: true, Image: image })));
  const error = await failure(insertMedia(client, SYSTEM, medium(), options()));
  expect(error.kind).toBe('occupied');
  expect(error.message).toContain('CD contains http://******@images.example/other.iso');
  expect(error.message).not.toContain('s3cret');
  expect(bmc.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('no image is ejected for one that an empty device refuses', async () => {
  const full = withInsert(slot('DVD'), { Inserted: true, Image: 'http://elsewhere.example/else.iso' });
  const { client, posts } = await startMachine(tree(withInsert(slot('CD')), full), ({ method }) =>
    method === 'POST' ? refusal(400, { MessageId: 'Oem.1.0.Refused', Message: 'No such host.' }) : undefined,
  );
  const error = await failure(insertMedia(client, SYSTEM, medium(), options({ ifInserted: 'replace' })));
  expect(error.message).toContain('No such host.');
  expect(posts()).toEqual([expect.objectContaining({ Image: IMAGE })]);
});

test('an insert whose response is lost has succeeded where the device shows the image', async () => {
  const { client, posts } = await startMachine(tree(withInsert(slot('CD'))), (request, now) => {
    const done = insertOnly()!(request, now);
    if (done === undefined) return undefined;
    request.socket.destroy();
    return null;
  });
  expect(await insertMedia(client, SYSTEM, medium(), options())).toMatchObject({ outcome: 'inserted' });
  expect(posts()).toHaveLength(1);
});

test('an insert whose response is lost is of unknown outcome where the device is empty, and is not sent again', async () => {
  const { client, posts } = await startMachine(
    tree(withInsert(slot('CD')), withInsert(slot('DVD'))),
    ({ method, socket }) => {
      if (method !== 'POST') return undefined;
      socket.destroy();
      return null;
    },
  );
  const error = await failure(insertMedia(client, SYSTEM, medium(), options()));
  expect(error.kind).toBe('outcome-unknown');
  expect(error.message).toContain('CD is empty now, and the BMC may still insert the image; check before repeating');
  expect(posts()).toHaveLength(1);
});

test('an accepted insert that the device never shows is of unknown outcome', async () => {
  const { client, posts } = await startMachine(tree(withInsert(slot('CD'))), ({ method }) =>
    method === 'POST' ? { status: 204 } : undefined,
  );
  const error = await failure(insertMedia(client, SYSTEM, medium(), options({ confirmMs: 300 })));
  expect(error.kind).toBe('outcome-unknown');
  expect(error.message).toContain('The BMC accepted the insert, but 0.3 s later CD: it is empty now');
  expect(posts()).toHaveLength(1);
});

test('an accepted insert after which the device contains something else is no success', async () => {
  const { client } = await startMachine(tree(withInsert(slot('CD'))), ({ method, path }, now) => {
    if (method !== 'POST') return undefined;
    const device = path.replace(/\/Actions.*/, '');
    now[device] = { ...now[device], Inserted: true, Image: 'http://elsewhere.example/else.iso' };
    return { status: 204 };
  });
  const error = await failure(insertMedia(client, SYSTEM, medium(), options({ confirmMs: 300 })));
  expect(error.message).toContain('CD: it contains another image');
});

test('a task that fails is told with its messages, and no other device is tried', async () => {
  const { client, posts } = await startMachine(
    tree(withInsert(slot('CD')), withInsert(slot('DVD'))),
    ({ method, path }) => {
      if (method === 'POST') return { status: 202, headers: { location: '/redfish/v1/TaskService/Tasks/1' } };
      if (!path.endsWith('/Tasks/1')) return undefined;
      return { status: 200, body: { TaskState: 'Exception', Messages: [{ Message: 'The image cannot be fetched.' }] } };
    },
  );
  const error = await failure(insertMedia(client, SYSTEM, medium(), options()));
  expect(error.message).toContain('The image cannot be fetched.');
  expect(posts()).toHaveLength(1);
});

test('an image that no device takes fails with the first refusal, and names the others', async () => {
  const { client } = await startMachine(tree(withInsert(slot('CD')), withInsert(slot('DVD'))), ({ method, path }) => {
    if (method !== 'POST') return undefined;
    const message = path.includes('/CD/') ? 'No such host.' : 'For local media only.';
    return refusal(400, { MessageId: 'Oem.1.0.Refused', Message: message });
  });
  const error = await failure(insertMedia(client, SYSTEM, medium(), options()));
  expect(error.kind).toBe('refused');
  expect(error.message).toMatch(/No such host\..*DVD: .*For local media only\./);
});

test.each([
  [401, 'auth'],
  [500, 'failed'],
])('after a %i no other device is tried', async (status, kind) => {
  const { client, posts } = await startMachine(tree(withInsert(slot('CD')), withInsert(slot('DVD'))), ({ method }) =>
    method === 'POST' ? { status } : undefined,
  );
  expect((await failure(insertMedia(client, SYSTEM, medium(), options()))).kind).toBe(kind);
  expect(posts().length).toBeLessThanOrEqual(2);
});

test('credentials are redacted where the BMC quotes them', async () => {
  const credentials = { username: 'u-secret-1', password: 'p-secret-2' };
  const { client } = await startMachine(tree(withInsert(slot('CD'))), ({ method, body }) =>
    method === 'POST' ? refusal(400, { Message: `cannot take ${body}` }) : undefined,
  );
  const quiet = client.with({ secrets: Object.values(credentials) });
  const error = await failure(insertMedia(quiet, SYSTEM, medium({ credentials }), options()));
  expect(JSON.stringify([error.message, error.extendedInfo])).not.toMatch(/secret-[12]/);
});

test('an account that is wrong for the image is not replaced by another', async () => {
  const { client, posts } = await startMachine(tree(withInsert(slot('CD'))), ({ method }) =>
    method === 'POST' ? refusal(400, { Message: 'The UserName or Password of the image server is wrong.' }) : undefined,
  );
  await failure(insertMedia(client, SYSTEM, medium(), options()));
  expect(posts()).toHaveLength(1);
});

test('a BMC without a device of the kind says so', async () => {
  const { client } = await startMachine(tree(withInsert(slot('CD'))));
  const error = await failure(insertMedia(client, SYSTEM, medium(), options({ mediaTypes: ['Floppy'] })));
  expect(error.kind).toBe('unsupported');
  expect(error.message).toContain('no virtual media device for Floppy; it has CD (CD, DVD)');
});

test('a device without the action that allows no PATCH is skipped, and the call says that none takes images', async () => {
  const { client } = await startMachine(tree(deviceAt(slot('CD'), { Inserted: false, Image: null, Actions: {} })));
  const error = await failure(insertMedia(client, SYSTEM, medium(), options()));
  expect(error.kind).toBe('unsupported');
  expect(error.message).toContain('The BMC supports no insert into CD');
});
