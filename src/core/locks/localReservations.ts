import type { Reservation } from '../reservation.ts';
import type { Acquired, Store } from '../store.ts';

/** The maximum number of nodes whose last fence is kept. */
const MAX_FENCES = 100_000;

interface Present {
  reservation: Reservation;
  fence: number;
  /** The fence of the stored reservation; null for a `call`, which is not stored. */
  storedFence: number | null;
}

/** The reservations of a store that is not shared, in memory, as a `call` ends with its process; `held` ones are stored too. */
export class LocalReservations {
  readonly #store: Store;
  readonly #present = new Map<string, Present>();
  /** The last fence of each node, removed ones included: a caller may have read such a node before its removal. */
  readonly #fences = new Map<string, number>();
  /** The last fence of all other nodes. */
  #start: number;
  #changes = 0;

  /** Loads the held reservations. Throws kind `store_unavailable`. */
  static async open(store: Store): Promise<LocalReservations> {
    const { fence, held } = await store.openReservations();
    const local = new LocalReservations(store, fence);
    for (const { nodeUuid, reservation } of held) {
      local.#present.set(nodeUuid, { reservation, fence, storedFence: fence });
    }
    return local;
  }

  private constructor(store: Store, fence: number) {
    this.#store = store;
    this.#start = fence;
  }

  /** The number of reservations that began or ended; while it is unchanged, so are the nodes. */
  get changes(): number {
    return this.#changes;
  }

  /** Returns a node's reservation; null when it is free. */
  get(nodeUuid: string): Reservation | null {
    return this.#present.get(nodeUuid)?.reservation ?? null;
  }

  /** Returns the fence of a node's present reservation, or of its last one. */
  fence(nodeUuid: string): number {
    return this.#present.get(nodeUuid)?.fence ?? this.#fences.get(nodeUuid) ?? this.#start;
  }

  /** As `Store.acquire`, but the caller of a `call` checks whether the node exists once it holds it. */
  async acquire(nodeUuid: string, reservation: Reservation, conductor: string): Promise<Acquired> {
    const present = this.#present.get(nodeUuid);
    if (present !== undefined) return { ...present, outcome: 'locked' };
    let storedFence: number | null = null;
    if (reservation.kind === 'held') {
      const stored = await this.#store.acquire(nodeUuid, reservation, conductor);
      if (stored.outcome !== 'acquired') return stored;
      storedFence = stored.fence;
    }
    const fence = this.fence(nodeUuid) + 1;
    this.#changes++;
    this.#present.set(nodeUuid, { reservation, fence, storedFence });
    this.#keepFence(nodeUuid, fence);
    return { outcome: 'acquired', fence };
  }

  /** Releases a `call`, unless it has ended or the reservation is another one. */
  releaseCall(nodeUuid: string, fence: number): void {
    const present = this.#present.get(nodeUuid);
    if (present?.fence !== fence || present.storedFence !== null) return;
    this.#changes++;
    this.#present.delete(nodeUuid);
  }

  /** As `Store.release`, for one that is `held`. */
  async release(nodeUuid: string, fence: number): Promise<boolean> {
    const present = this.#present.get(nodeUuid);
    if (present?.fence !== fence || present.storedFence === null) return false;
    const released = await this.#store.release(nodeUuid, present.storedFence);
    // Another caller may have released it meanwhile.
    if (this.#present.get(nodeUuid) === present) {
      this.#changes++;
      this.#present.delete(nodeUuid);
    }
    return released;
  }

  /** Names the job that runs under a reservation. */
  nameJob(nodeUuid: string, fence: number, job: string): void {
    const present = this.#present.get(nodeUuid);
    if (present?.fence === fence) present.reservation = { ...present.reservation, job };
  }

  #keepFence(nodeUuid: string, fence: number): void {
    if (this.#fences.size >= MAX_FENCES) {
      // Every node starts above all fences so far; content known under an older one is read again.
      for (const last of this.#fences.values()) this.#start = Math.max(this.#start, last);
      this.#fences.clear();
    }
    this.#fences.set(nodeUuid, fence);
  }
}
