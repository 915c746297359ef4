import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { PassthruError } from '../errors.ts';
import { leaseClock } from '../leaseClock.ts';
import type { Logger } from '../logger.ts';
import { NO_OBSERVER, type Observer } from '../observer.ts';
import { type Periodic, periodically } from '../periodic.ts';
import type { Store } from '../store.ts';

export interface LeaseSettings {
  /** The name that the conductor's reservations show. */
  host: string;
  /** Milliseconds, see `Conductor.lease`. */
  lease: number;
  /** Milliseconds, see `Conductor.grace`. */
  grace: number;
}

/** How often a lease is renewed within its time, so that a few that fail lose nothing. */
const RENEWALS = 5;

/** How often a lost conductor tries to come back, in milliseconds. */
const REJOIN_INTERVAL = 1000;

/**
 * One lease of this process: what is held and run under it. It is good until a time by this machine's `leaseClock` that
 * lies before its end by the store's clock, since it is counted from before each renewal was asked for, and a tenth is
 * left out.
 */
export class Tenure {
  /** The conductor's id in the store. */
  readonly id: string;
  readonly #now: () => number;
  readonly #work = new Set<AbortController>();
  /** By that clock, in milliseconds. */
  #goodUntil: number;
  #lost = false;

  /** @param now the `leaseClock` by which `goodUntil` is counted, in milliseconds */
  constructor(id: string, goodUntil: number, now: () => number) {
    this.id = id;
    this.#goodUntil = goodUntil;
    this.#now = now;
  }

  /** Whether what is held under it is this process's own at this moment. */
  get good(): boolean {
    return !this.#lost && this.#now() < this.#goodUntil;
  }

  /** Whether it was ended; it is never good again, and nobody renews it. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Milliseconds until it ends by itself. */
  get left(): number {
    return this.#goodUntil - this.#now();
  }

  /** Throws kind `worker_lost` when another may have what is held under it. Ask in the tick in which you act. */
  check(): void {
    if (!this.good) throw leaseLost();
  }

  /** The lease was renewed by the store: it is good until then. */
  renewed(goodUntil: number): void {
    this.#goodUntil = goodUntil;
  }

  /** Aborts `controller` when the lease is lost; the answer undoes that. */
  guard(controller: AbortController): () => void {
    if (this.#lost) controller.abort(leaseLost());
    this.#work.add(controller);
    return () => this.#work.delete(controller);
  }

  /** Ends it: everything that runs under it is aborted. Answers how much that was. */
  lose(): number {
    this.#lost = true;
    const reason = leaseLost();
    for (const controller of this.#work) controller.abort(reason);
    return this.#work.size;
  }
}

/**
 * Keeps the lease of this process. While the store cannot be reached the lease runs on; shortly before its end all that
 * hangs on it is aborted, and the process begins anew as another conductor when the store answers again.
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
    this.#renewal = periodically(this.#settings.lease / RENEWALS, () => this.#renew(), {
      log: this.#log,
      failure: 'the lease of this process could not be renewed; trying again',
    });
  }

  /** The present lease. Throws kind `store_unavailable` while there is none that is good. */
  current(): Tenure {
    if (this.#tenure?.good) return this.#tenure;
    throw new PassthruError(
      'store_unavailable',
      'The store was out of reach for longer than the lease of this process; it takes calls again when the store answers.',
    );
  }

  /** The store says that `tenure` is over. */
  lost(tenure: Tenure): void {
    if (tenure !== this.#tenure) return;
    const aborted = tenure.lose();
    this.#observer.leaseLost();
    this.#tenure = null;
    clearTimeout(this.#expiry);
    this.#log.error(
      { conductor: tenure.id, aborted },
      'the lease of this process is lost; what ran under it is aborted',
    );
    void this.#rejoin();
  }

  /** Ends the lease; nothing may hang on it any more. Never fails. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#expiry);
    await this.#renewal?.stop();
    const tenure = this.#tenure;
    this.#tenure = null;
    if (tenure === null) return;
    try {
      await this.#store.removeConductor(tenure.id);
    } catch (error) {
      this.#log.warn({ err: error }, 'the lease of this process could not be ended; it runs out by itself');
    }
  }

  async #join(): Promise<void> {
    const { host, lease, grace } = this.#settings;
    const id = randomUUID();
    const asked = this.#now();
    await this.#store.addConductor({ id, host, lease: this.#store.shared ? lease : null, grace });
    const tenure = new Tenure(id, this.#goodUntil(asked), this.#now);
    this.#tenure = tenure;
    this.#watchExpiry(tenure);
  }

  async #renew(): Promise<void> {
    const tenure = this.#tenure;
    if (tenure === null) return;
    const asked = this.#now();
    if (await this.#store.renewConductor(tenure.id)) {
      // It may have been lost meanwhile.
      if (tenure !== this.#tenure) return;
      tenure.renewed(this.#goodUntil(asked));
      this.#watchExpiry(tenure);
    } else this.lost(tenure);
  }

  #goodUntil(asked: number): number {
    return this.#store.shared ? goodUntil(asked, this.#settings.lease) : Number.POSITIVE_INFINITY;
  }

  #watchExpiry(tenure: Tenure): void {
    clearTimeout(this.#expiry);
    if (this.#stopped || !this.#store.shared) return;
    this.#expiry = setTimeout(
      () => {
        if (tenure.good) this.#watchExpiry(tenure);
        else this.lost(tenure);
      },
      Math.max(0, tenure.left),
    ).unref();
  }

  async #rejoin(): Promise<void> {
    while (!this.#stopped && this.#tenure === null) {
      try {
        await this.#join();
        this.#log.info({}, 'this process has a lease again');
      } catch (error) {
        this.#log.warn({ err: error }, 'this process cannot get a lease; trying again');
        await delay(REJOIN_INTERVAL, undefined, { ref: false });
      }
    }
  }
}

/**
 * Until when a lease that the store gave is acted on, by the clock of `asked`. A tenth is left out, for clocks that run
 * slower than the store's.
 *
 * @param asked when the store was asked: its own time began later. Milliseconds, as `lease`.
 */
export function goodUntil(asked: number, lease: number): number {
  return asked + lease * 0.9;
}

/** The error of a call whose lease was lost before it began to act. */
export function lostBeforeAcceptance(): PassthruError {
  return new PassthruError(
    'store_unavailable',
    'The lease of this process ran out before the call was accepted; nothing was done.',
  );
}

/** The error of work whose lease is lost. */
export function leaseLost(): PassthruError {
  return new PassthruError(
    'worker_lost',
    'worker lost: the process could not renew its lease in time, and another may take the node; look at the machine before you repeat the call',
  );
}
