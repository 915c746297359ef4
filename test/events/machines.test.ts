// Event sources on simulated BMCs of each profile: receiver, store, reconciler, driver and BMC as they are in service.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { EventSource } from '../../src/core/events/eventSource.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { type Service, startService } from '../../src/service.ts';
import { type Fleet, PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';

const caller = { name: 'operator', role: 'admin' as const };
const EVERYTHING = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };
/** The profile's own subscriptions, which are others'. */
let before: string[];
let fleet: Fleet | null = null;
let service: Service | null = null;

afterEach(async () => {
  await service?.close();
  await fleet?.close();
  service = fleet = null;
});

async function start(profile: string, ...quirks: string[]): Promise<SimulatedBmc> {
  return startWith({}, profile, ...quirks);
}

/** @param settings of the service, beside those of all */
async function startWith(
  settings: Record<string, string>,
  profile: string,
  ...quirks: string[]
): Promise<SimulatedBmc> {
  fleet = await startFleet({ profile: PROFILES.get(profile)!, quirks: quirks.map((name) => QUIRKS.get(name)!) });
  const bmc = fleet.bmcs[0]!;
  const environment = {
    PASSTHRU_STORE: 'sqlite::memory:',
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_TEST_TIMEOUT: '10s',
    PASSTHRU_EVENTS_VERIFY_INTERVAL: '1s',
    PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
    PASSTHRU_SECRETS_PLAIN: 'true',
    ...settings,
  };
  service = await startService(loadConfig({ file: null, environment }), { log: silentLogger });
  const driverInfo = {
    redfish_address: bmc.url,
    redfish_username: 'u',
    redfish_password: 'p',
    redfish_verify_ca: false,
  };
  await service.core.nodes.create({ name: 'n1', driver: 'redfish', driverInfo }, caller);
  before = paths(bmc);
  return bmc;
}

function paths(bmc: SimulatedBmc): string[] {
  const { Members: members } = bmc.documents.get('/redfish/v1/EventService/Subscriptions')!;
  return (members as { '@odata.id': string }[]).map((member) => member['@odata.id']);
}

/** Returns the subscriptions of the service at the BMC. */
function ours(bmc: SimulatedBmc): string[] {
  return paths(bmc).filter((path) => !before.includes(path));
}

/** Waits until the source of n1 is as wanted. */
async function until(isIt: (source: EventSource) => boolean): Promise<EventSource> {
  return vi.waitFor(
    async () => {
      const source = await service!.core.eventSources.get('n1');
      if (!isIt(source)) throw new Error(JSON.stringify(source));
      return source;
    },
    { timeout: 30_000, interval: 50 },
  );
}

/** Waits until the BMC has one subscription of the service: a new one is made before the old one is removed. */
function one(bmc: SimulatedBmc): Promise<void> {
  return vi.waitFor(() => expect(ours(bmc)).toHaveLength(1), { timeout: 10_000, interval: 50 });
}

const isActive = ({ state }: EventSource) => state === 'active';

async function begin(): Promise<EventSource> {
  await service!.core.eventSources.set('n1', { transport: null, selection: EVERYTHING }, caller);
  return until(isActive);
}

