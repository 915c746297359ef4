import { isSameDigest } from '../../locks/reservationKey.ts';
import type { NodeManager } from '../../nodeManager.ts';
import type { Store } from '../../store.ts';
import type { PushSender, PushSenders } from '../eventIntake.ts';
import type { EventsWork } from './eventsWork.ts';
import { isSourceToken, sourceTokenDigest } from './sourceToken.ts';

/** How long a sender is known without asking the store, in milliseconds: another replica may have given it another secret. */
const KNOWN_TIME = 5000;

/** The maximum number of senders that are known. */
const MAX_KNOWN = 20_000;

interface Known {
  sender: PushSender;
  until: number;
}

/** Finds the sources of posts by the digest of their secret. */
export class SourceSenders implements PushSenders {
  readonly #store: Store;
  readonly #nodes: NodeManager;
  readonly #work: EventsWork;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();

  /** @param now the monotonic clock, in milliseconds */
  constructor(store: Store, nodes: NodeManager, work: EventsWork, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#nodes = nodes;
    this.#work = work;
    this.#now = now;
  }

  async find(token: string): Promise<PushSender | null> {
    if (!isSourceToken(token)) return null;
    // Digests tell nothing about the secret, so that looking them up in an index needs no constant time.
    const digest = sourceTokenDigest(token);
    const known = this.#knownBy(digest);
    if (known !== null) return known;
    const source = await this.#store.findEventSource(digest);
    if (source === null || !source.digests.some((each) => isSameDigest(each, digest))) return null;
    const node = await this.#nodes.get(source.nodeUuid);
    const sender = { nodeUuid: node.uuid, bmcHost: this.#hostOf(node) };
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(digest, { sender, until: this.#now() + KNOWN_TIME });
    return sender;
  }

  findKnown(token: string): PushSender | null {
    return isSourceToken(token) ? this.#knownBy(sourceTokenDigest(token)) : null;
  }

  #knownBy(digest: string): PushSender | null {
    const known = this.#known.get(digest);
    if (known === undefined) return null;
    if (this.#now() < known.until) return known.sender;
    this.#known.delete(digest);
    return null;
  }

  /** Asks the store again for the sender of a node. */
  forget(nodeUuid: string): void {
    for (const [digest, { sender }] of this.#known) if (sender.nodeUuid === nodeUuid) this.#known.delete(digest);
  }

  #hostOf(node: Parameters<EventsWork['read']>[0]): string | null {
    try {
      return URL.parse(this.#work.interfaceOf(node).address(node))?.hostname.replace(/^\[|\]$/g, '') ?? null;
    } catch {
      return null;
    }
  }
}
