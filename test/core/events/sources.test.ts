import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { EventStreamSink } from '../../../src/core/events/eventsInterface.ts';
import { newSourceToken } from '../../../src/core/events/sources/sourceToken.ts';
import type { Store } from '../../../src/core/store.ts';
import { openMemoryStore } from '../harness.ts';
import {
  Clock,
  EVERYTHING,
  FakeBmc,
  MINUTE,
  operator,
  type Replica,
  startReplica,
  URL_OF_EVENTS,
} from './sourceHarness.ts';

const ANY = { transport: null, selection: EVERYTHING };
let store: Store;
let bmc: FakeBmc;
let bmcs: Map<string, FakeBmc>;
let clock: Clock;
let replica: Replica;

beforeEach(async () => {
  store = await openMemoryStore();
  bmc = new FakeBmc();
  bmcs = new Map([['n1', bmc]]);
  clock = new Clock();
  replica = await startReplica(store, bmcs, clock);
});
afterEach(async () => {
  await replica.stop();
  await store.close();
});

/** Sets the source of n1, and returns it after its first pass. */
async function begin() {
  await replica.receiving.sources.set('n1', ANY, operator);
  return replica.pass();
}

/** Lets the source become due, and returns it after its pass. */
async function later(minutes = 6) {
  clock.time += minutes * MINUTE;
  return replica.pass();
}

function tokenOf(destination: string | null | undefined): string {
  return destination!.split('/').at(-1)!;
}

const gaps = () => replica.intake.gaps.map(({ start, end, message }) => [start.getTime(), end.getTime(), message]);

describe('a source', () => {
  test('becomes active: the BMC has a subscription with a context, and its test event has arrived', async () => {
    const source = await begin();
    expect(source).toMatchObject({ state: 'active', reason: null, activeTransport: 'push', renewals: 0 });
    expect(source.lastTest).toMatchObject({ error: null, roundTrip: expect.any(Number) });
    expect(source.subscription).toBe('/subscriptions/1');
    const [subscription] = bmc.subscriptions.values();
    const node = await replica.nodes.get('n1');
    expect(subscription!.context).toBe(`passthru:${await store.serviceId()}:${node.uuid}:1`);
    expect(subscription!.destination).toMatch(/^https:\/\/passthru\.example:6386\/events\/passthru_evt_[\w-]{43}$/);
    expect(gaps()).toEqual([]);
  });

  test('is looked after outside the request that set it, whose id the log would show for others', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    bmc.onTest = () => seen.push(request.getStore());
    await request.run('req-1', begin);
    expect(seen).toEqual([undefined]);
  });

  test('is verified by one look at its subscription, and changes nothing then', async () => {
    await begin();
    bmc.calls.length = 0;
    expect(await later()).toMatchObject({ state: 'active', lastDrift: null, renewals: 0 });
    expect(bmc.calls).toEqual(['readState', 'getSubscription']);
  });

  test('changes the BMC under the reservation of the node', async () => {
    await begin();
    expect(bmc.fences.every((fence) => fence !== null)).toBe(true);
    expect((await store.getNodeByName('n1'))?.reservation).toBeNull();
  });

  test('does nothing while the node is locked, says so, and goes on when it is free', async () => {
    const { reservationKey } = await replica.nodes.lock('n1', {
      holder: 'somebody',
      lockWait: 0,
      caller: operator,
      signal: new AbortController().signal,
    });
    const source = await begin();
    expect(source).toMatchObject({ state: 'degraded', reason: expect.stringContaining('The node is locked') });
    expect(bmc.uris()).toEqual([]);
    await replica.nodes.unlock('n1', operator, reservationKey);
    expect(await later()).toMatchObject({ state: 'active' });
  });

  test('that is set again the same is not touched', async () => {
    await begin();
    const again = await replica.receiving.sources.set('n1', ANY, operator);
    expect(again).toMatchObject({ state: 'active', updateTime: null });
  });

  test('with another wish gets another subscription, without a time in which none is there', async () => {
    const before = await begin();
    const old = tokenOf(bmc.subscriptions.get(before.subscription!)?.destination);
    const selection = { ...EVERYTHING, registryPrefixes: ['ResourceEvent'] };
    await replica.receiving.sources.set('n1', { transport: 'push', selection }, operator);
    expect(await replica.pass()).toMatchObject({ state: 'active', subscription: '/subscriptions/2' });
    expect(bmc.uris()).toEqual(['/subscriptions/2']);
    const changes = bmc.calls.filter((call) => /^(un)?subscribe$/.test(call));
    expect(changes).toEqual(['subscribe', 'subscribe', 'unsubscribe']);
    expect(await store.findEventSource(old)).toBeNull();
    expect(gaps()).toEqual([]);
  });
});

