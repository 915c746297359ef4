import { expect, test } from 'vitest';
import { lingeringMedia } from '../../src/sim/quirks/mediaActions.ts';
import { CD, call, messages, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const MANAGER = '/redfish/v1/Managers/BMC';
const EJECT = 'Actions/VirtualMedia.EjectMedia';
const INSERT = 'Actions/VirtualMedia.InsertMedia';
const image = { Image: 'http://images.example/a.iso' };

test('iLO, Supermicro, OpenBMC: virtual media are under the manager only, and work there', async () => {
  await using one = await bmcWith(['media-under-manager']);
  expect((await call(one.bmc, 'GET', SYSTEM)).json).not.toHaveProperty('VirtualMedia');
  expect((await call(one.bmc, 'GET', CD)).status).toBe(404);
  const { VirtualMedia: link } = (await call(one.bmc, 'GET', MANAGER)).json;
  const { Members: members } = (await call(one.bmc, 'GET', link['@odata.id'])).json;
  expect(members[1]).toEqual({ '@odata.id': `${MANAGER}/VirtualMedia/CD1` });
  const target = (await call(one.bmc, 'GET', members[1]['@odata.id'])).json.Actions['#VirtualMedia.EjectMedia'].target;
  expect((await call(one.bmc, 'POST', target)).status).toBe(204);
  expect((await call(one.bmc, 'GET', members[1]['@odata.id'])).json.Inserted).toBe(false);
});

test('iDRAC 9: virtual media are under the system only', async () => {
  await using one = await bmcWith(['media-under-manager', 'media-under-system']);
  expect((await call(one.bmc, 'GET', MANAGER)).json).not.toHaveProperty('VirtualMedia');
  expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(true);
});

test('XCC: the same device is under system and manager, and a change affects both', async () => {
  await using one = await bmcWith(['media-under-both']);
  const twin = `${MANAGER}/VirtualMedia/CD1`;
  await call(one.bmc, 'POST', `${CD}/${EJECT}`);
  expect((await call(one.bmc, 'GET', twin)).json).toMatchObject({ '@odata.id': twin, Inserted: false });
  await call(one.bmc, 'PATCH', twin, { body: image });
  expect((await call(one.bmc, 'GET', CD)).json).toMatchObject({ '@odata.id': CD, ...image, Inserted: true });
  expect((await call(one.bmc, 'GET', `${MANAGER}/VirtualMedia/Floppy1`)).json.Inserted).toBe(true);
});

test('without virtual media there is no link to them', async () => {
  await using one = await bmcWith(['no-virtual-media']);
  expect((await call(one.bmc, 'GET', SYSTEM)).text).not.toContain('VirtualMedia');
  expect((await call(one.bmc, 'GET', `${SYSTEM}/VirtualMedia`)).status).toBe(404);
});

test('GB300: of several managers the first has no virtual media', async () => {
  await using one = await bmcWith(['media-under-manager', 'several-managers']);
  const { Members: managers } = (await call(one.bmc, 'GET', '/redfish/v1/Managers')).json;
  expect(managers).toHaveLength(2);
  const documents = await Promise.all(
    managers.map(async (manager: { '@odata.id': string }) => (await call(one.bmc, 'GET', manager['@odata.id'])).json),
  );
  expect(documents.map((document) => 'VirtualMedia' in document)).toEqual([false, true]);
  expect((await call(one.bmc, 'GET', SYSTEM)).json.Links.ManagedBy).toEqual(managers);
});

test('Cisco UCS: the CD device has the media type DVD only', async () => {
  await using one = await bmcWith(['dvd-only']);
  expect((await call(one.bmc, 'GET', CD)).json.MediaTypes).toEqual(['DVD']);
  expect((await call(one.bmc, 'GET', `${SYSTEM}/VirtualMedia/Floppy1`)).json.MediaTypes).toEqual([
    'Floppy',
    'USBStick',
  ]);
});

test('GB300: the only device has the media types CD and USBStick', async () => {
  await using one = await bmcWith(['cd-and-usb-in-one']);
  expect((await call(one.bmc, 'GET', `${SYSTEM}/VirtualMedia`)).json.Members).toEqual([{ '@odata.id': CD }]);
  expect((await call(one.bmc, 'GET', CD)).json.MediaTypes).toEqual(['CD', 'USBStick']);
});

test('Cisco C845A M8: one slot has an image and no actions, and returns 405 to PATCH', async () => {
  await using one = await bmcWith(['dead-slot']);
  const { Members: members } = (await call(one.bmc, 'GET', `${SYSTEM}/VirtualMedia`)).json;
  const path = members.at(-1)['@odata.id'];
  const slot = (await call(one.bmc, 'GET', path)).json;
  expect(slot).toMatchObject({ Inserted: true });
  expect(slot).not.toHaveProperty('Actions');
  const refused = await call(one.bmc, 'PATCH', path, { body: { Image: null } });
  expect([refused.status, refused.headers.get('Allow')]).toEqual([405, 'GET, HEAD']);
  expect((await call(one.bmc, 'PATCH', CD, { body: { Image: null } })).status).toBe(200);
});

test('old XCC: a device exists only while it holds an image', async () => {
  await using one = await bmcWith(['media-listed-while-inserted']);
  const listed = async () => (await call(one.bmc, 'GET', `${SYSTEM}/VirtualMedia`)).json;
  expect((await listed())['Members@odata.count']).toBe(2);
  await call(one.bmc, 'POST', `${CD}/${EJECT}`);
  expect(await listed()).toMatchObject({
    Members: [{ '@odata.id': `${SYSTEM}/VirtualMedia/Floppy1` }],
    'Members@odata.count': 1,
  });
  expect((await call(one.bmc, 'GET', CD)).status).toBe(404);
});

test('captured iDRAC 9: the collection holds the current devices', async () => {
  await using one = await bmcWith(['inline-media']);
  const inserted = async () =>
    (await call(one.bmc, 'GET', `${SYSTEM}/VirtualMedia`)).json.Members.map(
      ({ Inserted }: { Inserted: boolean }) => Inserted,
    );
  expect(await inserted()).toEqual([true, true]);
  await call(one.bmc, 'POST', `${CD}/${EJECT}`);
  expect(await inserted()).toEqual([true, false]);
});

test.each([
  ['eject-wants-object-400', 400],
  ['eject-wants-object-415', 415],
] as const)('HPE iLO (%s): an eject without a body is refused, {} ejects', async (name, status) => {
  await using one = await bmcWith([name]);
  expect((await call(one.bmc, 'POST', `${CD}/${EJECT}`)).status).toBe(status);
  expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(true);
  expect((await call(one.bmc, 'POST', `${CD}/${EJECT}`, { body: {} })).status).toBe(204);
  expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(false);
});

test('Lenovo XCC: no actions; PATCH ejects with the ETag, gets 428 without and 412 with an old one', async () => {
  await using one = await bmcWith(['no-media-actions', 'if-match-wanted']);
  const read = await call(one.bmc, 'GET', CD);
  expect(read.json).not.toHaveProperty('Actions');
  expect((await call(one.bmc, 'POST', `${CD}/${EJECT}`)).status).toBe(404);
  const body = { Image: null, Inserted: false };
  const bare = await call(one.bmc, 'PATCH', CD, { body });
  expect([bare.status, messages(bare)]).toEqual([428, ['PreconditionRequired']]);
  expect((await call(one.bmc, 'PATCH', CD, { body, headers: { 'If-Match': '"old"' } })).status).toBe(412);
  const etag = read.headers.get('ETag')!;
  expect((await call(one.bmc, 'PATCH', CD, { body, headers: { 'If-Match': etag } })).json.Inserted).toBe(false);
});

test('iDRAC: a device reports Inserted: true for a while after its eject, unless an insert follows', async () => {
  await using one = await bmcWith([lingeringMedia(2)]);
  const inserted = async () => (await call(one.bmc, 'GET', CD)).json.Inserted;
  expect((await call(one.bmc, 'POST', `${CD}/${EJECT}`)).status).toBe(204);
  expect([await inserted(), await inserted(), await inserted()]).toEqual([true, true, false]);
  await call(one.bmc, 'POST', `${CD}/${EJECT}`);
  await call(one.bmc, 'POST', `${CD}/${INSERT}`, { body: image });
  for (let read = 0; read < 4; read++) expect(await inserted()).toBe(true);
});

test('Supermicro X11: InsertMedia refuses Inserted and WriteProtected', async () => {
  await using one = await bmcWith(['insert-refuses-flags']);
  const flagged = await call(one.bmc, 'POST', `${CD}/${INSERT}`, { body: { ...image, Inserted: true } });
  expect([flagged.status, messages(flagged)]).toEqual([400, ['ActionParameterUnknown']]);
  expect((await call(one.bmc, 'POST', `${CD}/${INSERT}`, { body: image })).status).toBe(204);
});

test('Cisco C845A M8: InsertMedia requires TransferProtocolType, and names it in MessageArgs only', async () => {
  await using one = await bmcWith(['insert-wants-protocol']);
  const refused = await call(one.bmc, 'POST', `${CD}/${INSERT}`, { body: image });
  const [info] = refused.json.error['@Message.ExtendedInfo'];
  expect([refused.status, info.MessageArgs[1], info.RelatedProperties]).toEqual([
    400,
    'TransferProtocolType',
    undefined,
  ]);
  const body = { ...image, TransferProtocolType: 'HTTP' };
  expect((await call(one.bmc, 'POST', `${CD}/${INSERT}`, { body })).status).toBe(204);
});
