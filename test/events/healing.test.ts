// Whatever happens to the subscription of a source, on simulated BMCs of each profile: it heals by itself, or says why not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Service } from '../../src/service.ts';
import { PROFILES } from '../../src/sim/index.ts';
import { makeAuthority } from '../auth/certificates.ts';
import { startWatching, WatchedMachine } from './watchedMachine.ts';

const YEAR = 365 * 86_400_000;

/** The authority of BMCs, and another one. */
const authority = makeAuthority('BMCs');
const stranger = makeAuthority('other BMCs');
const certificate = (by = authority) => by.issue({ loopback: true });

let directory: string;
/** A file with the authorities of one machine, which an operator may write anew. */
const authoritiesOf = (node: string) => join(directory, `${node}.pem`);

interface Fault {
  /** What happens to a machine whose source is active. */
  happens(machine: WatchedMachine): unknown;
  /** What the source must tell. By default it heals without help. */
  tells?: RegExp;
  /** What an operator does once it has told so. */
  mended?(machine: WatchedMachine): unknown;
  /** Why the source was repaired, which it tells afterwards; null where nothing was to repair. */
  drift?: RegExp;
  /** The gap that is told. */
  gap?: RegExp;
  quirks?: readonly string[];
  /** Whether the BMC has HTTPS, by a certificate of `authority`, which the node trusts. */
  tls?: boolean;
}

const disabled = { Status: { State: 'Disabled' } };

const FAULTS: Record<string, Fault> = {
  'the BMC has lost it': {
    happens: ({ bmc }) => bmc.events.drop(),
    drift: /lost/,
    gap: /lost the subscription/,
  },
  'the BMC has disabled it': {
    happens: ({ bmc }) => bmc.events.disable(),
    drift: /disabled/,
    gap: /disabled the subscription/,
  },
  'the BMC has suspended it': {
    happens: (machine) => machine.change(machine.own[0]!, { Status: { State: 'Quiesced' } }),
    drift: /disabled/,
  },
  'somebody else has led it elsewhere': {
    happens: (machine) => machine.change(machine.own[0]!, { Destination: 'https://receiver.example/events' }),
    drift: /destination/,
  },
  'it is there twice': {
    happens: (machine) => {
      const { Destination, Context } = machine.document(machine.own[0]!);
      machine.add({ Destination: Destination!, Context: Context! });
    },
    drift: /removed 1 subscription of an earlier time/,
  },
  'one of an earlier life is there too': {
    happens: (machine) => {
      const { Destination, Context } = machine.document(machine.own[0]!);
      const before = String(Destination).replace(/[^/]+$/, `passthru_evt_${'x'.repeat(43)}`);
      machine.add({ Destination: before, Context: String(Context).replace(/\d+$/, '0'), ...disabled });
    },
    drift: /removed 1 subscription of an earlier time/,
  },
  'the BMC has restarted, and kept it': { happens: ({ bmc }) => bmc.restart({ bootTime: 300 }) },
  'the BMC has restarted, and forgotten it': {
    happens: ({ bmc }) => bmc.restart({ bootTime: 300 }),
    quirks: ['subscriptions-lost-at-restart'],
    drift: /lost/,
    gap: /./,
  },
  'the BMC has restarted, and given it another URI': {
    happens: ({ bmc }) => bmc.restart({ bootTime: 300 }),
    quirks: ['event-restart-renumbers'],
    drift: /moved|lost/,
  },
  'the BMC has restarted, and disabled it': {
    happens: ({ bmc }) => bmc.restart({ bootTime: 300 }),
    quirks: ['event-restart-disables'],
    drift: /disabled|lost/,
  },
  'the BMC says that it has restarted': {
    happens: (machine) =>
      machine.tellClock({ DateTime: new Date().toISOString(), LastResetTime: new Date().toISOString() }),
    drift: /restarted/,
    gap: /restarted/,
  },
  'the BMC was reset to its defaults': { happens: ({ bmc }) => bmc.factoryReset({ bootTime: 300 }), drift: /lost/ },
  'the BMC is away': {
    happens: ({ bmc }) => void bmc.leave(4000),
    tells: /^The BMC cannot be reached; the service tries again/,
    gap: /could not be reached/,
  },
  'the node has another BMC': { happens: (machine) => machine.move(), drift: /another BMC/ },
  'the event service of the BMC is switched off': {
    happens: (machine) => machine.change('/redfish/v1/EventService', { ServiceEnabled: false }),
    tells: /^Switch on the EventService of the BMC/,
    gap: /switched off/,
    mended: (machine) => machine.change('/redfish/v1/EventService', { ServiceEnabled: true }),
  },
  'the password was changed': {
    happens: (machine) => machine.configure({ redfish_password: 'another' }),
    tells: /correct them in the driver_info/,
    mended: (machine) => machine.configure({ redfish_password: 'p' }),
  },
  'driver_info has become invalid': {
    happens: (machine) => machine.configure({ redfish_verify_ca: '/nowhere/ca.pem' }),
    tells: /redfish_verify_ca/,
    mended: (machine) => machine.configure({ redfish_verify_ca: false }),
  },
  'the BMC has another certificate of the same authority': {
    tls: true,
    happens: ({ bmc }) => bmc.setCertificate(certificate()),
  },
  'the BMC has a certificate that is not trusted': {
    tls: true,
    happens: ({ bmc }) => bmc.setCertificate(certificate(stranger)),
    tells: /The certificate of the BMC is not trusted.*set redfish_verify_ca/,
    mended: ({ node }) => writeFileSync(authoritiesOf(node), authority.cert + stranger.cert),
  },
  'the clock of the BMC is years behind': {
    happens: (machine) => {
      machine.bmc.setClockOffset(-56 * YEAR);
      machine.tellClock({ DateTime: new Date(Date.now() - 56 * YEAR).toISOString() });
    },
  },
  'the clock of the BMC is years ahead': {
    happens: (machine) => {
      machine.bmc.setClockOffset(20 * YEAR);
      machine.tellClock({ DateTime: new Date(Date.now() + 20 * YEAR).toISOString() });
    },
  },
  'the clock of the BMC has no zone': {
    quirks: ['event-timestamp-no-zone'],
    happens: (machine) => machine.tellClock({ DateTime: new Date().toISOString().slice(0, 19) }),
  },
  'the clock of the BMC was never set': {
    quirks: ['event-timestamp-unset'],
    happens: (machine) => machine.tellClock({ DateTime: '00:00:00Z', LastResetTime: 'never' }),
  },
};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-healing-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe.each([...PROFILES.keys()])('a source of a BMC like %s heals, or says why not, when', (profile) => {
  let service: Service;
  beforeAll(async () => {
    service = await startWatching({ PASSTHRU_REDFISH_CA_FOLDER: directory });
  });
  afterAll(() => service.close());

  test.concurrent.each(Object.entries(FAULTS))('%s', async (name, fault) => {
    const { happens, tells, mended, drift, gap, quirks = [], tls = false } = fault;
    // A profile has files of its own: those of one path are looked at every ten seconds, whoever uses them.
    const node = `${profile}-${name}`.replace(/\W+/g, '-');
    writeFileSync(authoritiesOf(node), authority.cert);
    const options = { quirks, ...(tls ? { tls: certificate(), verifyCa: authoritiesOf(node) } : {}) };
    await using machine = await WatchedMachine.start(service, node, profile, options);
    machine.tellClock({ DateTime: new Date().toISOString(), LastResetTime: new Date(Date.now() - YEAR).toISOString() });
    machine.add({ Destination: 'https://receiver.example/x', Context: 'passthru:other:other:1' });
    await machine.set();
    await machine.healed();

    const happened = happens(machine);
    const { others } = machine;
    await happened;
    if (tells !== undefined) await machine.reason(tells);
    if (mended !== undefined) {
      // While it cannot be repaired, what is there stays.
      expect(machine.own).toHaveLength(1);
      await mended(machine);
    }
    if (drift !== undefined) {
      await vi.waitFor(async () => expect((await machine.source()).lastDrift).toMatch(drift));
    }
    await machine.healed();
    if (gap !== undefined) await vi.waitFor(async () => expect((await machine.gaps()).join('\n')).toMatch(gap));
    expect(machine.others).toEqual(others);
    await machine.remove();
    expect(machine.own).toEqual([]);
  });
});

