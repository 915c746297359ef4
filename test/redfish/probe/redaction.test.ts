import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { PROFILES, QUIRKS, type Quirk } from '../../../src/sim/index.ts';
import { outcomesOf, probe, withBmc, withCapture } from './probing.ts';

/** Values that must not be told, each by a name that it may have. A marker is recognised in any part of a text. */
const SECRETS = {
  Password: 'mark-password-1',
  AuthToken: 'mark-token-2',
  XAuthKey: 'mark-key-3',
  SnmpCommunity: 'mark-community-4',
  ReadOnlyCommunity: { Name: 'mark-community-5' },
  LicenseKey: 'mark-licence-6',
  License: { Key: 'mark-licence-7' },
  PrivateKey: '-----BEGIN PRIVATE KEY-----\nmark-pem-8\n-----END PRIVATE KEY-----',
  HttpHeaders: [{ Authorization: 'Bearer mark-header-9' }],
  Cookie: 'sid=mark-cookie-10',
  Credentials: { Basic: ['mark-basic-11'] },
  EncryptionKey: 'mark-encryption-12',
  SessionId: 'mark-session-13',
  Note: 'password=mark-note-14',
  Certificate: '-----BEGIN CERTIFICATE-----\nmark-pem-15\n-----END CERTIFICATE-----',
};
const IDENTITIES = {
  SerialNumber: 'MARKSERIAL16',
  AssetTag: 'mark asset 17',
  ServiceTag: 'MARK18X',
  UUID: 'deadbeef-1111-4222-8333-000000000019',
  MACAddress: 'de:ad:be:ef:00:20',
  PermanentMACAddress: 'DEADBEEF0021',
  HostName: 'mark-host-22',
  FQDN: 'mark-host-23.corp.internal',
  IPv4Addresses: [{ Address: '10.66.77.24', Gateway: '10.66.77.1' }],
  IPv6Addresses: [{ Address: 'fd66::25' }],
  UserName: 'mark-user-26',
  Owner: { Mail: 'mark27@mark-mail.example' },
  Location: { PostalAddress: { Street: 'Mark Street 28', Building: 'MARK29' }, Info: 'mark-info-30' },
  Destination: 'https://mark-listener-31.example/mark-path-32?mark-query=33',
  Context: 'mark-context-34',
  Unheard: 'mark-of-a-vendor-35',
  Deep: [{ er: { Label: ['mark-label-36'] } }],
  'mark-member-37': true,
  Users: { mark_person_38: 'MARK39' },
  Description: 'The machine of mark-person-37 at 10.66.77.38',
};

/** Markers in forms that are not literal. */
const MARKERS = /mark|deadbeef|de:ad:be|10\.66\.77|fd66::/i;