describe('a subscription that is not as wished', () => {
  test('and was lost is made again; the time in which nothing could arrive is told', async () => {
    const before = await begin();
    const verified = clock.time;
    bmc.subscriptions.clear();
    const after = await later();
    expect(after).toMatchObject({ state: 'active', lastDrift: 'the BMC had lost the subscription', renewals: 1 });
    expect(after.subscription).not.toBe(before.subscription);
    expect(gaps()).toEqual([
      [expect.any(Number), clock.time, 'Nothing could arrive: the BMC had lost the subscription'],
    ]);
    expect(replica.intake.gaps[0]!.start.getTime()).toBeGreaterThanOrEqual(verified);
  });

  test('and was disabled is replaced', async () => {
    const { subscription } = await begin();
    bmc.subscriptions.get(subscription!)!.fault = 'Status.State is Disabled';
    const drift =
      'removed 1 subscription of an earlier time; the BMC had disabled the subscription (Status.State is Disabled)';
    expect(await later()).toMatchObject({ state: 'active', lastDrift: drift });
    expect(bmc.uris()).toEqual(['/subscriptions/2']);
    expect(gaps()).toHaveLength(1);
  });

  test('and leads elsewhere by now is replaced', async () => {
    const { subscription } = await begin();
    bmc.subscriptions.get(subscription!)!.destination = 'https://elsewhere.example/';
    expect(await later()).toMatchObject({
      lastDrift: expect.stringContaining('the destination of the subscription was changed'),
    });
    expect(bmc.uris()).toEqual(['/subscriptions/2']);
  });

  test('and was given another URI by the BMC is found again', async () => {
    const { subscription } = await begin();
    const { destination, context } = bmc.subscriptions.get(subscription!)!;
    bmc.subscriptions.clear();
    const moved = bmc.add({ destination, context, fault: null });
    expect(await later()).toMatchObject({ state: 'active', subscription: moved, renewals: 0 });
    expect(bmc.uris()).toEqual([moved]);
  });

  test('and is there twice loses its twins, also of an earlier time, and never others', async () => {
    const { subscription } = await begin();
    const ours = bmc.subscriptions.get(subscription!)!;
    const node = await replica.nodes.get('n1');
    const others = [
      bmc.add({ destination: 'https://other.example/in', context: 'theirs', fault: null }),
      bmc.add({ destination: `${URL_OF_EVENTS}/${newSourceToken()}`, context: '', fault: null }),
      bmc.add({
        destination: ours.destination!.slice(0, -1),
        context: `passthru:another:${node.uuid}:1`,
        fault: 'off',
      }),
    ];
    bmc.add({ destination: ours.destination, context: '', fault: null });
    bmc.add({ destination: 'https://old.example/x', context: ours.context!.replace(/1$/, '0'), fault: null });
    // Found when the replica looks at all subscriptions, as it does after a start.
    await replica.stop();
    replica = await startReplica(store, bmcs, clock);
    expect(await replica.pass()).toMatchObject({ state: 'active', subscription });
    expect(bmc.uris()).toEqual([subscription, ...others]);
  });

  test('is recognised by its destination where the BMC drops contexts', async () => {
    bmc.dropsContexts = true;
    await begin();
    await replica.stop();
    replica = await startReplica(store, bmcs, clock);
    expect(await replica.pass()).toMatchObject({ state: 'active', renewals: 0 });
    expect(bmc.uris()).toEqual(['/subscriptions/1']);
  });

  test('is found again when a process was lost between making and recording it', async () => {
    await replica.receiving.sources.set('n1', ANY, operator);
    const made = bmc.subscribe.bind(bmc);
    bmc.subscribe = (subscription) => {
      made(subscription);
      throw new PassthruError('outcome_unknown', 'no response');
    };
    expect(await replica.pass()).toMatchObject({ state: 'degraded', subscription: null });
    bmc.subscribe = made;
    expect(await later()).toMatchObject({ state: 'active', subscription: '/subscriptions/1', renewals: 0 });
    expect(bmc.uris()).toEqual(['/subscriptions/1']);
  });

  test('of another events.url is replaced', async () => {
    await begin();
    await replica.stop();
    replica = await startReplica(store, bmcs, clock, { url: 'https://new.example/events' });
    expect(await replica.pass()).toMatchObject({ lastDrift: expect.stringContaining('another events.url') });
    expect([...bmc.subscriptions.values()].map(({ destination }) => destination)).toEqual([
      expect.stringMatching(/^https:\/\/new\.example\/events\//),
    ]);
  });

  test('stays where this replica has no events.url', async () => {
    await begin();
    await replica.stop();
    replica = await startReplica(store, bmcs, clock, { url: null });
    await replica.receiving.wake();
    expect(bmc.uris()).toHaveLength(1);
    await expect(replica.receiving.sources.set('n1', ANY, operator)).rejects.toMatchObject({
      kind: 'failed_precondition',
      message: expect.stringContaining('events.listen'),
    });
    replica = await startReplica(store, bmcs, clock);
    expect(await replica.pass()).toMatchObject({ state: 'active', renewals: 0 });
  });
});

describe('a BMC', () => {
  test.each([
    ['cannot be reached', new PassthruError('bmc_unreachable', 'connection refused'), 'The BMC cannot be reached'],
    ['has another certificate', new PassthruError('bmc_tls_failed', 'self-signed'), 'set redfish_verify_ca'],
    [
      'refuses the password',
      new PassthruError('bmc_refused', 'HTTP 401', { bmc: { status: 401, extendedInfo: [] } }),
      'correct them in the driver_info',
    ],
    ['has no room', new PassthruError('bmc_refused', 'Base.1.4.EventSubscriptionLimitExceeded'), 'has no room'],
    [
      'has its events switched off',
      new PassthruError('bmc_unsupported', 'ServiceEnabled is false'),
      'Switch on the EventService',
    ],
    [
      'does not take the destination',
      new PassthruError('bmc_refused', 'Destination must be https'),
      'events.url as a destination',
    ],
  ])('that %s is told with what to do, and the source heals when that is over', async (_what, error, advice) => {
    bmc.errors.set('subscribe', error);
    const source = await begin();
    expect(source).toMatchObject({ reason: expect.stringContaining(advice), subscription: null });
    expect(['degraded', 'failed']).toContain(source.state);
    expect(source.nextVerifyTime!.getTime() - clock.time).toBeLessThanOrEqual(5.5 * MINUTE);
    bmc.errors.clear();
    expect(await later()).toMatchObject({ state: 'active', reason: null });
  });

  test('that was away loses nothing, and the time is told', async () => {
    const { subscription } = await begin();
    bmc.errors.set('all', new PassthruError('bmc_unreachable', 'connection refused'));
    expect(await later()).toMatchObject({ state: 'degraded', subscription });
    bmc.errors.clear();
    expect(await later()).toMatchObject({ state: 'active', subscription });
    expect(gaps()).toEqual([[expect.any(Number), clock.time, 'Events may be missing: the BMC could not be reached']]);
  });

  test('that has restarted is noticed by its own time, however wrong its clock is', async () => {
    const ahead = 365 * 86_400_000;
    bmc.state = {
      clock: new Date(clock.time + ahead),
      lastReset: new Date(clock.time + ahead - 86_400_000),
      subscriptions: null,
    };
    await begin();
    const restart = clock.time + 3 * MINUTE;
    clock.time += 6 * MINUTE;
    bmc.state = { clock: new Date(clock.time + ahead), lastReset: new Date(restart + ahead), subscriptions: null };
    const source = await replica.pass();
    expect(source).toMatchObject({ state: 'active', lastDrift: 'the BMC had restarted' });
    expect(gaps()).toEqual([[restart, clock.time, 'Nothing could arrive: the BMC restarted']]);
  });

  test('whose test event does not arrive is told, with its wrong clock, and tested again', async () => {
    bmc.delivers = false;
    bmc.state = { clock: new Date(clock.time + 3 * 86_400_000), lastReset: null, subscriptions: null };
    const source = await begin();
    expect(source.state).toBe('degraded');
    expect(source.reason).toContain('No test event arrived');
    expect(source.reason).toContain('The clock of the BMC is 3 days ahead');
    expect(source.lastTest).toMatchObject({ roundTrip: null, error: expect.stringContaining('No test event') });
    bmc.delivers = true;
    expect(await later()).toMatchObject({ state: 'active', reason: null });
  });

  test('that selects some events is active although no test event arrives, and tells so', async () => {
    bmc.delivers = false;
    const selection = { ...EVERYTHING, severities: ['critical' as const] };
    await replica.receiving.sources.set('n1', { transport: null, selection }, operator);
    const { state, lastTest } = await replica.pass();
    expect(state).toBe('active');
    expect(lastTest?.error).toContain('check that the selection leaves test events in');
    const tests = bmc.calls.filter((name) => name === 'requestTest').length;
    await later();
    expect(bmc.calls.filter((name) => name === 'requestTest')).toHaveLength(tests);
  });

  test('without test events is active all the same', async () => {
    bmc.hasTests = false;
    expect(await begin()).toMatchObject({ state: 'active', lastTest: null });
    await expect(replica.receiving.sources.test('n1', operator, new AbortController().signal)).rejects.toMatchObject({
      kind: 'bmc_unsupported',
    });
  });

  test('that another node has now gets no word of the old one: the secret is another', async () => {
    await begin();
    const old = tokenOf([...bmc.subscriptions.values()][0]?.destination);
    expect(await replica.receiving.senders.find(old)).toMatchObject({ bmcHost: 'n1.example' });
    bmcs.set('n2', new FakeBmc());
    await replica.nodes.update('n1', () => ({ driverInfo: { bmc: 'n2' } }), operator, new AbortController().signal);
    expect(await replica.pass()).toMatchObject({ subscription: '/subscriptions/1' });
    expect(bmcs.get('n2')!.uris()).toHaveLength(1);
    const { nodes } = replica;
    const [later] = bmcs.get('n2')!.subscriptions.values();
    expect(tokenOf(later!.destination)).not.toBe(old);
    expect((await nodes.get('n1')).driverInfo).toEqual({ bmc: 'n2' });
  });

  /** Gives n1 another BMC. */
  async function move(): Promise<FakeBmc> {
    const other = new FakeBmc();
    other.delivers = false;
    bmcs.set('n2', other);
    await replica.nodes.update('n1', () => ({ driverInfo: { bmc: 'n2' } }), operator, new AbortController().signal);
    return other;
  }

  test.each([false, true])(
    'that has another BMC leaves nothing at the one before; contexts dropped: %s',
    async (drops) => {
      bmc.dropsContexts = drops;
      const others = bmc.add({ destination: 'https://other.example/', context: 'of another', fault: null });
      await begin();
      expect(bmc.uris()).toHaveLength(2);
      const other = await move();
      const { nodeUuid } = await replica.pass();
      expect(bmc.uris()).toEqual([others]);
      expect(other.uris()).toHaveLength(1);
      expect((await store.getEventSource(nodeUuid))!.formerNode).toBeNull();
    },
  );

  test('does not wait for the BMC that its node had before, which is tried a few times', async () => {
    await begin();
    const left = bmc.uris();
    bmc.errors.set('all', new PassthruError('bmc_unreachable', 'connection refused'));
    const other = await move();
    const tries = () => bmc.calls.filter((name) => name === 'listSubscriptions').length;
    const before = tries();
    const { nodeUuid } = await replica.pass();
    expect(other.uris()).toHaveLength(1);
    expect((await store.getEventSource(nodeUuid))!.formerNode).toMatchObject({ driverInfo: { bmc: 'n1' } });
    for (let pass = 0; pass < 8; pass++) await later();
    expect(tries() - before).toBe(5);
    expect((await store.getEventSource(nodeUuid))!.formerNode).toBeNull();
    expect(bmc.uris()).toEqual(left);
    expect(other.uris()).toHaveLength(1);
  });

  test('keeps its subscription when other parts of driver_info change', async () => {
    const { nodeUuid } = await begin();
    const subscriptions = [...bmc.subscriptions.values()];
    const changes = () => ({ driverInfo: { bmc: 'n1', password: 'another' } });
    await replica.nodes.update('n1', changes, operator, new AbortController().signal);
    await replica.pass();
    expect([...bmc.subscriptions.values()]).toEqual(subscriptions);
    expect((await store.getEventSource(nodeUuid))!.formerNode).toBeNull();
  });
});

describe('test events', () => {
  test('prove a source, and tell how long they took', async () => {
    await begin();
    const source = await replica.receiving.sources.test('n1', operator, new AbortController().signal);
    expect(source.lastTest).toMatchObject({ error: null, roundTrip: expect.any(Number) });
  });

  test('that do not arrive are an error, and the source tells why', async () => {
    await begin();
    bmc.delivers = false;
    await expect(replica.receiving.sources.test('n1', operator, new AbortController().signal)).rejects.toMatchObject({
      kind: 'deadline_exceeded',
    });
    expect(await replica.pass()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('No test event') });
  });

  test('are requested on a schedule', async () => {
    await begin();
    bmc.calls.length = 0;
    await later();
    expect(bmc.calls).not.toContain('requestTest');
    await later(1500);
    expect(bmc.calls).toContain('requestTest');
  });
});

