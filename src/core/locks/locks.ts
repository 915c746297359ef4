// The locks: reservations of nodes, and the callers that wait for each node.

import { randomInt } from 'node:crypto';
import { invalidArgument, PassthruError } from '../errors.ts';
import type { EndSignal } from '../lazyAbort.ts';
import type { Logger } from '../logger.ts';
import type { Node } from '../node.ts';
import { NO_OBSERVER, type Observer } from '../observer.ts';
import type { Reservation } from '../reservation.ts';
import type { Hold, NewReservation, Store, StoredNode } from '../store.ts';
import { LATE_COMMIT_TIME, MAX_DELAY, untilAborted, untilStored } from '../waiting.ts';
import { type Lease, Tenure } from './lease.ts';
import { type Line, Lines } from './lines.ts';
import type { LocalReservations } from './localReservations.ts';
import { NodeCache, type NodeSnapshot } from './nodeCache.ts';
import { isSameDigest, reservationEnded } from './reservationKey.ts';

interface LockSettings {
  /** The interval, in milliseconds, at which a node held by another process is tried again. */
  retryInterval: number;
  /** The wait, in milliseconds, of callers that set none. */
  defaultWait: number;
  /** The longest wait, in milliseconds, that a caller may set. */
  maxWait: number;
}

/** What a node is to be reserved for. */
type Purpose = Omit<NewReservation, 'since'>;

/** A node that is reserved for one caller until `release`. */
export interface Lock {
  readonly nodeUuid: string;
  readonly fence: number;
  /** The fence of the stored reservation; null when it is not stored. */
  readonly storedFence: number | null;
  /** The lease that a reservation of kind `call` depends on. */
  readonly tenure: Tenure;
  /** Shows the job that runs under the reservation, which the store has already, to callers that find the node locked. */
  nameJob(job: string): void;
  /** Ends the reservation, unless the tenure is lost, and passes the turn to the next in line. */
  release(): Promise<void> | void;
  /** Passes the turn without a step of the store: the reservation has ended there already, or stays. */
  leave(): void;
}

/** The least interval between two attempts, in milliseconds, to spare the store. */
const MIN_RETRY_INTERVAL = 10;

/**
 * Reserves nodes. One caller of this process at a time tries to reserve a node; the others wait in line, so that a free
 * node is passed on at once.
 */
export class Locks {
  readonly #store: Store;
  /** Null on a shared store, which then decides who holds a node. */
  readonly #local: LocalReservations | null;
  readonly #lease: Lease;
  readonly #settings: LockSettings;
  readonly #log: Logger;
  readonly #observer: Observer;
  readonly cache: NodeCache;
  readonly #lines = new Lines();
  /** Until when, by the monotonic clock, the store may carry out an attempt that got no response. */
  #lateUntil = 0;

  constructor(
    store: Store,
    local: LocalReservations | null,
    lease: Lease,
    settings: LockSettings,
    log: Logger,
    observer = NO_OBSERVER,
  ) {
    this.#store = store;
    this.#local = local;
    this.#lease = lease;
    this.#settings = settings;
    this.#log = log;
    this.#observer = observer;
    // Another process may rename a node of a shared store.
    this.cache = new NodeCache(local !== null);
  }