/** Puts everything into every document, and some into links, names, headers and errors. */
const planted: Quirk = {
  name: 'planted',
  description: 'values that must not be told are everywhere',
  changeDocuments: (documents) => {
    for (const [path, document] of documents) {
      if (path === '/redfish/v1/EventService/Subscriptions/1') continue;
      documents.set(path, { ...document, Oem: { Vendor: { ...SECRETS, ...IDENTITIES } }, ...plain(document) });
    }
    const system = documents.get('/redfish/v1/Systems/437XR1138R2')!;
    documents.set('/redfish/v1/Systems/437XR1138R2', { ...system, ...IDENTITIES, Name: 'mark-name-39' });
    const device = '/redfish/v1/Systems/437XR1138R2/VirtualMedia/CD1';
    const image = {
      Image: 'https://mark-user-40:mark-password-41@mark-nas-42.example/mark-43.iso',
      ImageName: 'mark-43.iso',
    };
    documents.set(device, { ...documents.get(device)!, ...image });
    // Serial number and UUID in an id.
    addMember(documents, '/redfish/v1/EventService/Subscriptions', 'MARKSERIAL16', { Context: 'mark-context-44' });
    addMember(documents, '/redfish/v1/EventService/Subscriptions', IDENTITIES.UUID, {
      Destination: 'snmp://10.66.77.45',
    });
    addMember(documents, '/redfish/v1/TaskService/Tasks', '9', {
      Messages: [{ Message: "mark-user-26 at 10.66.77.46: 'mark47'" }],
    });
  },
  handle: (request, _bmc, next) =>
    request.path.endsWith('/Chassis')
      ? {
          status: 403,
          headers: {
            'Content-Type': 'application/json',
            'Set-Cookie': 'sid=mark-cookie-48',
            'X-Auth-Token': 'mark-token-49',
            Location: 'https://mark-host-22.example/redfish/v1/MARKSERIAL16',
            Server: 'mark-server-50',
            'WWW-Authenticate': 'Basic realm="mark-host-22"',
          },
          body: JSON.stringify({
            error: {
              code: 'Base.1.8.InsufficientPrivilege',
              message: "User 'mark-user-51' of 10.66.77.52 may not read https://mark-host-53.example/x",
              '@Message.ExtendedInfo': [{ MessageId: 'Base.1.8.InsufficientPrivilege', MessageArgs: ['mark-user-54'] }],
            },
          }),
        }
      : request.path.endsWith('/UpdateService')
        ? { status: 500, headers: { 'Content-Type': 'text/html' }, body: '<h1>mark-host-55</h1>' }
        : next(request),
};

function plain(document: JsonObject): JsonObject {
  return 'Members' in document ? {} : { AssetTag: IDENTITIES.AssetTag, SecretNote: 'mark-secret-56' };
}

function addMember(
  documents: Map<string, Readonly<JsonObject>>,
  collection: string,
  id: string,
  more: JsonObject,
): void {
  const path = `${collection}/${id}`;
  const list = documents.get(collection)!;
  documents.set(path, {
    '@odata.id': path,
    '@odata.type': '#EventDestination.v1_13_0.EventDestination',
    Id: id,
    ...more,
  });
  documents.set(collection, { ...list, Members: [...(list.Members as Json[]), { '@odata.id': path }] });
}

