import type { Reservation } from '../reservation.ts';
import type { Acquired, Hold, NewReservation, Store } from '../store.ts';
import { isSameDigest } from './reservationKey.ts';

/** The maximum number of nodes whose last fence is kept. */
const MAX_FENCES = 100_000;

/** A `held` reservation, which is stored too. */
interface StoredHold {
  reservation: Reservation;
  /** The digest of its key. */
  readonly key: string | null;
  /** The fence under which it is stored; calls within it are not. */
  readonly fence: number;
}

/** What a node is reserved for: a hold, a call, or a call within a hold. */
interface Present {
  fence: number;
  hold: StoredHold | null;
  call: Reservation | null;
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
    for (const { nodeUuid, reservation, key } of held) {
      local.#present.set(nodeUuid, { fence, hold: { reservation, key, fence }, call: null });
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

  /** The number of nodes that are reserved. */
  get count(): number {
    return this.#present.size;
  }

  /** Returns a node's reservation; null when it is free. */
  get(nodeUuid: string): Reservation | null {
    const present = this.#present.get(nodeUuid);
    return present === undefined ? null : shown(present);
  }

  /** Returns the fence of a node's present reservation, or of its last one. */
  fence(nodeUuid: string): number {
    return this.#present.get(nodeUuid)?.fence ?? this.#fences.get(nodeUuid) ?? this.#start;
  }

  /** As `Store.acquire`, but the caller of a `call` checks whether the node exists once it holds it. */
  async acquire(nodeUuid: string, reservation: NewReservation, conductor: string): Promise<Acquired> {
    const { kind, key = null } = reservation;
    if (kind === 'call') return this.acquireCall(nodeUuid, reservation, reservation.since);
    const present = this.#present.get(nodeUuid);
    if (present !== undefined) return locked(present);
    const stored = await this.#store.acquire(nodeUuid, reservation, conductor);
    if (stored.outcome !== 'acquired') return stored;
    return this.#begin(nodeUuid, { reservation: stored.reservation, key, fence: stored.fence }, null);
  }

  /** Reserves a node for a `call`, as `acquire`. */
  acquireCall(nodeUuid: string, call: Omit<NewReservation, 'since'>, since: Date): Acquired {
    const { key = null } = call;
    const present = this.#present.get(nodeUuid);
    if (key !== null) {
      const hold = present?.hold ?? null;
      if (present === undefined || hold === null || isOverdue(hold) || !isSameDigest(hold.key, key)) {
        return { outcome: 'ended' };
      }
    } else if (present !== undefined) return locked(present);
    if (present !== undefined && present.call !== null) return locked(present);
    return this.#begin(nodeUuid, present?.hold ?? null, toCall(call, since));
  }

  /** Releases a `call`, unless it has ended or the reservation is another one. */
  releaseCall(nodeUuid: string, fence: number): void {
    const present = this.#present.get(nodeUuid);
    if (present?.fence !== fence || present.call === null) return;
    const before = shown(present);
    if (present.hold === null) this.#present.delete(nodeUuid);
    else present.call = null;
    this.#changed(nodeUuid, before);
  }

  /** As `Store.getHold`. */
  async getHold(nodeUuid: string): Promise<Hold | null> {
    const present = this.#present.get(nodeUuid);
    if (present === undefined || present.hold === null) return null;
    const { hold, fence } = present;
    return { reservation: shown(present), fence, key: hold.key, overdue: isOverdue(hold) };
  }

  /** As `Store.renewHold`. */
  async renewHold(nodeUuid: string, fence: number, duration: number | null): Promise<Reservation | null> {
    const hold = this.#holdUnder(nodeUuid, fence);
    if (hold === null) return null;
    const renewed = await this.#store.renewHold(nodeUuid, hold.fence, duration);
    if (renewed !== null) {
      const before = this.get(nodeUuid);
      hold.reservation = renewed;
      this.#store.noteReservation(nodeUuid, before, this.get(nodeUuid));
    }
    return renewed;
  }

  /** As `Store.endHold`. */
  async endHold(nodeUuid: string, fence: number): Promise<boolean> {
    const hold = this.#holdUnder(nodeUuid, fence);
    if (hold === null) return false;
    const ended = await this.#store.endHold(nodeUuid, hold.fence);
    this.#dropHold(nodeUuid, hold);
    return ended;
  }

  /** As `Store.endOverdueHolds`. */
  async endOverdueHolds(): Promise<{ nodeUuid: string; reservation: Reservation }[]> {
    const overdue: { nodeUuid: string; hold: StoredHold }[] = [];
    for (const [nodeUuid, { hold }] of this.#present) {
      if (hold !== null && isOverdue(hold)) overdue.push({ nodeUuid, hold });
    }
    if (overdue.length === 0) return [];
    // The store decides: a renewal may be under way.
    await this.#store.endOverdueHolds();
    const ended: { nodeUuid: string; reservation: Reservation }[] = [];
    for (const { nodeUuid, hold } of overdue) {
      // Asked, since an earlier step may have ended it before it was known here.
      if ((await this.#store.getHold(nodeUuid))?.fence === hold.fence) continue;
      if (this.#dropHold(nodeUuid, hold)) ended.push({ nodeUuid, reservation: hold.reservation });
    }
    return ended;
  }

  /** Names the job that runs under a reservation. */
  nameJob(nodeUuid: string, fence: number, job: string): void {
    const present = this.#present.get(nodeUuid);
    if (present?.fence !== fence || present.call === null) return;
    const before = shown(present);
    present.call = { ...present.call, job };
    this.#store.noteReservation(nodeUuid, before, shown(present));
  }

  #begin(nodeUuid: string, hold: StoredHold | null, call: Reservation | null): Acquired {
    const fence = this.fence(nodeUuid) + 1;
    const present = { fence, hold, call };
    const before = this.get(nodeUuid);
    this.#present.set(nodeUuid, present);
    this.#keepFence(nodeUuid, fence);
    this.#changed(nodeUuid, before);
    return { outcome: 'acquired', fence, reservation: shown(present) };
  }

  #holdUnder(nodeUuid: string, fence: number): StoredHold | null {
    const present = this.#present.get(nodeUuid);
    return present?.fence === fence ? present.hold : null;
  }

  /** Drops a hold that has ended in the store; a call within it goes on. Returns false when it is gone already. */
  #dropHold(nodeUuid: string, hold: StoredHold): boolean {
    const present = this.#present.get(nodeUuid);
    if (present?.hold !== hold) return false;
    const before = shown(present);
    if (present.call === null) this.#present.delete(nodeUuid);
    else present.hold = null;
    this.#changed(nodeUuid, before);
    return true;
  }

  /** Counts the beginning or end of a reservation, and logs it for watchers. */
  #changed(nodeUuid: string, before: Reservation | null): void {
    this.#changes++;
    this.#store.noteReservation(nodeUuid, before, this.get(nodeUuid));
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

/** Returns what callers see: of a call within a hold, the hold with the call's method and job. */
function shown({ hold, call }: Present): Reservation {
  if (hold === null) return call as Reservation;
  return call === null ? hold.reservation : { ...hold.reservation, method: call.method, job: call.job };
}

function toCall(
  { holder, kind, method, requestedBy, job, reason }: Omit<NewReservation, 'since'>,
  since: Date,
): Reservation {
  return { holder, kind, method, requestedBy, job, since, reason, expireTime: null };
}

function locked(present: Present): Acquired {
  const { fence, hold, call } = present;
  const outcome = { outcome: 'locked' as const, reservation: shown(present), fence };
  return hold !== null && call === null && isOverdue(hold) ? { ...outcome, overdue: true } : outcome;
}

function isOverdue({ reservation }: StoredHold): boolean {
  return reservation.expireTime !== null && reservation.expireTime.getTime() <= Date.now();
}