  /**
   * Returns how long to wait for a locked node, in milliseconds.
   * @param lockWait milliseconds; null when the caller set none
   * @throws kind `invalid_argument` when it is negative or above the configured maximum
   */
  wait(lockWait: number | null): number {
    if (lockWait === null) return this.#settings.defaultWait;
    if (lockWait >= 0 && lockWait <= this.#settings.maxWait) return lockWait;
    const allowed = `from 0 to ${this.#settings.maxWait / 1000} seconds`;
    throw invalidArgument('lock_wait', `lock_wait must be ${allowed}, not ${lockWait / 1000}`);
  }

  /** Returns the fence of a new node: above those of all removed nodes, one of which may have had its UUID. */
  firstFence(nodeUuid: string): number {
    // Microseconds: fences of a node grow more slowly. A BMC may check them, and content may be cached under an old one.
    return this.#local?.fence(nodeUuid) ?? Date.now() * 1000 + randomInt(1000);
  }

  /**
   * Returns the driver and the vendor interface of a node that is cached, by its UUID or name; null when it must be read. On a
   * shared store always null: another process may change it.
   */
  knownInterface(ident: string): Pick<Node, 'driver' | 'vendorInterface'> | null {
    return this.#local === null ? null : (this.cache.get(ident)?.node ?? null);
  }

  /**
   * Reads a node from the store and shows its reservation. Returns null when it does not exist.
   * @param keep whether to cache it for `knownInterface`
   */
  async read(step: () => Promise<StoredNode | null>, keep = false): Promise<NodeSnapshot | null> {
    const changes = this.#local?.changes;
    const node = await step();
    if (node === null) return null;
    this.#showReservation(node);
    // Calls within a hold do not change the node, and nothing else runs until it ends.
    const still = node.reservation === null || node.reservation.kind === 'held';
    const fence = still && this.#local?.changes === changes ? node.fence : null;
    // Without a wait since the check: a change reserves the node, then drops it from the cache, then writes.
    if (keep && this.#local !== null && fence !== null) this.cache.keep(node, fence);
    return { node, fence };
  }

  /** Reads nodes from the store and shows their reservations. */
  async readAll<T extends StoredNode[] | null>(step: () => Promise<T>): Promise<T> {
    const nodes = await step();
    for (const node of nodes ?? []) this.#showReservation(node);
    return nodes;
  }

  #showReservation(node: StoredNode): void {
    if (this.#local === null) return;
    node.reservation = this.#local.get(node.uuid);
    node.fence = this.#local.fence(node.uuid);
  }

  /**
   * Reserves `node`, or with the key of a hold the node for a call within it; at once when this process decides and nobody is
   * before the caller.
   * @param wait the longest time, in milliseconds, to wait while another caller has it
   * @throws kind `node_locked` with the holder, `reservation_ended`, `node_not_found`, `store_unavailable`, or the signal's
   *   reason
   */
  acquire(node: Node, purpose: Purpose, wait: number, signal: EndSignal): Lock | Promise<Lock> {
    signal.throwIfAborted();
    const key = purpose.kind === 'call' ? (purpose.key ?? null) : null;
    if (this.#local !== null && purpose.kind === 'call' && this.#lines.get(node.uuid, key) === undefined) {
      const lock = this.#acquireAtOnce(this.#local, node.uuid, purpose, key);
      if (lock !== null) return lock;
    }
    return this.#acquireInTurn(node, purpose, key, wait, signal);
  }

  /** Returns null when the node is not free. */
  #acquireAtOnce(local: LocalReservations, nodeUuid: string, purpose: Purpose, key: string | null): Lock | null {
    const tenure = this.#lease.current();
    const acquired = local.acquireCall(nodeUuid, purpose, new Date());
    if (acquired.outcome !== 'acquired') return null;
    const line = this.#lines.begin(nodeUuid, key, acquired.reservation);
    line.holding = acquired.fence;
    return this.#lock(line, acquired.fence, tenure);
  }

  async #acquireInTurn(
    node: Node,
    purpose: Purpose,
    key: string | null,
    wait: number,
    signal: EndSignal,
  ): Promise<Lock> {
    const began = performance.now();
    const end = began + wait;
    let line = this.#lines.get(node.uuid, key);
    const waited = line !== undefined;
    if (line === undefined) {
      const { holder, kind, method, requestedBy, job, reason } = purpose;
      const since = new Date();
      const self = { holder, kind, method, requestedBy, job, since, reason, expireTime: null };
      line = this.#lines.begin(node.uuid, key, self);
    } else {
      await this.#waitForTurn(line, node, end, signal);
    }
    try {
      const taken = await this.#take(line, node, purpose, end, signal);
      if (waited || taken.waited) this.#observer.lockTaken(performance.now() - began);
      return taken.lock;
    } catch (error) {
      const { holding } = line;
      if (holding instanceof Tenure && purpose.kind === 'call') {
        // The store may have carried out the attempt if only its response was lost.
        this.#lateUntil = performance.now() + LATE_COMMIT_TIME;
        void this.#passOnWhenStored(line, () => this.#store.releaseOwn(node.uuid, holding.id, key));
      } else this.#passOn(line);
      throw error;
    }
  }

