import { describe, expect, test } from 'vitest';
import { PROFILES, QUIRKS, type Quirk, type SimulatedBmc } from '../../../src/sim/index.ts';
import { outcomesOf, probe, withBmc, withCapture } from './probing.ts';

/** Machines of one or several kinds that reading can tell: profile and quirks. */
const MIXES: readonly [profile: string, ...quirks: string[]][] = [
  ...[...PROFILES.keys()].map((name): [string] => [name]),
  ['plain', 'links-full-url', 'pages', 'weak-etags'],
  ['plain', 'links-percent-encoded', 'root-for-strangers', 'no-subscriptions-link'],
  ['plain', 'no-media-actions', 'etag-empty', 'errors-html'],
  ['plain', 'no-media-actions', 'etag-missing', 'errors-odata'],
  ['plain', 'inline-media', 'links-with-slash', 'no-session-service'],
  ['plain', 'media-under-both', 'sleeping-manager', 'unreadable-subscription-403'],
  ['plain', 'media-under-manager', 'closed-managers'],
  ['plain', 'unreadable-device-404', 'members-null', 'count-wrong'],
  ['plain', 'events-disabled', 'sessions-refused', 'errors-text'],
  ['plain', 'no-event-service', 'log-in-401', 'errors-plain'],
  ['plain', 'root-without-services', 'no-virtual-media-link', 'no-managed-by'],
  ['plain', 'root-bare', 'redirects-to-slash-308'],
  ['plain', 'root-closed', 'sessions-disabled', 'several-managers'],
  ['plain', 'root-null-links', 'closed-manager', 'http-headers-empty-list'],
  ['plain', 'basic-front-end', 'dvd-only'],
  ['plain', 'media-page-missing', 'subscriptions-page-loop'],
  ['plain', 'media-error-200', 'subscriptions-without-members'],
  ['ilo5', 'pages', 'root-bare-for-strangers', 'etag-empty'],
  ['idrac9', 'inline-media', 'errors-list', 'closed-manager-collection'],
  ['xcc', 'links-full-url', 'weak-etags', 'redirect-from-slash'],
  ['supermicro', 'sleeping-system', 'errors-at-root'],
  ['plain', 'closed-event-service'],
  ['plain', 'closed-event-service', 'closed-subscriptions-403'],
  ['openbmc', 'members-partial', 'no-sessions-link', 'first-read-503'],
];

/** What reading does not show: OpenBMC refuses a new subscription with EventTypes. It is added by name. */
const ADDED: Readonly<Record<string, string[]>> = { openbmc: ['refuses-event-types'] };

const machines = MIXES.map((names) => ({ label: names.join(' with '), names }));

describe('a captured machine ends each method as the machine does', () => {
  test.concurrent.each(machines)('$label', async ({ names: [name, ...names] }) => {
    const quirks = quirksNamed(names);
    const options = { profile: PROFILES.get(name)!, quirks };
    const { capture, report } = await withBmc(options, (bmc) => probe(bmc));
    expect(report.stopped).toBeNull();
    const added = { quirks: quirksNamed(ADDED[name] ?? []) };
    const [real, twin] = await Promise.all([withBmc(options, outcomes), withCapture(capture, outcomes, added)]);
    expect(twin).toEqual(real);
  });

  test('and is probed as the same machine again', async () => {
    for (const profile of PROFILES.values()) {
      const first = await withBmc({ profile }, (bmc) => probe(bmc));
      const second = await withCapture(first.capture, (bmc) => probe(bmc));
      expect(second.report.kinds, profile.name).toEqual(first.report.kinds);
      expect(Object.keys(second.capture).sort()).toEqual(Object.keys(first.capture).sort());
      expect(second.report.methods).toEqual(first.report.methods);
    }
  });
});

function outcomes(bmc: SimulatedBmc) {
  return outcomesOf(bmc);
}

function quirksNamed(names: readonly string[]): Quirk[] {
  return names.map((name) => QUIRKS.get(name) ?? expect.fail(`there is no quirk ${name}`));
}

describe('a machine that is open to all', () => {
  test('is captured without an account, and is as open', async () => {
    const anonymous = { redfish_username: null, redfish_password: null };
    const { capture, report } = await withBmc({ auth: 'none' }, (bmc) => probe(bmc, { info: anonymous }));
    expect(report.login).toMatchObject({ kind: 'none', error: null });
    const twin = await withCapture(capture, (bmc) => outcomesOf(bmc, anonymous));
    expect(twin).toEqual(await withBmc({ auth: 'none' }, (bmc) => outcomesOf(bmc, anonymous)));
    expect(twin).toMatchObject({ get_all_subscriptions: 4 });
  });
});

describe('a captured machine', () => {
  test('that strangers may read in part shows them that part', async () => {
    const { capture } = await withBmc({ quirks: [QUIRKS.get('root-for-strangers')!] }, (bmc) => probe(bmc));
    await withCapture(capture, async ({ url }) => {
      const stranger = (await (await fetch(`${url}/redfish/v1/`)).json()) as object;
      expect(Object.keys(stranger)).not.toContain('Systems');
      const headers = { Authorization: `Basic ${btoa('u:p')}` };
      const known = (await (await fetch(`${url}/redfish/v1/`, { headers })).json()) as object;
      expect(Object.keys(known)).toContain('Systems');
    });
  });

  test('shows the ETag of a device as recorded until the device changes', async () => {
    const options = { profile: PROFILES.get('xcc')!, quirks: [QUIRKS.get('weak-etags')!] };
    const { capture } = await withBmc(options, (bmc) => probe(bmc));
    await withCapture(capture, async ({ url }) => {
      const headers = { Authorization: `Basic ${btoa('u:p')}`, 'Content-Type': 'application/json' };
      const device = `${url}/redfish/v1/Managers/1/VirtualMedia/EXT1`;
      const read = await fetch(device, { headers });
      const etag = read.headers.get('ETag')!;
      expect(etag).toMatch(/^W\//);
      const eject = (match: string) =>
        fetch(device, {
          method: 'PATCH',
          headers: { ...headers, 'If-Match': match },
          body: JSON.stringify({ Image: null, Inserted: false }),
        });
      expect((await eject('W/"other"')).status).toBe(412);
      expect((await eject(etag)).ok).toBe(true);
      expect((await fetch(device, { headers })).headers.get('ETag')).not.toBe(etag);
      expect((await eject(etag)).status).toBe(412);
      // The same device, listed under the system too.
      const twin = await fetch(`${url}/redfish/v1/Systems/1/VirtualMedia/EXT1`, { headers });
      expect(await twin.json()).toMatchObject({ Inserted: false });
    });
  });
});
