import { randomUUID } from 'node:crypto';
import { uptime as machineUptime } from 'node:os';
import { PassthruError } from '../errors.ts';
import type { Abortable } from '../inFlight.ts';
import type { Logger } from '../logger.ts';
import { NO_OBSERVER, type Observer } from '../observer.ts';
import type { Store } from '../store.ts';
import { type Periodic, periodically, untilStored } from '../waiting.ts';

interface LeaseSettings {
  /** The host name shown in the conductor's reservations. */
  host: string;
  /** Milliseconds, see `Conductor.lease`. */
  lease: number;
  /** Milliseconds, see `Conductor.grace`. */
  grace: number;
}

/** The number of renewals per lease duration, of which a few may fail. */
const RENEWALS = 5;

/**
 * One lease of this process, and the work that depends on it. By this machine's `leaseClock` it ends before it does by the
 * store's clock; see `goodUntil`.
 */
export class Tenure {
  /** The conductor's id in the store. */
  readonly id: string;
  /** Milliseconds, as `Conductor.grace` in the store. */
  grace: number;
  readonly #now: () => number;
  readonly #work = new Set<Abortable>();
  /** By the lease clock, in milliseconds. */
  #goodUntil: number;
  #lost = false;

  /** @param now the `leaseClock` by which `goodUntil` is counted, in milliseconds */
  constructor(id: string, goodUntil: number, now: () => number, grace = 0) {
    this.id = id;
    this.grace = grace;
    this.#goodUntil = goodUntil;
    this.#now = now;
  }

  /** Whether this process still holds what it reserved under the lease. */
  get good(): boolean {
    return !this.#lost && this.#now() < this.#goodUntil;
  }

  /** Whether the lease was ended, which is final. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Milliseconds until it expires. */
  get remaining(): number {
    return this.#goodUntil - this.#now();
  }

  /** Throws kind `worker_lost` when another process may hold what was reserved. Call it in the tick of the action. */
  check(): void {
    if (!this.good) throw leaseLost();
  }

  renewed(goodUntil: number): void {
    this.#goodUntil = goodUntil;
  }