describe('the owner of a source', () => {
  test('is one replica; another takes over when its lease has ended, and finds what it had made', async () => {
    const shared = await openMemoryStore(true);
    const one = await startReplica(shared, bmcs, clock, { host: 'host-a', testInterval: null });
    const two = await startReplica(shared, bmcs, clock, { host: 'host-b', testInterval: null });
    await one.receiving.sources.set('n1', ANY, operator);
    const { subscription } = await one.pass();
    expect(await two.pass()).toMatchObject({ owner: 'host-a', state: 'active' });
    bmc.calls.length = 0;
    clock.time += 6 * MINUTE;
    await two.receiving.wake();
    expect(bmc.calls).toEqual([]);
    // As a process does that is killed: nothing is let go, and its lease ends.
    await shared.removeConductor(one.lease.current().id);
    expect(await two.pass()).toMatchObject({ owner: 'host-b', state: 'active', subscription, renewals: 0 });
    expect(bmc.uris()).toEqual([subscription]);
    // What the lost one still knows is not recorded.
    await one.receiving.wake();
    expect(await two.receiving.sources.get('n1')).toMatchObject({ owner: 'host-b', state: 'active' });
    await one.stop();
    await two.stop();
    await shared.close();
  });
});

describe('deletion', () => {
  test('of a source removes its subscription, and then the source', async () => {
    await begin();
    await replica.receiving.sources.delete('n1', operator);
    const { uuid } = await replica.nodes.get('n1');
    await vi.waitFor(async () => expect(await store.getEventSource(uuid)).toBeNull());
    expect(bmc.uris()).toEqual([]);
    await expect(replica.receiving.sources.get('n1')).rejects.toMatchObject({ kind: 'event_source_not_found' });
  });

  test('of a node removes its subscription before it returns', async () => {
    await begin();
    await replica.nodes.delete('n1', operator, new AbortController().signal);
    expect(bmc.uris()).toEqual([]);
    expect(await store.countEventSources()).toEqual([]);
  });

  test('of a node whose BMC is away is done when it is back, and posts are refused meanwhile', async () => {
    await begin();
    const token = tokenOf([...bmc.subscriptions.values()][0]?.destination);
    bmc.errors.set('all', new PassthruError('bmc_unreachable', 'connection refused'));
    await replica.nodes.delete('n1', operator, new AbortController().signal);
    expect(await replica.receiving.senders.find(token)).toBeNull();
    expect(await store.countEventSources()).toEqual([{ state: 'deleting', count: 1 }]);
    bmc.errors.clear();
    clock.time += 10 * MINUTE;
    await replica.receiving.wake();
    await vi.waitFor(async () => expect(await store.countEventSources()).toEqual([]));
    expect(bmc.uris()).toEqual([]);
  });

  test('that is followed by a new wish keeps the source', async () => {
    await begin();
    bmc.errors.set('all', new PassthruError('bmc_unreachable', 'connection refused'));
    await replica.receiving.sources.delete('n1', operator);
    await replica.receiving.sources.set('n1', ANY, operator);
    bmc.errors.clear();
    await replica.receiving.wake();
    clock.time += 10 * MINUTE;
    expect(await replica.pass()).toMatchObject({ state: 'active' });
    expect(bmc.uris()).toHaveLength(1);
  });
});

