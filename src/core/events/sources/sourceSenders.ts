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
  /** Whether it is read again, or was without success. */
  isRenewed: boolean;
}

/** Finds the sources of posts by the digest of their secret. */
export class SourceSenders implements PushSenders {
  readonly #store: Store;
  readonly #nodes: NodeManager;
  readonly #work: EventsWork;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  /** What is read from the store now, by digest: the posts of a sender that begin meanwhile wait for the same. */
  readonly #reading = new Map<string, Promise<PushSender | null>>();
  #forgotten = 0;

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
    return this.#knownBy(digest) ?? this.#read(digest);
  }

  findKnown(token: string): PushSender | null {
    return isSourceToken(token) ? this.#knownBy(sourceTokenDigest(token)) : null;
  }

  /** A sender that goes on to post is read again ahead of time: otherwise all of them would wait for the store at once. */
  #knownBy(digest: string): PushSender | null {
    const known = this.#known.get(digest);
    if (known === undefined) return null;
    const left = known.until - this.#now();
    if (left <= 0) {
      this.#known.delete(digest);
      return null;
    }
    if (left <= KNOWN_TIME / 2 && !known.isRenewed) {
      known.isRenewed = true;
      // The next post without a known sender meets the same error.
      this.#read(digest).catch(() => {});
    }
    return known.sender;
  }

  #read(digest: string): Promise<PushSender | null> {
    let reading = this.#reading.get(digest);
    if (reading === undefined) {
      reading = this.#readSource(digest).finally(() => this.#reading.delete(digest));
      this.#reading.set(digest, reading);
    }
    return reading;
  }

  async #readSource(digest: string): Promise<PushSender | null> {
    const forgotten = this.#forgotten;
    const source = await this.#store.findEventSource(digest);
    if (source === null || !source.digests.some((each) => isSameDigest(each, digest))) {
      this.#known.delete(digest);
      return null;
    }
    const node = await this.#nodes.get(source.nodeUuid);
    const sender = { nodeUuid: node.uuid, bmcHost: this.#hostOf(node) };
    // What was read before a change is not to be known after it.
    if (forgotten !== this.#forgotten) return sender;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(digest, { sender, until: this.#now() + KNOWN_TIME, isRenewed: false });
    return sender;
  }

  /** Asks the store again for the sender of a node. */
  forget(nodeUuid: string): void {
    this.#forgotten++;
    // A reading that is under way may have seen what was before.
    this.#reading.clear();
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
