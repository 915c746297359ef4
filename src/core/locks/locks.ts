import { invalidArgument, PassthruError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Node } from '../node.ts';
import { NO_OBSERVER, type Observer } from '../observer.ts';
import type { Reservation } from '../reservation.ts';
import type { Store } from '../store.ts';
import { MAX_DELAY, untilStored, WaitingLine } from '../waiting.ts';
import { KnownNodes } from './knownNodes.ts';
import type { Lease, Tenure } from './lease.ts';

export interface LockSettings {
  /** Milliseconds between two attempts when the node's holder is not in this process. */
  retryInterval: number;
  /** Milliseconds to wait when the caller says nothing. */
  defaultWait: number;
  /** The longest wait, in milliseconds, that a caller may ask for. */
  maxWait: number;
}

/** A node that is reserved for its owner, until `release`. */
export interface Lock {
  readonly nodeUuid: string;
  readonly fence: number;
  /** What a reservation of kind `call` hangs on. */
  readonly tenure: Tenure;
  /** Names the job that runs under the reservation to those who find the node locked; the store has it already. */
  nameJob(job: string): void;
  /** Ends the reservation, unless the tenure is lost, and wakes the next in line. */
  release(): Promise<void>;
  /** Wakes the next in line without touching the store: the reservation was ended there already, or shall stay. */
  leave(): void;
}

/** The callers of this process that want one node, in the order in which they came. */
interface Line {
  /** Who holds the node, as far as is known. */
  blocker: Reservation;
  readonly waiting: WaitingLine;
  /** The fence under which this process has the node; null when it has not; `asked` when it may have, as yet unknown. */
  own: number | 'asked' | null;
  /** Wakes the first in line before its interval is over; null while it asks the store. */
  nudge: (() => void) | null;
  /** Whether the node was let go since the first in line last began to ask the store. */
  nudged: boolean;
}

/** However short the configured interval is, a held node does not keep the store busy. Milliseconds. */
const LEAST_INTERVAL = 10;

/**
 * Reservations of nodes. One caller of this process at a time deals with the store; the others stand in line, so that
 * the lock is handed on first come, first served, the moment it is free.
 */
export class Locks {
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #settings: LockSettings;
  readonly #log: Logger;
  readonly #observer: Observer;
  /** The content of the nodes that were held most recently. */
  readonly known: KnownNodes;
  readonly #lines = new Map<string, Line>();
  /** The tenures under which the result of an attempt was lost: the store may carry it out until the tenure ends. */
  readonly #unanswered = new Set<Tenure>();

  constructor(store: Store, lease: Lease, settings: LockSettings, log: Logger, observer = NO_OBSERVER) {
    this.#store = store;
    this.#lease = lease;
    this.#settings = settings;
    this.#log = log;
    this.#observer = observer;
    // Another process may rename a node of a shared store.
    this.known = new KnownNodes(!store.shared);
  }

