import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Fleet, SimulatedBmc } from '../../src/sim/index.ts';
import { startFleet } from '../../src/sim/index.ts';
import { CD, call, messages, SUBSCRIPTIONS, SYSTEM } from './client.ts';

let fleet: Fleet;
let bmc: SimulatedBmc;
beforeEach(async () => {
  fleet = await startFleet();
  bmc = fleet.bmcs[0]!;
});
afterEach(() => fleet.close());

describe('documents', () => {
  test('every link leads to a document', async () => {
    const seen = new Set<string>(['/redfish/v1/']);
    for (const path of seen) {
      const reply = await call(bmc, 'GET', path);
      expect(reply.status, path).toBe(200);
      for (const [, link] of reply.text.matchAll(/"@odata\.id":"([^"]+)"/g)) seen.add(link!);
    }
    expect(seen.size).toBeGreaterThan(20);
  });

  test('the collection of subscriptions equals the recorded one', async () => {
    expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json).toEqual({
      '@odata.id': SUBSCRIPTIONS,
      '@odata.type': '#EventDestinationCollection.EventDestinationCollection',
      Name: 'Event Subscriptions Collection',
      Members: ['1', '2', '3', '4'].map((id) => ({ '@odata.id': `${SUBSCRIPTIONS}/${id}` })),
      'Members@odata.count': 4,
    });
  });

  test('subscription 1 equals the recorded one', async () => {
    expect((await call(bmc, 'GET', `${SUBSCRIPTIONS}/1`)).json).toEqual({
      '@odata.id': `${SUBSCRIPTIONS}/1`,
      '@odata.type': '#EventDestination.v1_13_0.EventDestination',
      Id: '1',
      Name: 'EventSubscription 1',
      Destination: 'http://www.dnsname.com/Destination1',
      EventTypes: ['Alert'],
      Context: 'WebUser3',
      Protocol: 'Redfish',
    });
  });

  test.each([`${SYSTEM}/`, `${SYSTEM}//`, `${SYSTEM}?$select=Id`, SYSTEM.replace('437', '%34%33%37')])(
    '%s is the system',
    async (path) => {
      expect((await call(bmc, 'GET', path)).json.SerialNumber).toBe('437XR1138R2');
    },
  );

  test.each([
    '/redfish/v1/Nowhere',
    `${SUBSCRIPTIONS}/1%2f..%2f2`,
    `${SUBSCRIPTIONS}/%zz`,
    '/redfish/v1/__proto__',
    '/',
  ])('%s gets 404 with a Redfish error', async (path) => {
    const reply = await call(bmc, 'GET', path);
    expect(reply.status).toBe(404);
    expect(messages(reply)).toEqual(['ResourceMissingAtURI']);
    expect(reply.json.error).toMatchObject({ code: expect.stringMatching(/^Base\.1\.\d+\.ResourceMissingAtURI$/) });
  });

  test('HEAD gets the response of GET without body', async () => {
    const get = await call(bmc, 'GET', SYSTEM);
    const head = await call(bmc, 'HEAD', SYSTEM);
    expect([head.status, head.text]).toEqual([200, '']);
    expect(head.headers.get('ETag')).toBe(get.headers.get('ETag'));
    expect(head.headers.get('Content-Length')).toBe(get.headers.get('Content-Length'));
    expect(get.headers.get('OData-Version')).toBe('4.0');
  });

  test.each([
    ['PUT', SYSTEM, 'GET, HEAD, PATCH'],
    ['DELETE', '/redfish/v1/Systems', 'GET, HEAD'],
    ['DELETE', SUBSCRIPTIONS, 'GET, HEAD, POST'],
    ['PUT', `${SUBSCRIPTIONS}/1`, 'GET, HEAD, PATCH, DELETE'],
    ['GET', `${CD}/Actions/VirtualMedia.EjectMedia`, 'POST'],
  ])('%s %s gets 405 with Allow: %s', async (method, path, allow) => {
    const reply = await call(bmc, method, path);
    expect(reply.status).toBe(405);
    expect(reply.headers.get('Allow')).toBe(allow);
  });

  test('an OData-Version other than 4.0 gets 412', async () => {
    expect((await call(bmc, 'GET', SYSTEM, { headers: { 'OData-Version': '4.1' } })).status).toBe(412);
    expect((await call(bmc, 'GET', SYSTEM, { headers: { 'OData-Version': '4.0' } })).status).toBe(200);
  });
});