  /** Returns how many nodes are reserved, by whichever process. */
  async count(): Promise<number> {
    return this.#local?.count ?? (await this.#store.countReserved());
  }

  /** Returns the hold on a node; null when there is none, or its time has run out. */
  async hold(nodeUuid: string): Promise<Hold | null> {
    const hold = await (this.#local ?? this.#store).getHold(nodeUuid);
    if (hold === null || !hold.overdue) return hold;
    await this.endOverdueHolds();
    return null;
  }

  /**
   * Checks that a node is held with the key of this digest.
   * @throws kind `reservation_ended`
   */
  async checkHeld(nodeUuid: string, key: string): Promise<Hold> {
    const hold = await this.hold(nodeUuid);
    if (hold === null || !isSameDigest(hold.key, key)) throw reservationEnded(nodeUuid);
    return hold;
  }

  /** As `Store.renewHold`. */
  renewHold(nodeUuid: string, { fence }: Hold, duration: number | null): Promise<Reservation | null> {
    return (this.#local ?? this.#store).renewHold(nodeUuid, fence, duration);
  }

  /** As `Store.endHold`. */
  async endHold(nodeUuid: string, { fence }: Hold): Promise<boolean> {
    const ended = await (this.#local ?? this.#store).endHold(nodeUuid, fence);
    if (ended) this.nudge(nodeUuid);
    return ended;
  }

  /** Ends the holds whose time has run out. */
  async endOverdueHolds(): Promise<void> {
    for (const { nodeUuid: node, reservation } of await (this.#local ?? this.#store).endOverdueHolds()) {
      const { holder, requestedBy: caller, expireTime } = reservation;
      this.#log.info({ node, holder, caller, expireTime }, 'node unlocked: the time of its reservation has run out');
      this.nudge(node);
    }
  }

  /** Lets the first in line for a node try again now: the node may be free. */
  nudge(nodeUuid: string): void {
    this.#lines.nudge(nodeUuid);
  }

  /** As `nudge`, for every node. */
  nudgeAll(): void {
    this.#lines.nudgeAll();
  }

  /**
   * Releases reservations of this process that no caller uses: a proxy or a broken network delayed an attempt until
   * the caller and `releaseOwn` had given up on it. Does not release one whose response is on its way: its line has the
   * attempt's tenure, and a line that begins an attempt after the store was read gets another fence.
   */
  async releaseUnknown(): Promise<void> {
    if (performance.now() >= this.#lateUntil) return;
    for (const { nodeUuid, fence, key } of await this.#store.listCalls(this.#lease.current().id)) {
      const holding = this.#lines.get(nodeUuid, key)?.holding ?? null;
      if (holding instanceof Tenure || holding === fence) continue;
      if (!(await this.#store.release(nodeUuid, fence))) continue;
      this.#log.warn({ node: nodeUuid, fence }, 'released a reservation that was stored after its call had failed');
      this.nudge(nodeUuid);
    }
  }

  /** Reserves the node for the first in line. */
  async #take(
    line: Line,
    node: Node,
    purpose: Purpose,
    end: number,
    signal: EndSignal,
  ): Promise<{ lock: Lock; waited: boolean }> {
    let waited = false;
    for (;;) {
      signal.throwIfAborted();
      line.nudged = false;
      const reservation = { ...purpose, since: new Date() };
      const tenure = this.#lease.current();
      line.holding = tenure;
      const acquired = await (this.#local ?? this.#store).acquire(node.uuid, reservation, tenure.id);
      if (acquired.outcome === 'acquired') {
        line.blocker = acquired.reservation;
        line.holding = acquired.fence;
        return { lock: this.#lock(line, acquired.fence, tenure), waited };
      }
      line.holding = null;
      if (acquired.outcome === 'expired') {
        this.#lease.lost(tenure);
        continue;
      }
      if (acquired.outcome === 'missing') {
        throw new PassthruError('node_not_found', `Node ${node.uuid} could not be found.`);
      }
      if (acquired.outcome === 'ended') throw reservationEnded(node.uuid);
      if (acquired.overdue) {
        await this.endOverdueHolds();
        continue;
      }
      line.blocker = acquired.reservation;
      const remaining = end - performance.now();
      if (remaining <= 0) throw this.#refusal(node.uuid, acquired.reservation);
      if (this.#local === null && !(await this.#store.want(node.uuid, acquired.fence))) continue;
      waited = true;
      if (!line.nudged) {
        await this.#pause(line, Math.min(remaining, this.#interval(acquired.reservation)), signal);
      }
    }
  }

  /** Returns the time until the next attempt, in milliseconds: when the blocker runs out, if that is sooner. */
  #interval({ expireTime }: Reservation): number {
    const interval = Math.max(MIN_RETRY_INTERVAL, this.#settings.retryInterval);
    const left = expireTime === null ? 0 : expireTime.getTime() - Date.now();
    // By the store's clock it may not have run out yet.
    return left <= 0 ? interval : Math.min(interval, Math.max(MIN_RETRY_INTERVAL, left));
  }

  /** Resolves when the caller is the first in line. */
  async #waitForTurn(line: Line, node: Node, end: number, signal: EndSignal): Promise<void> {
    const remaining = end - performance.now();
    if (remaining <= 0) throw this.#refusal(node.uuid, line.blocker);
    await line.waiting.wait(remaining, signal, () => this.#refusal(node.uuid, line.blocker));
  }

  /** Resolves after `time` milliseconds or when the line is nudged. Throws the signal's reason. */
  async #pause(line: Line, time: number, signal: EndSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    line.nudge = resolve;
    const timer = setTimeout(resolve, Math.min(time, MAX_DELAY));
    try {
      await untilAborted(promise, signal);
    } finally {
      clearTimeout(timer);
      line.nudge = null;
    }
  }

  #refusal(nodeUuid: string, lock: Reservation): PassthruError {
    this.#observer.lockRefused();
    // Worded as Ironic's NodeLocked (recorded).
    const message = `Node ${nodeUuid} is locked by host ${lock.holder}, please retry after the current operation is completed.`;
    return new PassthruError('node_locked', message, { lock });
  }

  #passOn(line: Line): void {
    this.#lines.passOn(line);
    // The hold may have ended during the call within it.
    if (line.key !== null) this.nudge(line.nodeUuid);
  }

  #lock(line: Line, fence: number, tenure: Tenure): Lock {
    const local = this.#local;
    const leave = () => {
      local?.releaseCall(line.nodeUuid, fence);
      this.#passOn(line);
    };
    return {
      nodeUuid: line.nodeUuid,
      fence,
      storedFence: local === null ? fence : null,
      tenure,
      nameJob(job) {
        local?.nameJob(line.nodeUuid, fence, job);
        line.blocker = { ...line.blocker, job };
      },
      // A request may be on its way to the machine: others free the node when the grace of the lost lease is over.
      release: () => (local !== null || tenure.lost ? leave() : this.#releaseStored(line, fence)),
      leave,
    };
  }

  async #releaseStored(line: Line, fence: number): Promise<void> {
    const { nodeUuid } = line;
    try {
      await this.#store.release(nodeUuid, fence);
    } catch (error) {
      // The node stays reserved, and the line closed, until the store responds again.
      this.#log.error({ err: error, node: nodeUuid }, 'releasing a node failed, retrying');
      void this.#passOnWhenStored(line, () => this.#store.release(nodeUuid, fence));
      return;
    }
    this.#passOn(line);
  }

  /** Keeps the line closed until the store has done `step`, or is closed. */
  async #passOnWhenStored(line: Line, step: () => Promise<unknown>): Promise<void> {
    try {
      await untilStored(step, this.#store.closed);
    } catch (error) {
      line.waiting.refuseAll(error);
    }
    this.#passOn(line);
  }
}
