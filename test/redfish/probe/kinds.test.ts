import { describe, expect, test } from 'vitest';
import { PROFILES, QUIRKS, startFleet } from '../../../src/sim/index.ts';
import { selfSigned } from '../../sim/selfSigned.ts';
import { probe, withBmc } from './probing.ts';

/** Quirks that reading cannot show: they are in the responses to changes, to wrong passwords and to ended sessions. */
const CHANGES =
  /^(busy|tasks|create|destination|context|refuses|one-per|patch|eject|insert|image|failed|lingering|success|delete|event|test-event)-|^tasks$/;
const LOGINS =
  /^(wrong-password|ended-session|session-serves|few-sessions|no-session-service-401|log-in-licence|basic-off)/;
const CONNECTIONS = /^(idle|silent|stalls|few-requests|one-request|trickled|surplus|registries-not-identity)/;
const OTHERS = new Set([
  'media-listed-while-inserted',
  'if-match-wanted',
  'weak-etags-strong-match',
  'unquoted-if-match',
  'etag-never-matches',
  'events-disabled-400',
  'events-disabled-409',
  'events-switched-off',
  'subscriptions-lost-at-restart',
  'http-headers-empty-list',
  'http-headers-dropped',
  'sleeping-chassis',
  'errors-on-property',
  'errors-html-text',
]);
/** Forms of one kind, which has the name of the first. */
const FORMS = /^first-read-(.*-html|503-.*|half-body|in-post-.*|not-ready-503)$/;
/** Names of quirks that exclude others: the last one is seen. */
const seen = [...QUIRKS.values()].filter(({ name, tls }) => {
  return !tls && ![CHANGES, LOGINS, CONNECTIONS, FORMS].some((pattern) => pattern.test(name)) && !OTHERS.has(name);
});

describe('the probe names the kind that a machine shows', () => {
  test.concurrent.each(seen)('$name: $description', async (quirk) => {
    const { report } = await withBmc({ quirks: [quirk] }, (bmc) => probe(bmc));
    expect(report.stopped).toBeNull();
    expect(report.kinds.map(({ name }) => name)).toContain(quirk.name);
  });

  test('and no other than those that the simulator has', async () => {
    expect(seen.length).toBeGreaterThan(80);
    for (const profile of PROFILES.values()) {
      const { report } = await withBmc({ profile }, (bmc) => probe(bmc));
      for (const { name } of report.kinds) expect(QUIRKS.has(name), name).toBe(true);
    }
  });

  test('nothing of a machine that follows the specification but the place of its media', async () => {
    const { report } = await withBmc({}, (bmc) => probe(bmc));
    expect(report.kinds.map(({ name }) => name)).toEqual(['media-under-system']);
  });

  test.concurrent.each([
    ['first-read-503-retry-after', 'first-read-503'],
    ['first-read-not-ready-400', 'first-read-not-ready-400'],
    ['first-read-500-html', 'first-read-500'],
    ['log-in-licence', 'log-in-403'],
  ])('%s counts as %s', async (quirk, name) => {
    const { report } = await withBmc({ quirks: [QUIRKS.get(quirk)!] }, (bmc) => probe(bmc));
    expect(report.kinds.map((kind) => kind.name)).toContain(name);
  });
});

describe('the report', () => {
  test('names an old protocol, and tells of a certificate what its owner need not hide', async () => {
    const tls = selfSigned();
    const fleet = await startFleet({ tls, quirks: [QUIRKS.get('tls-1.1')!] });
    try {
      const info = { redfish_verify_ca: false, redfish_tls_minimum_version: '1.0' };
      const { report } = await probe(fleet.bmcs[0]!, { info });
      expect(report.kinds).toContainEqual({ name: 'tls-1.1', seen: 'the BMC chose TLSv1.1', in_capture: false });
      expect(report.certificate).toMatchObject({
        protocol: 'TLSv1.1',
        selfSigned: true,
        expires: '2049-12-31',
        expired: false,
        matchesName: true,
        key: 'EC prime256v1',
        weak: null,
      });
    } finally {
      await fleet.close();
    }
  });

  test('says how each device is emptied, and what the event service offers', async () => {
    const { report } = await withBmc({ profile: PROFILES.get('xcc')! }, (bmc) => probe(bmc));
    expect(report.machine).toEqual({
      vendor: 'Lenovo',
      product: 'ThinkSystem SR630 V2',
      firmware: 'AFBT20X 1.89 2021-09-02',
      redfish: '1.15.0',
    });
    expect(report.virtual_media).toHaveLength(8);
    expect(report.virtual_media[0]).toEqual({
      path: '/redfish/v1/Systems/1/VirtualMedia/EXT1',
      under: 'system',
      types: ['CD', 'DVD'],
      inserted: true,
      eject: 'PATCH',
    });
    expect(report.events).toMatchObject({ service: 'enabled', sse: false, subscriptions: 0 });
    expect(report.events.retry).toEqual({ attempts: 3, interval_seconds: 30 });
  });

  test.each([
    ['closed-managers', '/redfish/v1/Managers', 403],
    ['sleeping-manager', '/redfish/v1/Managers/HGX_BMC_1', 503],
    ['unreadable-device-404', '/redfish/v1/Systems/000XX0000X1/VirtualMedia/Unreadable404', 404],
    ['unreadable-subscription-500', '/redfish/v1/EventService/Subscriptions/Unreadable500', 500],
  ])('names the part that cannot be read: %s', async (quirk, path, status) => {
    const { report } = await withBmc({ quirks: [QUIRKS.get(quirk)!] }, (bmc) => probe(bmc));
    expect(report.closed.map((part) => ({ ...part, path: part.path.replace(/X\d\//, 'X1/') }))).toContainEqual({
      path,
      status,
      why: null,
    });
  });
});

describe('the verdict about a method', () => {
  test.each<[quirks: string[], verdicts: Record<string, string>]>([
    [
      [],
      {
        get_all_subscriptions: 'works',
        get_subscription: 'works',
        create_subscription: 'unknown until tried',
        delete_subscription: 'unknown until tried',
        'eject_vmedia CD1 (system)': 'unknown until tried',
        discover: 'works',
      },
    ],
    [
      ['no-event-service'],
      { get_all_subscriptions: 'will not work', create_subscription: 'will not work', discover: 'works' },
    ],
    [['events-disabled'], { get_all_subscriptions: 'works', create_subscription: 'will not work' }],
    [['no-virtual-media'], { eject_vmedia: 'will not work', get_subscription: 'works' }],
    [['subscriptions-without-members'], { get_all_subscriptions: 'will not work' }],
  ])('%j', async (quirks, verdicts) => {
    const { report } = await withBmc({ quirks: quirks.map((name) => QUIRKS.get(name)!) }, (bmc) => probe(bmc));
    const told = Object.fromEntries(report.methods.map(({ method, verdict }) => [method, verdict]));
    expect(told).toMatchObject(verdicts);
    for (const { why } of report.methods) expect(why).not.toBe('');
  });
});