describe('a stream', () => {
  /** The streams that are open, the newest last. */
  const open: { sink: EventStreamSink; lastEventId: string | null; end(error?: Error): void }[] = [];
  const serve = (lastEventId: string | null, sink: EventStreamSink, signal: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    open.push({ sink, lastEventId, end: (error) => (error === undefined ? resolve() : reject(error)) });
    sink.opened();
    return promise;
  };
  beforeEach(() => {
    open.length = 0;
  });

  test('brings the events where it is wished, and resumes after the last one', async () => {
    bmc.hasTests = false;
    bmc.stream = serve;
    await replica.receiving.sources.set('n1', { ...ANY, transport: 'sse' }, operator);
    expect(await replica.pass()).toMatchObject({ state: 'active', activeTransport: 'sse', subscription: null });
    await open[0]!.sink.event('7', '{"MessageId":"A.1.0.B"}');
    expect(replica.intake.taken).toHaveLength(1);
    clock.time += 5 * MINUTE;
    open[0]!.end(new PassthruError('bmc_unreachable', 'the connection was reset'));
    await vi.waitFor(() => expect(open).toHaveLength(2), 10_000);
    expect(open[1]!.lastEventId).toBe('7');
    await vi.waitFor(() => expect(gaps()).toHaveLength(1));
    expect(gaps()[0]![2]).toContain('The stream of events was broken');
  });

  test.each([
    ['a defect', () => new Error('value out of range'), false],
    ['the store is away', () => new PassthruError('store_unavailable', 'away'), true],
    ['too many arrive', () => new PassthruError('rate_limited', 'later'), true],
  ])('does not stop at an event that cannot be stored: %s', async (_, failure, isStored) => {
    bmc.hasTests = false;
    bmc.stream = serve;
    await replica.receiving.sources.set('n1', { ...ANY, transport: 'sse' }, operator);
    await replica.pass();
    replica.intake.failures.set('A.1.0.Bad', Array.from({ length: 4 }, failure));
    await open[0]!.sink.event('7', '{"MessageId":"A.1.0.Bad"}');
    await open[0]!.sink.event('8', '{"MessageId":"A.1.0.Good"}');
    const stored = replica.intake.taken.flatMap(({ records }) => records.map(({ messageId }) => messageId));
    expect(stored).toEqual(isStored ? ['A.1.0.Bad', 'A.1.0.Good'] : ['A.1.0.Good']);
    expect(gaps().map(([, , message]) => message)).toEqual(
      isStored ? [] : [expect.stringContaining('an event that cannot be stored')],
    );
  });

  test('is read where the BMC takes no subscription, unless push is wished', async () => {
    bmc.hasTests = false;
    bmc.stream = serve;
    bmc.errors.set('subscribe', new PassthruError('bmc_refused', 'EventSubscriptionLimitExceeded'));
    expect(await begin()).toMatchObject({ state: 'active', activeTransport: 'sse' });
    await replica.receiving.sources.set('n1', { ...ANY, transport: 'push' }, operator);
    expect(await replica.pass()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('has no room') });
  });

  test('that the BMC does not have is told', async () => {
    await replica.receiving.sources.set('n1', { ...ANY, transport: 'sse' }, operator);
    expect(await replica.pass()).toMatchObject({ state: 'failed', reason: expect.stringContaining('no stream') });
  });
});

describe('the secret of a source', () => {
  test('finds the node while the source is there, and nothing else does', async () => {
    await begin();
    const { uuid } = await replica.nodes.get('n1');
    const token = tokenOf([...bmc.subscriptions.values()][0]?.destination);
    expect(await replica.receiving.senders.find(token)).toEqual({ nodeUuid: uuid, bmcHost: 'n1.example' });
    for (const wrong of ['', 'x', newSourceToken(), token.slice(0, -1), `${token}x`]) {
      expect(await replica.receiving.senders.find(wrong)).toBeNull();
    }
  });

  test('is shown nowhere', async () => {
    const source = await begin();
    const token = tokenOf([...bmc.subscriptions.values()][0]?.destination);
    const { sources } = await replica.receiving.sources.list({ limit: 10, after: null, state: null, driver: null });
    bmc.errors.set('all', new PassthruError('bmc_refused', `Destination ${URL_OF_EVENTS}/${token} is refused`));
    const refused = await later();
    expect(refused.reason).toContain('******');
    expect(JSON.stringify([source, sources, refused, await store.getEventSource(source.nodeUuid)])).not.toContain(
      token,
    );
  });
});