describe('subscriptions', () => {
  const good = { Destination: 'https://events.example/x', Protocol: 'Redfish', Context: '', EventTypes: ['Alert'] };

  test('create returns 201 with Location and document without secrets, and delete removes it', async () => {
    const created = await call(bmc, 'POST', SUBSCRIPTIONS, {
      body: { ...good, HttpHeaders: [{ 'X-Auth': 'top-secret' }] },
    });
    expect(created.status).toBe(201);
    expect(created.headers.get('Location')).toBe(`${SUBSCRIPTIONS}/5`);
    expect(created.json).toMatchObject({ ...good, Id: '5', '@odata.id': `${SUBSCRIPTIONS}/5`, HttpHeaders: null });
    expect((await call(bmc, 'GET', `${SUBSCRIPTIONS}/5`)).json).toEqual(created.json);
    expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json['Members@odata.count']).toBe(5);
    expect(JSON.stringify(bmc.requests)).not.toContain('top-secret');

    expect((await call(bmc, 'DELETE', `${SUBSCRIPTIONS}/5`)).status).toBe(204);
    expect((await call(bmc, 'GET', `${SUBSCRIPTIONS}/5`)).status).toBe(404);
    const again = await call(bmc, 'DELETE', `${SUBSCRIPTIONS}/5`);
    expect([again.status, messages(again)]).toEqual([404, ['ResourceMissingAtURI']]);
    expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
  });

  test('an Id is not reused, and a destination may be', async () => {
    const first = await call(bmc, 'POST', SUBSCRIPTIONS, { body: good });
    await call(bmc, 'DELETE', `${SUBSCRIPTIONS}/${first.json.Id}`);
    const second = await call(bmc, 'POST', `${SUBSCRIPTIONS}/Members`, { body: good });
    const third = await call(bmc, 'POST', `${SUBSCRIPTIONS}/`, { body: good });
    expect([first.json.Id, second.json.Id, third.json.Id]).toEqual(['5', '6', '7']);
  });

  test('missing properties get their defaults', async () => {
    const reply = await call(bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: 'https://events.example/x' } });
    expect(reply.json).toMatchObject({ Context: '', Protocol: 'Redfish' });
  });

  test.each([
    [{}, 'PropertyMissing', 'Destination'],
    [{ Destination: 'nope' }, 'PropertyValueFormatError', 'Destination'],
    [{ Destination: '/redfish/v1' }, 'PropertyValueFormatError', 'Destination'],
    [{ Destination: 7 }, 'PropertyValueTypeError', 'Destination'],
    [{ ...good, Protocol: 'Pigeon' }, 'PropertyValueNotInList', 'Protocol'],
    [{ ...good, EventTypes: ['Bogus'] }, 'PropertyValueNotInList', 'EventTypes'],
    [{ ...good, EventTypes: 'Alert' }, 'PropertyValueTypeError', 'EventTypes'],
    [{ ...good, HttpHeaders: ['a-secret'] }, 'PropertyValueTypeError', 'HttpHeaders'],
    [{ ...good, Flavour: 'x' }, 'PropertyUnknown', 'Flavour'],
  ])('%j gets 400 %s for %s, and creates nothing', async (body, message, property) => {
    const reply = await call(bmc, 'POST', SUBSCRIPTIONS, { body });
    expect(reply.status).toBe(400);
    expect(messages(reply)).toEqual([message]);
    expect(reply.json.error['@Message.ExtendedInfo'][0].RelatedProperties).toEqual([`#/${property}`]);
    expect(reply.text).not.toContain('a-secret');
    expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
  });

  test('several errors are reported together', async () => {
    const reply = await call(bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: 'nope', Flavour: 1 } });
    expect(messages(reply)).toEqual(['PropertyValueFormatError', 'PropertyUnknown']);
    expect(reply.json.error.code).toMatch(/GeneralError$/);
  });

  test.each([
    ['{bad', 'MalformedJSON'],
    ['', 'MalformedJSON'],
    ['[1]', 'UnrecognizedRequestBody'],
  ])('the body %j gets 400 %s', async (body, message) => {
    const reply = await call(bmc, 'POST', SUBSCRIPTIONS, { body });
    expect([reply.status, messages(reply)]).toEqual([400, [message]]);
  });

  test('a body over 1 MiB gets 413', async () => {
    const reply = await call(bmc, 'POST', SUBSCRIPTIONS, { body: { ...good, Context: 'x'.repeat(1024 * 1024) } });
    expect([reply.status, messages(reply)]).toEqual([413, ['PayloadTooLarge']]);
  });
});