describe.each([...PROFILES.keys()])('a source of a BMC like %s', (profile) => {
  test('is made, proven by a test event, heals, and leaves nothing behind', async () => {
    const bmc = await start(profile);
    const { lastTest } = await begin();
    if (lastTest !== null) expect(lastTest).toMatchObject({ error: null, roundTrip: expect.any(Number) });
    expect(ours(bmc)).toHaveLength(1);

    // Lost, as by a restart.
    for (const path of ours(bmc)) bmc.documents.removeMember(path);
    await until(({ renewals }) => renewals === 1);
    await until(isActive);
    await one(bmc);

    // Disabled, as after failed posts.
    const [path] = ours(bmc);
    bmc.documents.set(path!, { ...bmc.documents.get(path!)!, Status: { State: 'Disabled' } });
    await until(({ renewals }) => renewals === 2);
    await until(isActive);
    await one(bmc);

    // Away.
    await bmc.restart();
    await until(isActive);
    const { events } = await service!.core.events.list({
      ...{ nodes: [], minSeverity: null, messages: [], origin: null },
      ...{ limit: 100, before: null, since: null, until: null, withRaw: false },
    });
    expect(events.filter(({ content }) => content.kind === 'gap').length).toBeGreaterThanOrEqual(2);
    if (lastTest !== null) expect(events.some(({ content }) => content.kind === 'record')).toBe(true);

    await service!.core.nodes.delete('n1', caller, new AbortController().signal);
    expect(ours(bmc)).toEqual([]);
    expect(paths(bmc)).toEqual(before);
  });
});

test('create_subscription with the destination passthru: sets the source, and deleting it ends the source', async () => {
  const bmc = await start('plain');
  const call = (method: string, args: Record<string, string>) =>
    service!.core.callNodeMethod({
      ...{ node: 'n1', method, arguments: args, httpMethod: null, idempotencyKey: null, caller },
      ...{ signal: new AbortController().signal, deadline: null, lockWait: 10_000 },
    });
  const made = await call('create_subscription', { Destination: 'passthru:' });
  expect(made).toMatchObject({ result: { Id: 'passthru', Destination: 'passthru:' } });
  const { subscription } = await until(isActive);
  const shown = await call('get_subscription', { id: subscription!.split('/').at(-1)! });
  expect(JSON.stringify(shown)).toContain('/******');
  expect(JSON.stringify(shown)).not.toContain('passthru_evt_');
  await call('delete_subscription', { id: 'passthru' });
  await vi.waitFor(() => expect(ours(bmc)).toEqual([]), 10_000);
  await expect(call('delete_subscription', { id: 'passthru' })).rejects.toMatchObject({
    kind: expect.stringMatching(/subscription_not_found|failed_precondition/),
  });
});

test('a call that finds the BMC away has its source looked at, long before the interval of the source', async () => {
  const bmc = await startWith({ PASSTHRU_EVENTS_VERIFY_INTERVAL: '1d' }, 'plain');
  const { verifyTime } = await begin();
  for (const path of ours(bmc)) bmc.documents.removeMember(path);
  const back = bmc.leave(1000);
  await expect(
    service!.core.callNodeMethod({
      ...{ node: 'n1', method: 'get_all_subscriptions', arguments: {}, httpMethod: null, idempotencyKey: null, caller },
      ...{ signal: new AbortController().signal, deadline: null, lockWait: 10_000 },
    }),
  ).rejects.toMatchObject({ kind: 'bmc_unreachable' });
  await until(({ state }) => state === 'degraded');
  await back;
  const healed = await until(({ state, renewals }) => state === 'active' && renewals === 1);
  expect(healed.verifyTime!.getTime()).toBeGreaterThan(verifyTime!.getTime());
});

test('an event by which a BMC tells of its restart has its source looked at', async () => {
  const bmc = await startWith({ PASSTHRU_EVENTS_VERIFY_INTERVAL: '1d' }, 'plain');
  const { verifyTime } = await begin();
  bmc.events.send([{ messageId: 'ResourceEvent.1.0.ResourceStateChanged', origin: '/redfish/v1/Managers/1' }]);
  await until(({ verifyTime: later }) => later!.getTime() > verifyTime!.getTime());
});

test('a BMC whose event service is switched off is told so, and heals when it is switched on', async () => {
  const bmc = await start('plain', 'events-disabled');
  await service!.core.eventSources.set('n1', { transport: 'push', selection: EVERYTHING }, caller);
  const { reason } = await until(({ state }) => state === 'failed');
  expect(reason).toContain('Switch on the EventService');
  expect(ours(bmc)).toEqual([]);
});
