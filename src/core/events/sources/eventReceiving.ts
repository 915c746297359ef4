import type { JsonObject } from '../../json.ts';
import type { Lease } from '../../locks/lease.ts';
import type { Locks } from '../../locks/locks.ts';
import type { Logger } from '../../logger.ts';
import type { NodeManager } from '../../nodeManager.ts';
import type { Observer } from '../../observer.ts';
import type { Registry } from '../../registry.ts';
import type { Store } from '../../store.ts';
import type { EventRecord } from '../event.ts';
import type { EventIntake, PushSenders } from '../eventIntake.ts';
import type { ReceivingSettings } from '../eventSources.ts';
import { Arrivals } from './arrivals.ts';
import { EventReconciler } from './eventReconciler.ts';
import { EventStreams } from './eventStreams.ts';
import { EventsWork } from './eventsWork.ts';
import { RestartSigns } from './restartSigns.ts';
import { SourceManager } from './sourceManager.ts';
import { SourceResolver } from './sourceResolver.ts';
import { SourceSenders } from './sourceSenders.ts';

interface ReceivingParts {
  store: Store;
  registry: Registry;
  nodes: NodeManager;
  locks: Locks;
  lease: Lease;
  host: string;
  log: Logger;
  /** Stores events. */
  intake: EventIntake;
  /** Reads what a BMC sent. Throws when it holds no events. */
  parse: (body: string) => EventRecord[];
  /** Milliseconds since 1970. Default: the clock of this machine. */
  now?: () => number;
}

/** The sources of events, as the core uses them. */
export interface EventReceiving {
  sources: SourceManager;
  senders: PushSenders;
  /** Where the receiver and streams deliver events. */
  intake: EventIntake;
  /** Notices calls that tell that a BMC may have restarted. */
  observer: Observer;
  /** Begins to look after sources. Until then they are left to other processes. Throws kind `store_unavailable`. */
  begin(settings: ReceivingSettings): Promise<void>;
  /** Looks for due sources now. */
  wake(): Promise<void>;
  /** Whether this process looks after the source of a node now. */
  running(nodeUuid: string): boolean;
  stop(): Promise<void>;
}

/** Assembles what looks after event sources. */
export function createEventReceiving(parts: ReceivingParts): EventReceiving {
  const { store, registry, nodes, locks, lease, host, log, now = Date.now } = parts;
  const work = new EventsWork({ registry, nodes, locks, lease, host, shared: store.shared, log });
  const senders = new SourceSenders(store, nodes, work);
  parts.intake.completeWith(new SourceResolver(nodes, work, parse(parts.parse)));
  const arrivals = new Arrivals(parts.intake, store, now, log);
  const sources = new SourceManager({ store, nodes, registry, now, log, senders });
  nodes.follower = sources;
  let reconciler: EventReconciler | null = null;
  const signs = new RestartSigns((nodeUuid) => void sources.look(nodeUuid));
  parts.intake.onStored((events) => signs.stored(events));
  const streams = new EventStreams({
    work,
    intake: arrivals,
    parse: parts.parse,
    now,
    changed: (nodeUuid) => void reconciler?.look(nodeUuid),
    storeClosed: store.closed,
    log,
  });
  return {
    sources,
    senders,
    intake: arrivals,
    observer: signs.observer,
    async begin(settings) {
      const serviceId = await store.serviceId();
      const test = { work, arrivals, now, testTimeout: settings.testTimeout };
      const common = { store, nodes, registry, lease, log };
      reconciler = new EventReconciler({ ...common, ...settings, ...test, streams, serviceId });
      sources.receiving = { reconciler, test };
      arrivals.start();
      reconciler.start();
    },
    wake: async () => reconciler?.wake(),
    running: (nodeUuid) => reconciler?.running(nodeUuid) ?? false,
    async stop() {
      signs.stop();
      await reconciler?.stop();
      await arrivals.stop();
    },
  };
}

/** Reads a document as if a BMC had sent it. */
function parse(read: (body: string) => EventRecord[]): (document: JsonObject) => EventRecord[] {
  return (document) => read(JSON.stringify(document));
}