describe('a configuration that cannot be read, or lacks what a source needs, removes no subscription:', () => {
  const key = '5eC7e7'.padEnd(43, 'k');
  const right = () => ({
    PASSTHRU_STORE: `sqlite:${join(directory, 'kept.db')}`,
    PASSTHRU_SECRETS_ENCRYPTION_KEYS: key,
    PASSTHRU_SECRETS_PLAIN: 'false',
    // The same after each start, at whatever port the receiver is.
    PASSTHRU_EVENTS_URL: 'http://127.0.0.1:9/events',
    PASSTHRU_EVENTS_TEST_INTERVAL: '0s',
  });

  test.each([
    ['no receiver', { PASSTHRU_EVENTS_LISTEN: '', PASSTHRU_EVENTS_URL: '' }, null],
    ['a receiver that cannot listen', { PASSTHRU_EVENTS_LISTEN: '192.0.2.1:6386' }, /192\.0\.2\.1/],
    ['an unreadable address', { PASSTHRU_EVENTS_URL: 'no url' }, /EVENTS_URL/],
    [
      'a missing certificate',
      { PASSTHRU_EVENTS_TLS_CERT_FILE: '/nowhere', PASSTHRU_EVENTS_TLS_KEY_FILE: '/nowhere' },
      /nowhere/,
    ],
    ['another key of secrets', { PASSTHRU_SECRETS_ENCRYPTION_KEYS: 'another'.padEnd(43, 'k') }, /key/],
    ['a store that cannot be opened', { PASSTHRU_STORE: 'sqlite:/nowhere/kept.db' }, /nowhere/],
  ])('%s', async (what, wrong, refusal) => {
    let service = await startWatching(right());
    await using machine = await WatchedMachine.start(service, what.replace(/\W+/g, '-'), 'plain');
    await machine.set();
    await vi.waitFor(async () => expect(await machine.source()).toMatchObject({ state: 'active' }));
    const { own } = machine;
    expect(own).toHaveLength(1);
    await service.close();

    const start = startWatching({ ...right(), ...wrong });
    if (refusal === null) await (await start).close();
    else await expect(start).rejects.toThrow(refusal);
    expect(machine.own).toEqual(own);

    const restart = new Date();
    service = await startWatching(right());
    machine.use(service);
    await vi.waitFor(async () => {
      const { state, verifyTime, renewals } = await machine.source();
      expect([state, renewals]).toEqual(['active', 0]);
      expect(verifyTime!.getTime()).toBeGreaterThan(restart.getTime());
    });
    expect(machine.own).toEqual(own);
    await machine.remove();
    await service.close();
  });
});