  /** Aborts `controller` when the lease is lost, until `unguard`. */
  guard(controller: Abortable): void {
    if (this.#lost) controller.abort(leaseLost());
    this.#work.add(controller);
  }

  /** Undoes `guard`. */
  unguard(controller: Abortable): void {
    this.#work.delete(controller);
  }

  /** Ends the lease and aborts all work under it. Returns the number of aborted controllers. */
  lose(): number {
    this.#lost = true;
    const reason = leaseLost();
    for (const controller of this.#work) controller.abort(reason);
    return this.#work.size;
  }
}

/**
 * Renews the lease of this process. While the store is unreachable the lease runs on; shortly before it expires, all work
 * under it is aborted. When the store responds again, the process gets a lease as another conductor.
 */
export class Lease {
  readonly #store: Store;
  readonly #settings: LeaseSettings;
  readonly #log: Logger;
  readonly #observer: Observer;
  readonly #now = leaseClock();
  #tenure: Tenure | null = null;
  #renewal: Periodic | null = null;
  #expiry: NodeJS.Timeout | undefined;
  #rejoining: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(store: Store, settings: LeaseSettings, log: Logger, observer = NO_OBSERVER) {
    this.#store = store;
    this.#settings = settings;
    this.#log = log;
    this.#observer = observer;
  }

  /** Begins the first lease. Throws kind `store_unavailable`. */
  async start(): Promise<void> {
    await this.#join();
    if (!this.#store.shared) return;
    const interval = this.#settings.lease / RENEWALS;
    this.#renewal = periodically(interval, () => this.#renew(), this.#log, 'renewing the lease failed, retrying');
  }

  /** Returns the present lease. Throws kind `store_unavailable` while there is no valid one. */
  current(): Tenure {
    if (this.#tenure?.good) return this.#tenure;
    throw new PassthruError(
      'store_unavailable',
      'The store was unreachable for longer than the lease of this process; calls are accepted again when it responds.',
    );
  }

  /**
   * Keeps nodes reserved for `time` milliseconds after the end of `tenure`, for requests that may be under way that long.
   * Throws kind `store_unavailable`.
   */
  async cover(tenure: Tenure, time: number): Promise<void> {
    if (time <= tenure.grace) return;
    if (!(await this.#store.extendGrace(tenure.id, Math.ceil(time)))) {
      this.lost(tenure);
      throw lostBeforeAcceptance();
    }
    tenure.grace = Math.max(tenure.grace, time);
  }

  /** Ends `tenure` and requests another lease: the store reported it as expired. */
  lost(tenure: Tenure): void {
    if (tenure !== this.#tenure) return;
    const aborted = tenure.lose();
    this.#observer.leaseLost();
    this.#tenure = null;
    clearTimeout(this.#expiry);
    this.#log.error({ conductor: tenure.id, aborted }, 'lease lost, calls and jobs under it aborted');
    this.#rejoining = this.#rejoin();
  }

  /** Ends the lease; nothing may depend on it any more. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#expiry);
    await this.#renewal?.stop();
    // A lease that was already requested would stay listed as a host unless it is ended too.
    await this.#rejoining;
    const tenure = this.#tenure;
    this.#tenure = null;
    if (tenure === null) return;
    try {
      await this.#store.removeConductor(tenure.id);
    } catch (error) {
      this.#log.warn({ err: error }, 'ending the lease failed; it expires by itself');
    }
  }

  async #join(): Promise<void> {
    const { host, lease, grace } = this.#settings;
    const id = randomUUID();
    const requested = this.#now();
    await this.#store.addConductor({ id, host, lease: this.#store.shared ? lease : null, grace });
    const tenure = new Tenure(id, this.#goodUntil(requested), this.#now, grace);
    this.#tenure = tenure;
    this.#watchExpiry(tenure);
  }

  async #renew(): Promise<void> {
    const tenure = this.#tenure;
    if (tenure === null) return;
    const requested = this.#now();
    if (await this.#store.renewConductor(tenure.id)) {
      // The lease may have been lost meanwhile.
      if (tenure !== this.#tenure) return;
      tenure.renewed(this.#goodUntil(requested));
      this.#watchExpiry(tenure);
    } else this.lost(tenure);
  }

  #goodUntil(requested: number): number {
    return this.#store.shared ? goodUntil(requested, this.#settings.lease) : Number.POSITIVE_INFINITY;
  }

  #watchExpiry(tenure: Tenure): void {
    clearTimeout(this.#expiry);
    if (this.#stopped || !this.#store.shared) return;
    this.#expiry = setTimeout(
      () => {
        if (tenure.good) this.#watchExpiry(tenure);
        else this.lost(tenure);
      },
      Math.max(0, tenure.remaining),
    ).unref();
  }

  /** Begins another lease when the store responds again. Never rejects. */
  async #rejoin(): Promise<void> {
    const join = async () => {
      if (!this.#stopped) await this.#join();
    };
    try {
      await untilStored(join, this.#store.closed, (error) =>
        this.#log.warn({ err: error }, 'getting a new lease failed, retrying'),
      );
      if (!this.#stopped) this.#log.info({}, 'new lease acquired');
    } catch {
      // The store was closed.
    }
  }
}

/** A difference between two clocks that is not due to their resolution or to NTP's slewing, in milliseconds. */
const CLOCK_STEP = 500;

/**
 * Returns the clock that leases are held by, in milliseconds; it only goes forward. It adds the time that the machine was
 * suspended, while the monotonic clock stops and the store's lease runs on. The machine's uptime (CLOCK_BOOTTIME
 * on Linux) counts that time and no step of the wall clock; as reading it is slow, it is read only when the wall clock has
 * moved against the monotonic one.
 */
export function leaseClock(
  monotonic: () => number = () => performance.now(),
  wall: () => number = Date.now,
  uptime: () => number = () => machineUptime() * 1000,
): () => number {
  let ahead = wall() - monotonic();
  const awake = uptime() - monotonic();
  let suspended = 0;
  return () => {
    const now = monotonic();
    if (Math.abs(wall() - now - ahead) > CLOCK_STEP) {
      ahead = wall() - now;
      const missed = uptime() - now - awake;
      if (missed > suspended + CLOCK_STEP / 2) suspended = missed;
    }
    return now + suspended;
  };
}

/**
 * Returns the time until which a lease of `lease` milliseconds may be used, by the clock of `requested`: by the store's
 * it began later, and a tenth is left out for a clock slower than the store's.
 */
export function goodUntil(requested: number, lease: number): number {
  return requested + lease * 0.9;
}

/** Returns the error of a call whose lease was lost before the call began to act. */
export function lostBeforeAcceptance(what = 'the call was accepted'): PassthruError {
  return new PassthruError('store_unavailable', `The lease of this process ran out before ${what}; nothing was done.`);
}

function leaseLost(): PassthruError {
  return new PassthruError(
    'worker_lost',
    'worker lost: the process could not renew its lease in time, and another may take the node; check the machine before you repeat the call',
  );
}