  /**
   * How long to wait for a locked node, in milliseconds.
   * @param asked null when the caller says nothing
   * @throws kind `invalid_argument` when it is negative or over the configured maximum
   */
  wait(asked: number | null): number {
    if (asked === null) return this.#settings.defaultWait;
    if (asked >= 0 && asked <= this.#settings.maxWait) return asked;
    const allowed = `from 0 to ${this.#settings.maxWait / 1000} seconds`;
    throw invalidArgument('lock_wait', `lock_wait must be ${allowed}, not ${asked / 1000}`);
  }

  /**
   * Reserves `node`.
   * @param wait milliseconds to wait while another holds it
   * @throws kind `node_locked` with the holder, `node_not_found`, `store_unavailable`, or the signal's reason
   */
  async acquire(node: Node, purpose: Omit<Reservation, 'since'>, wait: number, signal: AbortSignal): Promise<Lock> {
    signal.throwIfAborted();
    const asked = performance.now();
    const end = asked + wait;
    let line = this.#lines.get(node.uuid);
    const waited = line !== undefined;
    if (line === undefined) {
      line = {
        blocker: { ...purpose, since: new Date() },
        waiting: new WaitingLine(),
        own: null,
        nudge: null,
        nudged: false,
      };
      this.#lines.set(node.uuid, line);
    } else {
      await this.#standInLine(line, node, end, signal);
    }
    try {
      const taken = await this.#take(line, node, purpose, end, signal);
      if (waited || taken.waited) this.#observer.lockTaken(performance.now() - asked);
      return taken.lock;
    } catch (error) {
      if (error instanceof UnknownReservation) {
        this.#unanswered.add(error.tenure);
        void this.#callNextWhenStored(line, node.uuid, () => this.#store.releaseOwn(node.uuid, error.tenure.id));
        throw error.cause;
      }
      this.#callNext(node.uuid, line);
      throw error;
    }
  }

  /** Tells whoever waits for the node that it may be free now. */
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
   * Ends the reservations that the store has for this process and of which nobody here knows: their answers were lost,
   * and the attempts were carried out so late (by a proxy, or when the way to the store was cut) that `releaseOwn` came
   * before. Answers the nodes that are free again.
   *
   * No other is ended: one whose answer is under way is of a line that has asked, and a line that asks after the store was
   * looked at gets another fence.
   */
  async releaseUnknown(): Promise<string[]> {
    for (const tenure of this.#unanswered) if (tenure.lost) this.#unanswered.delete(tenure);
    if (this.#unanswered.size === 0) return [];
    const freed: string[] = [];
    for (const { nodeUuid, fence } of await this.#store.listCalls(this.#lease.current().id)) {
      const own = this.#lines.get(nodeUuid)?.own ?? null;
      if (own === 'asked' || own === fence) continue;
      if (!(await this.#store.release(nodeUuid, fence))) continue;
      this.#log.warn({ node: nodeUuid, fence }, 'a reservation that nobody here knew of was ended');
      freed.push(nodeUuid);
      this.nudge(nodeUuid);
    }
    return freed;
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
      line.own = 'asked';
      const acquired = await this.#store.acquire(node.uuid, reservation, tenure.id).catch((error: unknown) => {
        // It may have been carried out all the same, where the answer was lost.
        throw purpose.kind === 'call' ? new UnknownReservation(tenure, error) : error;
      });
      if (acquired.outcome === 'acquired') {
        line.blocker = reservation;
        line.own = acquired.fence;
        return { lock: this.#lock(line, node.uuid, acquired.fence, tenure), waited };
      }
      line.own = null;
      if (acquired.outcome === 'expired') {
        this.#lease.lost(tenure);
        continue;
      }
      if (acquired.outcome === 'missing') {
        throw new PassthruError('node_not_found', `Node ${node.uuid} could not be found.`);
      }
      line.blocker = acquired.reservation;
      const left = end - performance.now();
      if (left <= 0) throw this.#refuse(node.uuid, acquired.reservation);
      if (this.#store.shared && !(await this.#store.want(node.uuid, acquired.fence))) continue;
      waited = true;
      if (!line.nudged)
        await this.#pause(line, Math.min(left, Math.max(LEAST_INTERVAL, this.#settings.retryInterval)), signal);
    }
  }

  /** Resolves when the caller is the first in line. */
  async #standInLine(line: Line, node: Node, end: number, signal: AbortSignal): Promise<void> {
    const left = end - performance.now();
    if (left <= 0) throw this.#refuse(node.uuid, line.blocker);
    await line.waiting.wait(left, signal, () => this.#refuse(node.uuid, line.blocker));
  }

  /** Resolves after `time` milliseconds or when the line is nudged. Throws the signal's reason. */
  async #pause(line: Line, time: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        line.nudge = null;
        resolve();
      };
      const timer = setTimeout(done, Math.min(time, MAX_DELAY));
      signal.addEventListener('abort', done, { once: true });
      line.nudge = done;
    });
    signal.throwIfAborted();
  }

  #refuse(nodeUuid: string, blocker: Reservation): PassthruError {
    this.#observer.lockRefused();
    return nodeLocked(nodeUuid, blocker);
  }

  #callNext(nodeUuid: string, line: Line): void {
    line.own = null;
    if (!line.waiting.grant()) this.#lines.delete(nodeUuid);
  }

  #lock(line: Line, nodeUuid: string, fence: number, tenure: Tenure): Lock {
    return {
      nodeUuid,
      fence,
      tenure,
      nameJob: (job) => {
        line.blocker = { ...line.blocker, job };
      },
      release: async () => {
        // A request may be on its way to the machine: others free the node when the grace of the lost lease is over.
        if (tenure.lost) return this.#callNext(nodeUuid, line);
        try {
          await this.#store.release(nodeUuid, fence);
        } catch (error) {
          // The node stays reserved, and the line closed, until the store answers again.
          this.#log.error({ err: error, node: nodeUuid }, 'releasing a node failed, retrying');
          void this.#callNextWhenStored(line, nodeUuid, () => this.#store.release(nodeUuid, fence));
          return;
        }
        this.#callNext(nodeUuid, line);
      },
      leave: () => this.#callNext(nodeUuid, line),
    };
  }

  /** Keeps the line closed until the store has done `step`, or is closed. */
  async #callNextWhenStored(line: Line, nodeUuid: string, step: () => Promise<unknown>): Promise<void> {
    try {
      await untilStored(step, this.#store.closed);
    } catch (error) {
      line.waiting.refuseAll(error);
    }
    this.#callNext(nodeUuid, line);
  }
}

/** The store failed while it reserved a node under `tenure`: whether it is reserved is unknown. */
class UnknownReservation extends Error {
  readonly tenure: Tenure;

  constructor(tenure: Tenure, cause: unknown) {
    super('whether the node is reserved is unknown', { cause });
    this.tenure = tenure;
  }
}

/** The error of a caller who found the node locked, worded as Ironic's NodeLocked (recorded). */
export function nodeLocked(nodeUuid: string, lock: Reservation): PassthruError {
  return new PassthruError(
    'node_locked',
    `Node ${nodeUuid} is locked by host ${lock.holder}, please retry after the current operation is completed.`,
    { lock },
  );
}