describe('what is written and printed', () => {
  test.each([...PROFILES.keys()])('has nothing secret and nothing that identifies the machine: %s', async (name) => {
    const account = { 'mark-operator': 'mark-word-57' };
    const info = { redfish_username: 'mark-operator', redfish_password: 'mark-word-57' };
    const quirks = name === 'plain' ? [planted] : [withDocuments];
    const { capture, report } = await withBmc({ profile: PROFILES.get(name)!, quirks, accounts: account }, (bmc) =>
      probe(bmc, { info }),
    );
    expect(report.login.error).toBeNull();
    const written = JSON.stringify(capture);
    for (const text of [written, JSON.stringify(report)]) {
      expect(textsAround(text, MARKERS)).toEqual([]);
      expect(text).not.toContain('127.0.0.1');
      expect(text).not.toMatch(/host-\d+\.example:\d/);
    }
    // The test looks at something: the documents are there.
    expect(written.length).toBeGreaterThan(20_000);
  });

  test('keeps what identifies the machine on request, but no secret, nor the address and user that were probed', async () => {
    const account = { 'probe-operator': 'probe-word-1' };
    const info = { redfish_username: 'probe-operator', redfish_password: 'probe-word-1' };
    const { capture, report } = await withBmc({ quirks: [planted], accounts: account }, (bmc) =>
      probe(bmc, { info, keepIdentity: true }),
    );
    const text = JSON.stringify([capture, report]);
    expect(text).toContain('MARKSERIAL16');
    expect(text).toContain('mark-listener-31.example');
    const secret =
      /mark-(password|token|key|community|licence|pem|header|cookie|basic|encryption|session|note|secret|word)-|probe-(operator|word)|127\.0\.0\.1/;
    expect(textsAround(text, secret)).toEqual([]);
  });

  test('has links that still lead to their documents, and methods that still work', async () => {
    const { capture } = await withBmc({ quirks: [planted] }, (bmc) => probe(bmc));
    const paths = new Set(Object.keys(capture));
    const subscriptions = capture['/redfish/v1/EventService/Subscriptions'] as { Members: { '@odata.id': string }[] };
    expect(subscriptions.Members).toHaveLength(6);
    for (const member of subscriptions.Members) expect(paths).toContain(member['@odata.id']);
    const twin = await withCapture(capture, (bmc) => outcomesOf(bmc));
    expect(twin).toMatchObject({ get_all_subscriptions: 6, eject_cd: ['CD+DVD ejected'] });
  });

  test('is the same for the same value, and differs for different ones', async () => {
    const { capture } = await withBmc({ profile: PROFILES.get('xcc')! }, (bmc) => probe(bmc));
    const uuids = [capture['/redfish/v1'], capture['/redfish/v1/Systems/1']].map(
      (document) => (document as JsonObject).UUID,
    );
    expect(new Set(uuids).size).toBe(2);
    const serials = ['Systems', 'Chassis'].map(
      (name) => (capture[`/redfish/v1/${name}/1`] as JsonObject | undefined)?.SerialNumber,
    );
    expect(serials[0]).toMatch(/^X00XX\dXX$|^X\d\dXX\d[A-Z]\d$/);
  });

  test('does not take a version for an address, nor an id for a serial number', async () => {
    const { capture } = await withBmc({ profile: PROFILES.get('idrac9')! }, (bmc) => probe(bmc));
    expect(capture['/redfish/v1/Managers/iDRAC.Embedded.1']).toMatchObject({ FirmwareVersion: '7.00.00.00' });
    expect(capture['/redfish/v1/Systems/System.Embedded.1']).toMatchObject({ Id: 'System.Embedded.1' });
  });

  test('leaves a stranger nothing of the account when the password is wrong', async () => {
    const info = { redfish_password: 'mark-wrong-1' };
    const { capture, report } = await withBmc({ quirks: [QUIRKS.get('wrong-password-403')!] }, (bmc) =>
      probe(bmc, { info }),
    );
    expect(report.login.kind).toBe('failed');
    expect(report.login.error).not.toBeNull();
    expect(JSON.stringify([capture, report])).not.toContain('mark-wrong');
    expect(Object.keys(capture)).toEqual(['@passthru.capture', '/redfish/v1']);
  });
});

/** Plants the values into the documents of any profile. */
const withDocuments: Quirk = {
  name: 'planted',
  description: 'values that must not be told are in every document',
  changeDocuments: (documents) => {
    for (const [path, document] of documents) {
      documents.set(path, { ...document, Oem: { Vendor: { ...SECRETS, ...IDENTITIES } }, ...plain(document) });
    }
  },
};

/** Returns each match with what stands around it. */
function textsAround(text: string, pattern: RegExp): string[] {
  return [
    ...text.matchAll(new RegExp(`.{0,80}(?:${pattern.source}).{0,40}`, pattern.flags.includes('i') ? 'gi' : 'g')),
  ].map(([found]) => found);
}

test('the markers are found where they are not redacted', () => {
  for (const entry of Object.entries({ ...SECRETS, ...IDENTITIES })) expect(JSON.stringify(entry)).toMatch(MARKERS);
});

test('long words without spaces are redacted in time that grows with their length only', async () => {
  // Each took half a minute when every letter was tried as the beginning of an address.
  const long: Quirk = {
    name: 'long',
    description: 'long words',
    changeDocuments: (documents) => {
      const manager = documents.get('/redfish/v1/Managers/BMC')!;
      const words = ['a', 'a.', 'a-', '1.', 'abcdef01', 'a://'].map((part) => part.repeat(100_000 / part.length));
      documents.set('/redfish/v1/Managers/BMC', { ...manager, Model: words.join(' '), Oem: { Words: words } });
    },
  };
  await withBmc({ quirks: [long] }, async (bmc) => {
    const { report } = await probe(bmc);
    expect(report.stopped).toBeNull();
  });
}, 20_000);