describe('virtual media', () => {
  const eject = `${CD}/Actions/VirtualMedia.EjectMedia`;
  const insert = `${CD}/Actions/VirtualMedia.InsertMedia`;

  test.each([undefined, {}])('EjectMedia with body %j ejects, and accepts an empty device', async (body) => {
    expect((await call(bmc, 'POST', eject, { body })).status).toBe(204);
    expect((await call(bmc, 'GET', CD)).json).toMatchObject({
      Inserted: false,
      Image: null,
      ImageName: null,
      ConnectedVia: 'NotConnected',
    });
    expect((await call(bmc, 'GET', CD.replace('CD1', 'Floppy1'))).json.Inserted).toBe(true);
    expect((await call(bmc, 'POST', eject, { body })).status).toBe(204);
  });

  test('InsertMedia inserts the image and does not keep the password', async () => {
    await call(bmc, 'POST', eject);
    const reply = await call(bmc, 'POST', insert, {
      body: { Image: 'https://images.example/a/b.iso?x=1', UserName: 'x', Password: 'top-secret' },
    });
    expect(reply.status).toBe(204);
    const device = await call(bmc, 'GET', CD);
    expect(device.json).toMatchObject({
      Inserted: true,
      Image: 'https://images.example/a/b.iso?x=1',
      ImageName: 'b.iso',
      ConnectedVia: 'URI',
      WriteProtected: true,
    });
    expect(device.text + JSON.stringify(bmc.requests)).not.toContain('top-secret');
  });

  test.each([
    [{}, 'ActionParameterMissing'],
    [{ Image: '' }, 'ActionParameterMissing'],
    [{ Image: 5 }, 'ActionParameterValueTypeError'],
    [{ Image: 'x', Colour: 'red' }, 'ActionParameterUnknown'],
  ])('InsertMedia with %j gets 400 %s and changes nothing', async (body, message) => {
    const before = await call(bmc, 'GET', CD);
    const reply = await call(bmc, 'POST', insert, { body });
    expect([reply.status, messages(reply)]).toEqual([400, [message]]);
    expect((await call(bmc, 'GET', CD)).text).toBe(before.text);
  });

  test('EjectMedia with a parameter gets 400', async () => {
    expect(messages(await call(bmc, 'POST', eject, { body: { Force: true } }))).toEqual(['ActionParameterUnknown']);
  });
});

describe('PATCH', () => {
  test('merges the properties, returns the document, and changes the ETag', async () => {
    const before = await call(bmc, 'GET', SYSTEM);
    const body = { AssetTag: 'rack 7', Boot: { BootSourceOverrideTarget: 'Cd' } };
    const reply = await call(bmc, 'PATCH', SYSTEM, { body });
    expect(reply.status).toBe(200);
    const after = await call(bmc, 'GET', SYSTEM);
    expect(after.json).toEqual({ ...before.json, AssetTag: 'rack 7', Boot: { ...before.json.Boot, ...body.Boot } });
    expect(after.headers.get('ETag')).toBe(reply.headers.get('ETag'));
    expect(after.headers.get('ETag')).not.toBe(before.headers.get('ETag'));
  });

  test('If-Match with another ETag gets 412 and changes nothing; with the current one it succeeds', async () => {
    const etag = (await call(bmc, 'GET', CD)).headers.get('ETag')!;
    const body = { Image: null, Inserted: false };
    const stale = await call(bmc, 'PATCH', CD, { body, headers: { 'If-Match': '"other"' } });
    expect([stale.status, messages(stale)]).toEqual([412, ['PreconditionFailed']]);
    expect((await call(bmc, 'GET', CD)).json.Inserted).toBe(true);
    const matched = await call(bmc, 'PATCH', CD, { body, headers: { 'If-Match': `"older", ${etag}` } });
    expect([matched.status, matched.json.Inserted]).toEqual([200, false]);
    expect((await call(bmc, 'PATCH', CD, { body, headers: { 'If-Match': etag } })).status).toBe(412);
    expect((await call(bmc, 'PATCH', CD, { body, headers: { 'If-Match': '*' } })).status).toBe(200);
  });

  test.each([
    [{}, 'EmptyJSON'],
    [{ SerialNumber: 'x' }, 'PropertyNotWritable'],
    [{ '@odata.id': '/x' }, 'PropertyNotWritable'],
    [{ VirtualMedia: {} }, 'PropertyNotWritable'],
    [{ AssetTag: 5 }, 'PropertyValueTypeError'],
    [{ Boot: { Shoe: 1 } }, 'PropertyUnknown'],
    ['{"__proto__": {"x": 1}}', 'PropertyUnknown'],
  ])('%j gets 400 %s and changes nothing', async (body, message) => {
    const before = await call(bmc, 'GET', SYSTEM);
    const reply = await call(bmc, 'PATCH', SYSTEM, { body });
    expect([reply.status, messages(reply)]).toEqual([400, [message]]);
    expect((await call(bmc, 'GET', SYSTEM)).text).toBe(before.text);
  });
});

describe('ComputerSystem.Reset', () => {
  const target = `${SYSTEM}/Actions/ComputerSystem.Reset`;

  test.each([
    ['ForceOff', 'Off'],
    ['PushPowerButton', 'Off'],
    ['ForceRestart', 'On'],
  ])('%s leaves the power %s', async (type, state) => {
    expect((await call(bmc, 'POST', target, { body: { ResetType: type } })).status).toBe(204);
    expect((await call(bmc, 'GET', SYSTEM)).json.PowerState).toBe(state);
  });

  test('an invalid ResetType gets 400', async () => {
    const reply = await call(bmc, 'POST', target, { body: { ResetType: 'Explode' } });
    expect([reply.status, messages(reply)]).toEqual([400, ['ActionParameterValueNotInList']]);
  });
});
