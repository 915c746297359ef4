import { NO_OBSERVER, type Observer } from '../../observer.ts';
import type { EventRecord, StoredEvent } from '../event.ts';

/** After how long a sign of the same node counts again, in milliseconds. */
const QUIET_TIME = 30_000;

/** When a node is looked at again after a sign, in milliseconds: a BMC tells of a restart before it goes, and takes a while. */
const SECOND_LOOK = 90_000;

/** The maximum number of nodes whose signs are remembered. */
const MAX_KNOWN = 10_000;

/** Message keys of restarts of a BMC: RAC0182 and RAC0704 are those of an iDRAC. */
const RESTART_KEY = /(?:bmc|manager|ilo|i?drac|xcc|imm|irmc|cimc).*(?:reset|reboot|restart|boot)|^RAC0?(?:182|704)$/i;

/** Message keys that mean a restart when they are about a manager. */
const CHANGE_KEY = /reset|reboot|restart|boot|powered|poweron|statechange|statuschange|resourcecreated/i;

const MANAGER = /\/Managers\/[^/]+\/?$/i;

/**
 * Notices what may tell that a BMC has restarted, after which some have lost their subscriptions: events that say so, and calls
 * that could not reach it. A wrong guess costs a request or two.
 */
export class RestartSigns {
  /** Notices failed calls. */
  readonly observer: Observer = {
    ...NO_OBSERVER,
    callEnded: ({ node }, { error }) => {
      if (node !== null && error?.kind === 'bmc_unreachable') this.#suspect(node.uuid);
    },
    jobEnded: ({ nodeUuid, error }) => {
      if (nodeUuid !== null && error?.kind === 'bmc_unreachable') this.#suspect(nodeUuid);
    },
  };
  readonly #look: (nodeUuid: string) => void;
  readonly #now: () => number;
  /** When the last sign of a node counted, by the monotonic clock. */
  readonly #known = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();

  /**
   * @param look has the event source of a node looked at, if it has one
   * @param now the monotonic clock, in milliseconds
   */
  constructor(look: (nodeUuid: string) => void, now: () => number = () => performance.now()) {
    this.#look = look;
    this.#now = now;
  }

  /** Notices events. */
  stored(events: readonly StoredEvent[]): void {
    for (const { nodeUuid, content } of events) {
      if (content.kind === 'record' && tellsOfRestart(content)) this.#suspect(nodeUuid);
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #suspect(nodeUuid: string): void {
    const last = this.#known.get(nodeUuid);
    if (last !== undefined && this.#now() - last < QUIET_TIME) return;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(nodeUuid, this.#now());
    this.#look(nodeUuid);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#look(nodeUuid);
    }, SECOND_LOOK).unref();
    this.#timers.add(timer);
  }
}

/** Whether a record tells that a BMC restarts or has restarted. */
export function tellsOfRestart({ messageId, origin }: Pick<EventRecord, 'messageId' | 'origin'>): boolean {
  const key = messageId.slice(messageId.lastIndexOf('.') + 1);
  return RESTART_KEY.test(key) || (MANAGER.test(origin) && CHANGE_KEY.test(key));
}
