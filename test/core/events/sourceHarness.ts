import { vi } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import type { EventGap, EventRecord } from '../../../src/core/events/event.ts';
import type { EventIntake } from '../../../src/core/events/eventIntake.ts';
import type { EventSource } from '../../../src/core/events/eventSource.ts';
import type {
  BmcState,
  EventStreamSink,
  EventSubscription,
  EventsInterface,
  EventsTask,
  NewEventSubscription,
} from '../../../src/core/events/eventsInterface.ts';
import { createEventReceiving, type EventReceiving } from '../../../src/core/events/sources/eventReceiving.ts';
import type { HardwareType } from '../../../src/core/hardware.ts';
import { Running } from '../../../src/core/inFlight.ts';
import { Holds } from '../../../src/core/locks/holds.ts';
import { Lease } from '../../../src/core/locks/lease.ts';
import { LocalReservations } from '../../../src/core/locks/localReservations.ts';
import { Locks } from '../../../src/core/locks/locks.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Node } from '../../../src/core/node.ts';
import { NodeManager } from '../../../src/core/nodeManager.ts';
import { Registry } from '../../../src/core/registry.ts';
import type { Store } from '../../../src/core/store.ts';

export const operator: Caller = { name: 'operator', role: 'admin' };
export const EVERYTHING = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };
export const URL_OF_EVENTS = 'https://passthru.example:6386/events';
export const MINUTE = 60_000;

/** A BMC in memory, which tests break. */
export class FakeBmc {
  readonly subscriptions = new Map<string, EventSubscription>();
  /** Thrown by the next requests, by the name of the function; `all` by all. */
  readonly errors = new Map<keyof EventsInterface | 'all', Error>();
  /** The calls, in order. */
  readonly calls: string[] = [];
  readonly fences: (number | null)[] = [];
  state: BmcState = { clock: null, lastReset: null, subscriptions: null };
  /** Whether it drops contexts, as some do. */
  dropsContexts = false;
  /** Whether test events arrive. */
  delivers = true;
  hasTests = true;
  /** Opens a stream; null where it has none. */
  stream: ((lastEventId: string | null, sink: EventStreamSink, signal: AbortSignal) => Promise<void>) | null = null;
  /** Called with the destination of each test event. */
  onTest: (destination: string) => void = () => {};
  #last = 0;

  uris(): string[] {
    return [...this.subscriptions.keys()];
  }

  add(subscription: Omit<EventSubscription, 'uri'>): string {
    const uri = `/subscriptions/${++this.#last}`;
    this.subscriptions.set(uri, { uri, ...subscription });
    return uri;
  }

  check(name: keyof EventsInterface, task: EventsTask): void {
    task.signal.throwIfAborted();
    task.beforeSend();
    this.calls.push(name);
    if (name === 'subscribe' || name === 'unsubscribe') this.fences.push(task.fence);
    const error = this.errors.get(name) ?? this.errors.get('all');
    if (error !== undefined) throw error;
  }

  subscribe({ destination, context }: NewEventSubscription): string {
    return this.add({ destination, context: this.dropsContexts ? '' : context, fault: null });
  }
}

/** A hardware type whose nodes have the BMCs of `bmcs`, by the driver_info `bmc`. */
export function fakeHardware(bmcs: Map<string, FakeBmc>): HardwareType {
  const on = (name: keyof EventsInterface, task: EventsTask): FakeBmc => {
    const bmc = bmcs.get(String(task.node.driverInfo.bmc));
    if (bmc === undefined) throw new PassthruError('bmc_unreachable', 'no route to the host');
    bmc.check(name, task);
    return bmc;
  };
  const events: EventsInterface = {
    address: ({ driverInfo }: Node) => `https://${driverInfo.bmc}.example`,
    subscribe: async (task, subscription) => on('subscribe', task).subscribe(subscription),
    getSubscription: async (task, uri) => on('getSubscription', task).subscriptions.get(uri) ?? null,
    listSubscriptions: async (task) => ({
      subscriptions: [...on('listSubscriptions', task).subscriptions.values()],
      complete: true,
    }),
    unsubscribe: async (task, uri) => void on('unsubscribe', task).subscriptions.delete(uri),
    async requestTest(task) {
      const bmc = on('requestTest', task);
      if (!bmc.hasTests) throw new PassthruError('bmc_unsupported', 'The BMC has no test events');
      for (const { destination, fault } of bmc.subscriptions.values()) {
        if (fault === null && destination !== null) bmc.onTest(destination);
      }
      return 'TestMessage';
    },
    readState: async (task) => on('readState', task).state,
    async stream(task, lastEventId, sink) {
      const { stream } = on('stream', task);
      if (stream === null) throw new PassthruError('bmc_unsupported', 'The BMC has no stream');
      await stream(lastEventId, sink, task.signal);
    },
  };
  return { name: 'fake', vendorInterfaces: [{ name: 'no-vendor', methods: [] }], properties: {}, events };
}

