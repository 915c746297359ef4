import { randomBytes } from 'node:crypto';
import type { Node } from '../node.ts';
import type { Reservation } from '../reservation.ts';
import type { ChangeBounds, NodeChange, NodePart } from './changeStore.ts';

/** The maximum number of changes kept, and of bytes about. */
const MAX_CHANGES = 20_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** About the bytes of a change beside its content. */
const CHANGE_BYTES = 300;

/** What a node was that was free: one object for all, as half of the changes begin a reservation. */
const UNRESERVED: Partial<Node> = Object.freeze({ reservation: null });

type Kept = NodeChange & { position: number };

/**
 * The log of changes of nodes of a store that is not shared, in memory, as its reservations of kind `call` are: a call writes
 * nothing. It begins with the first watch, so that nothing is kept while nobody watches, and ends with the process.
 */
export class LocalNodeChanges {
  readonly #log = randomBytes(8).toString('hex');
  /** The reservations that began since the log did. */
  readonly #reservations = new Map<string, Reservation>();
  #begun = false;
  #changes: Kept[] = [];
  /** How many of `#changes`, from the first, are forgotten but not yet removed. */
  #forgotten = 0;
  /** The bytes of these. */
  #forgottenBytes = 0;
  /** The bytes of the others. */
  #bytes = 0;
  #last = 0;

  /** Whether changes are kept. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Keeps the change of a reservation. */
  reservationChanged(nodeUuid: string, before: Reservation | null, after: Reservation | null): void {
    if (!this.#begun) return;
    if (after === null) this.#reservations.delete(nodeUuid);
    else this.#reservations.set(nodeUuid, after);
    this.#add(nodeUuid, 'reservation', before === null ? UNRESERVED : { reservation: before }, 0);
  }

  /**
   * Keeps a committed change of another part.
   * @param before see `NodeChange`; the store does not know the reservation
   * @param bytes about the size of `before`
   */
  add(nodeUuid: string, part: NodePart, before: Partial<Node> | null, bytes: number): void {
    if (!this.#begun) return;
    const removed = part === 'existence' && before !== null;
    const reservation = this.#reservations.get(nodeUuid) ?? null;
    this.#add(nodeUuid, part, removed ? { ...before, reservation } : before, bytes);
  }

  #add(nodeUuid: string, part: NodePart, before: Partial<Node> | null, bytes: number): void {
    const position = ++this.#last;
    this.#changes.push({ position, order: position, nodeUuid, part, before, bytes: bytes + CHANGE_BYTES });
    this.#bytes += bytes + CHANGE_BYTES;
    while (this.#bytes > MAX_BYTES || this.#changes.length - this.#forgotten > MAX_CHANGES) {
      const { bytes } = this.#changes[this.#forgotten++]!;
      this.#bytes -= bytes;
      this.#forgottenBytes += bytes;
    }
    if (this.#forgotten > MAX_CHANGES / 8 || this.#forgottenBytes > MAX_BYTES / 8) {
      this.#changes = this.#changes.slice(this.#forgotten);
      this.#forgotten = 0;
      this.#forgottenBytes = 0;
    }
  }

  /** Begins the log, if it has not begun. */
  bounds(): ChangeBounds {
    this.#begun = true;
    return { log: this.#log, floor: this.#floor, last: this.#last };
  }

  /** Returns the first changes above `after`. They are in memory anyway, so that their size is no matter. */
  above(after: number, limit: number): NodeChange[] {
    const from = this.#forgotten + Math.max(0, after - this.#floor);
    return this.#changes.slice(from, from + limit);
  }

  /** Implements `Store.nextNodeChanges`. */
  next(changes: readonly NodeChange[]): NodeChange[] {
    const nodes = new Set(changes.map(({ nodeUuid }) => nodeUuid));
    const last = Math.max(...changes.map(({ order }) => order));
    const next = new Map<string, NodeChange>();
    for (const change of this.above(last, MAX_CHANGES)) {
      const key = `${change.nodeUuid} ${change.part}`;
      if (nodes.has(change.nodeUuid) && !next.has(key)) next.set(key, change);
    }
    return [...next.values()];
  }

  /** Returns which of these nodes have changes above `after`. */
  changedSince(uuids: readonly string[], after: number): Set<string> {
    const asked = new Set(uuids);
    const changed = this.above(after, MAX_CHANGES).map(({ nodeUuid }) => nodeUuid);
    return new Set(changed.filter((uuid) => asked.has(uuid)));
  }

  get #floor(): number {
    return this.#last - (this.#changes.length - this.#forgotten);
  }
}
