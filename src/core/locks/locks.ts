// The locks: reservations of nodes, and the callers that wait for each node.

import { randomInt } from 'node:crypto';
import { invalidArgument, PassthruError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Node } from '../node.ts';
import { NO_OBSERVER, type Observer } from '../observer.ts';
import type { Reservation } from '../reservation.ts';
import type { Store, StoredNode } from '../store.ts';
import { LATE_COMMIT_TIME, MAX_DELAY, untilAborted, untilStored, WaitingLine } from '../waiting.ts';

import { type Lease, Tenure } from './lease.ts';
import type { LocalReservations } from './localReservations.ts';
import { NodeCache, type NodeSnapshot } from './nodeCache.ts';

interface LockSettings {
  /** The interval, in milliseconds, at which a node held by another process is tried again. */
  retryInterval: number;
  /** The wait, in milliseconds, of callers that set none. */
  defaultWait: number;
  /** The longest wait, in milliseconds, that a caller may set. */
  maxWait: number;
}

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
  release(): Promise<void>;
  /** Passes the turn without a step of the store: the reservation has ended there already, or stays. */
  leave(): void;
}

/** The callers of this process that wait for one node, first come, first served. */
interface Line {
  /** The last known holder. */
  blocker: Reservation;
  readonly waiting: WaitingLine;
  /** The fence under which this process holds the node; the tenure of an attempt whose result is unknown; else null. */
  holding: number | Tenure | null;
  /** Ends the pause of the first in line; null while it does not pause. */
  nudge: (() => void) | null;
  /** Whether the node was released since the last attempt of the first in line began. */
  nudged: boolean;
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
  readonly #lines = new Map<string, Line>();
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

  /** Reads a node from the store and shows its reservation. Returns null when it does not exist. */
  async read(step: () => Promise<StoredNode | null>): Promise<NodeSnapshot | null> {
    const changes = this.#local?.changes;
    const node = await step();
    if (node === null) return null;
    this.#showReservation(node);
    const free = node.reservation === null && this.#local?.changes === changes;
    return { node, fence: free ? node.fence : null };
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
   * Reserves `node`.
   * @param wait the longest time, in milliseconds, to wait while another caller holds it
   * @throws kind `node_locked` with the holder, `node_not_found`, `store_unavailable`, or the signal's reason
   */
  async acquire(node: Node, purpose: Omit<Reservation, 'since'>, wait: number, signal: AbortSignal): Promise<Lock> {
    signal.throwIfAborted();
    const began = performance.now();
    const end = began + wait;
    let line = this.#lines.get(node.uuid);
    const waited = line !== undefined;
    if (line === undefined) {
      line = {
        blocker: { ...purpose, since: new Date() },
        waiting: new WaitingLine(),
        holding: null,
        nudge: null,
        nudged: false,
      };
      this.#lines.set(node.uuid, line);
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
        void this.#passOnWhenStored(line, node.uuid, () => this.#store.releaseOwn(node.uuid, holding.id));
      } else this.#passOn(node.uuid, line);
      throw error;
    }
  }

  /** Releases the `held` reservation that `node` was read with. Returns false when another caller has released it. */
  async releaseHeld(node: StoredNode): Promise<boolean> {
    const released = await (this.#local ?? this.#store).release(node.uuid, node.fence);
    if (released) this.nudge(node.uuid);
    return released;
  }

  /** Lets the first in line for a node try again now: the node may be free. */
  nudge(nodeUuid: string): void {
    const line = this.#lines.get(nodeUuid);
    if (line === undefined) return;
    line.nudged = true;
    line.nudge?.();
  }

  /** As `nudge`, for every node. */
  nudgeAll(): void {
    for (const nodeUuid of this.#lines.keys()) this.nudge(nodeUuid);
  }

  /**
   * Releases reservations of this process that no caller uses: a proxy or a broken network delayed an attempt until
   * the caller and `releaseOwn` had given up on it. Does not release one whose response is on its way: its line has the
   * attempt's tenure, and a line that begins an attempt after the store was read gets another fence.
   */
  async releaseUnknown(): Promise<void> {
    if (performance.now() >= this.#lateUntil) return;
    for (const { nodeUuid, fence } of await this.#store.listCalls(this.#lease.current().id)) {
      const holding = this.#lines.get(nodeUuid)?.holding ?? null;
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
    purpose: Omit<Reservation, 'since'>,
    end: number,
    signal: AbortSignal,
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
        line.blocker = reservation;
        line.holding = acquired.fence;
        return { lock: this.#lock(line, node.uuid, acquired.fence, tenure), waited };
      }
      line.holding = null;
      if (acquired.outcome === 'expired') {
        this.#lease.lost(tenure);
        continue;
      }
      if (acquired.outcome === 'missing') {
        throw new PassthruError('node_not_found', `Node ${node.uuid} could not be found.`);
      }
      line.blocker = acquired.reservation;
      const remaining = end - performance.now();
      if (remaining <= 0) throw this.#refusal(node.uuid, acquired.reservation);
      if (this.#local === null && !(await this.#store.want(node.uuid, acquired.fence))) continue;
      waited = true;
      if (!line.nudged) {
        const interval = Math.max(MIN_RETRY_INTERVAL, this.#settings.retryInterval);
        await this.#pause(line, Math.min(remaining, interval), signal);
      }
    }
  }

  /** Resolves when the caller is the first in line. */
  async #waitForTurn(line: Line, node: Node, end: number, signal: AbortSignal): Promise<void> {
    const remaining = end - performance.now();
    if (remaining <= 0) throw this.#refusal(node.uuid, line.blocker);
    await line.waiting.wait(remaining, signal, () => this.#refusal(node.uuid, line.blocker));
  }

  /** Resolves after `time` milliseconds or when the line is nudged. Throws the signal's reason. */
  async #pause(line: Line, time: number, signal: AbortSignal): Promise<void> {
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

  #passOn(nodeUuid: string, line: Line): void {
    line.holding = null;
    if (!line.waiting.grant()) this.#lines.delete(nodeUuid);
  }

  #lock(line: Line, nodeUuid: string, fence: number, tenure: Tenure): Lock {
    const local = this.#local;
    const leave = () => {
      local?.releaseCall(nodeUuid, fence);
      this.#passOn(nodeUuid, line);
    };
    return {
      nodeUuid,
      fence,
      storedFence: local === null ? fence : null,
      tenure,
      nameJob: (job) => {
        local?.nameJob(nodeUuid, fence, job);
        line.blocker = { ...line.blocker, job };
      },
      release: async () => {
        // A request may be on its way to the machine: others free the node when the grace of the lost lease is over.
        if (local !== null || tenure.lost) return leave();
        try {
          await this.#store.release(nodeUuid, fence);
        } catch (error) {
          // The node stays reserved, and the line closed, until the store responds again.
          this.#log.error({ err: error, node: nodeUuid }, 'releasing a node failed, retrying');
          void this.#passOnWhenStored(line, nodeUuid, () => this.#store.release(nodeUuid, fence));
          return;
        }
        leave();
      },
      leave,
    };
  }

  /** Keeps the line closed until the store has done `step`, or is closed. */
  async #passOnWhenStored(line: Line, nodeUuid: string, step: () => Promise<unknown>): Promise<void> {
    try {
      await untilStored(step, this.#store.closed);
    } catch (error) {
      line.waiting.refuseAll(error);
    }
    this.#passOn(nodeUuid, line);
  }
}