/** An intake that keeps what it takes. */
export class FakeIntake implements EventIntake {
  readonly taken: { nodeUuid: string; records: readonly EventRecord[] }[] = [];
  readonly gaps: (EventGap & { nodeUuid: string })[] = [];
  /** The errors of the next attempts to store records with these message ids, the first one first. */
  readonly failures = new Map<string, unknown[]>();
  async take(nodeUuid: string, records: readonly EventRecord[]): Promise<void> {
    const failure = this.failures.get(records[0]?.messageId ?? '')?.shift();
    if (failure !== undefined) throw failure;
    this.taken.push({ nodeUuid, records });
  }
  async noteGap(nodeUuid: string, gap: EventGap): Promise<void> {
    this.gaps.push({ nodeUuid, ...gap });
  }
  onStored(): void {}
  completeWith(): void {}
}

export function recordOf(messageId: string): EventRecord {
  return {
    kind: 'record',
    bmcTime: null,
    messageId,
    registry: '',
    message: 'text',
    messageArgs: [],
    severity: 'ok',
    origin: '',
    eventType: 'Alert',
    bmcEventId: '1',
    raw: {},
    truncated: false,
    reference: null,
  };
}

/** One replica with its sources. */
export interface Replica {
  receiving: EventReceiving;
  nodes: NodeManager;
  locks: Locks;
  lease: Lease;
  intake: FakeIntake;
  /** Looks for due sources, and returns the source of the node when its pass has ended. */
  pass(ident?: string): Promise<EventSource>;
  /** Ends everything but the store. */
  stop(): Promise<void>;
}

/** The time of all replicas of a test. */
export class Clock {
  time = Date.parse('2026-05-01T12:00:00Z');
  now = (): number => this.time;
}

/** Starts a replica on `store`, with a node for each BMC that is not enrolled yet. Passes run when the test says so. */
export async function startReplica(
  store: Store,
  bmcs: Map<string, FakeBmc>,
  clock: Clock,
  options: { host?: string; url?: string | null; testInterval?: number | null; lease?: number } = {},
): Promise<Replica> {
  const { host = 'host-a', url = URL_OF_EVENTS, testInterval = 86_400_000, lease: leaseTime = 30_000 } = options;
  const log = silentLogger;
  const registry = new Registry([fakeHardware(bmcs)], []);
  const local = store.shared ? null : await LocalReservations.open(store);
  const lease = new Lease(store, { host, lease: leaseTime, grace: 0 }, log);
  const locks = new Locks(store, local, lease, { retryInterval: 10, defaultWait: 0, maxWait: 1000 }, log);
  const nodes = new NodeManager(store, registry, locks, new Holds(locks, 1e9, log), new Running(), host, log);
  await lease.start();
  const intake = new FakeIntake();
  const receiving = createEventReceiving({
    ...{ store, registry, nodes, locks, lease, host, log, intake, now: clock.now },
    parse: (body) => [recordOf(JSON.parse(body).MessageId)],
  });
  if (url !== null) await receiving.begin({ url, verifyInterval: 5 * MINUTE, testInterval, testTimeout: 50 });
  for (const [name, bmc] of bmcs) {
    bmc.onTest = (destination) => {
      if (!bmc.delivers) return;
      void receiving.senders.find(destination.split('/').at(-1)!).then(async (sender) => {
        if (sender !== null) await receiving.intake.take(sender.nodeUuid, [recordOf('Base.1.0.testmessage')]);
      });
    };
    if ((await store.getNodeByName(name)) === null) {
      await nodes.create({ name, driver: 'fake', driverInfo: { bmc: name } }, operator);
    }
  }
  return {
    ...{ receiving, nodes, locks, lease, intake },
    async pass(ident = 'n1') {
      await receiving.wake();
      return vi.waitFor(async () => {
        const source = (await store.getEventSource((await nodes.get(ident)).uuid))!;
        if (source === null) throw new Error('no source');
        // Due at once, or running.
        if (source.nextVerifyTime === null || source.nextVerifyTime.getTime() <= clock.time) throw new Error('due');
        if (receiving.running(source.nodeUuid)) throw new Error('running');
        return source;
      }, 20_000);
    },
    async stop() {
      await receiving.stop();
      await lease.stop();
    },
  };
}
