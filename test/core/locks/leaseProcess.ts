import { PassthruError } from '../../../src/core/errors.ts';
import { goodUntil, Tenure } from '../../../src/core/locks/lease.ts';
import type { Acquired, Store } from '../../../src/core/store.ts';
import { sampleEnd, sampleJob, sampleReservation } from '../../store/samples.ts';
import type { LeaseWorld, Stretch } from './leaseWorld.ts';

export const LEASE = 2000;
/** The longest that a request to a machine may be under way, by the sender's clock. */
export const REQUEST_TIMEOUT = 1000;
/** How long a process waits for a response of the store, in milliseconds; the store gives up a step before that. */
const STORE_TIMEOUT = 600;
const STATEMENT_TIMEOUT = 480;
const REAP_INTERVAL = 50;

/** The foundations of the lock; a test removes each to prove that it is required. */
export interface Rules {
  /** As `goodUntil`. */
  goodUntil(asked: number, lease: number): number;
  /** Milliseconds that a lost process's nodes stay reserved. */
  grace: number;
  /** Whether the lease is checked in the very tick in which a request is sent. */
  atomicSend: boolean;
  /** Whether a process that has lost its lease leaves its nodes to the processes that reap it. */
  leavesWhenLost: boolean;
  store(world: LeaseWorld): Pick<Store, 'renewConductor' | 'recordProgress' | 'endJob'>;
}

export const RULES: Rules = {
  goodUntil,
  grace: REQUEST_TIMEOUT,
  atomicSend: true,
  leavesWhenLost: true,
  store: (world) => world.store,
};

/** The disruptions of one process. */
export interface Fate {
  /** How much faster its monotonic clock runs than the database's, as a fraction; negative for slower. */
  drift: number;
  /** While it does not run. */
  pauses: Stretch[];
  /** While no request of its reaches the store, and no answer it. */
  cutOff: Stretch[];
  /** When it dies; another begins in its place. */
  crashes: number[];
}

let jobs = 0;

/**
 * A process of the service as far as its lease and its locks go: it does with the store and the real `Tenure` what
 * `Lease`, `Locks` and `JobRunner` do, each step when the simulated world lets it.
 */
export class LeaseProcess {
  readonly #world: LeaseWorld;
  readonly #name: string;
  readonly #fate: Fate;
  readonly #rules: Rules;
  readonly #store: ReturnType<Rules['store']>;
  readonly #pauses: Stretch[];
  #tenure: Tenure | null = null;
  #lives = true;
  #conductors = 0;

  constructor(world: LeaseWorld, name: string, fate: Fate, rules: Rules) {
    this.#world = world;
    this.#name = name;
    this.#fate = fate;
    this.#rules = rules;
    this.#store = rules.store(world);
    this.#pauses = [...fate.pauses];
  }

  /** Begins to work until `end`. */
  start(end: number): void {
    void this.#join();
    void this.#renewAgainAndAgain();
    void this.#reapAgainAndAgain();
    for (const node of this.#world.nodes) void this.#work(node, end);
  }

  /** Ends it as kill -9 does. */
  crash(): void {
    this.#world.note(`${this.#name} dies`);
    this.#lives = false;
  }

  async #join(): Promise<void> {
    for (;;) {
      const id = `${this.#name}/${++this.#conductors}`;
      const asked = this.#clock();
      const conductor = { id, host: this.#name, lease: LEASE, grace: this.#rules.grace };
      try {
        await this.#ask(() => this.#world.store.addConductor(conductor));
      } catch {
        await this.#sleep(100);
        continue;
      }
      const tenure = new Tenure(id, this.#rules.goodUntil(asked, LEASE), () => this.#clock());
      this.#tenure = tenure;
      void this.#watchExpiry(tenure);
      return;
    }
  }

  async #renewAgainAndAgain(): Promise<void> {
    for (;;) {
      await this.#sleep(LEASE / 5);
      const tenure = this.#tenure;
      if (tenure === null) continue;
      const asked = this.#clock();
      const renewed = await this.#ask(() => this.#store.renewConductor(tenure.id)).catch(() => null);
      if (renewed === null || tenure !== this.#tenure) continue;
      if (renewed) tenure.renewed(this.#rules.goodUntil(asked, LEASE));
      else this.#lost(tenure);
    }
  }

  async #watchExpiry(tenure: Tenure): Promise<void> {
    while (tenure === this.#tenure) {
      await this.#sleep(Math.max(0, tenure.remaining));
      if (!tenure.good) this.#lost(tenure);
    }
  }

  #lost(tenure: Tenure): void {
    if (tenure !== this.#tenure) return;
    this.#world.note(`${tenure.id} has lost its lease`);
    this.#tenure = null;
    tenure.lose();
    void this.#join();
  }

  async #reapAgainAndAgain(): Promise<void> {
    const error = { kind: 'worker_lost' as const, message: '', violations: [], lock: null, bmc: null };
    for (;;) {
      await this.#sleep(REAP_INTERVAL);
      const reaping = { all: false, now: new Date(0), error, lastError: () => 'lost', unknown: {} };
      await this.#ask(() => this.#world.store.reap(reaping)).catch(() => {});
    }
  }

  async #work(node: string, end: number): Promise<void> {
    for (;;) {
      await this.#sleep(this.#world.delay(100));
      if (this.#world.now > end) return;
      const tenure = this.#tenure;
      if (!tenure?.good) continue;
      let acquired: Acquired;
      try {
        acquired = await this.#ask(() => this.#world.store.acquire(node, sampleReservation(), tenure.id));
      } catch {
        // It may have been carried out all the same.
        await this.#repeat(() => this.#world.store.releaseOwn(node, tenure.id));
        continue;
      }
      if (acquired.outcome === 'expired') this.#lost(tenure);
      if (acquired.outcome === 'acquired') await this.#hold(node, acquired.fence, tenure);
    }
  }

  /** Uses a node that is reserved: a few requests, for a job or without one. */
  async #hold(node: string, fence: number, tenure: Tenure): Promise<void> {
    const controller = new AbortController();
    const unguard = tenure.guard(controller);
    const hold = { owner: tenure.id, fence };
    const job = this.#world.chance(2) < 1 ? sampleJob(++jobs, { nodeUuid: node }) : null;
    if (job !== null) {
      const accepted = await this.#ask(() => this.#world.store.acceptJob(job, hold, null, {})).catch(() => null);
      if (accepted === null) await this.#repeat(() => this.#store.endJob(sampleEnd(job), { ...hold, fence: null }));
      if (accepted !== true) return this.#letGo(tenure, () => this.#world.store.release(node, fence));
    }
    try {
      for (let requests = 1 + this.#world.chance(5); requests > 0 && !controller.signal.aborted; requests--) {
        await this.#request(node, fence, job?.id ?? null, tenure, controller.signal);
        if (job === null || this.#world.chance(2) < 1) continue;
        const progress = { fraction: null, message: '' };
        const write = () => this.#store.recordProgress(job.id, hold, progress);
        await this.#ask(() => this.#world.writeUnder(tenure.id, node, fence, write)).catch(() => {});
      }
    } catch (error) {
      if (!(error instanceof PassthruError) || error.kind !== 'worker_lost') throw error;
    }
    unguard();
    const letGo =
      job === null
        ? () => this.#world.store.release(node, fence)
        : () => this.#world.writeUnder(tenure.id, node, fence, async () => this.#store.endJob(sampleEnd(job), hold));
    await this.#letGo(tenure, letGo);
  }

  async #letGo(tenure: Tenure, step: () => Promise<unknown>): Promise<void> {
    if (this.#rules.leavesWhenLost && tenure.lost) return;
    await this.#repeat(step);
  }

  /** Sends a request to the machine and waits for its answer, or until `signal` fires. */
  async #request(node: string, fence: number, job: string | null, tenure: Tenure, signal: AbortSignal): Promise<void> {
    tenure.check();
    if (!this.#rules.atomicSend) {
      if (this.#world.chance(10) < 1) this.#pauses.push({ at: this.#world.now, length: this.#world.chance(5000) });
      await this.#sleep(0);
    }
    const timeout = REQUEST_TIMEOUT / this.#rate;
    const delay = this.#world.delay(timeout);
    this.#world.send(tenure.id, node, fence, job, delay);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      // Lost responses take as long as late ones.
      this.#resume(this.#world.now + Math.min(timeout, delay + this.#world.delay(timeout)), resolve);
    });
  }

  get #rate(): number {
    return 1 + this.#fate.drift;
  }

  /** The monotonic clock: it counts from the process's own beginning. */
  #clock(): number {
    return this.#world.now * this.#rate + 12_345;
  }

  #sleep(milliseconds: number): Promise<void> {
    // A timer is late rather than early.
    return new Promise((resolve) => this.#resume(this.#world.now + milliseconds / this.#rate + 0.001, resolve));
  }

  /** Calls `go` at `time`, or when the process runs again after it. */
  #resume(time: number, go: () => void): void {
    this.#world.at(time, () => {
      if (!this.#lives) return;
      const { now } = this.#world;
      const pause = this.#pauses.find(({ at, length }) => at <= now && now < at + length);
      if (pause === undefined) go();
      else this.#resume(pause.at + pause.length, go);
    });
  }

  /** A step of the store, over the network: it may be carried out late or not at all, and its answer be lost. */
  #ask<T>(step: () => Promise<T>): Promise<T> {
    const world = this.#world;
    return new Promise<T>((resolve, reject) => {
      let over = false;
      const settle = (end: () => void) => {
        if (!over) end();
        over = true;
      };
      const asked = world.now;
      const timeout = STORE_TIMEOUT / this.#rate;
      this.#resume(asked + timeout, () => settle(() => reject(new PassthruError('store_unavailable', 'no answer'))));
      if (this.#isLost()) return;
      const there = world.chance(20) < 1 ? world.delay(STATEMENT_TIMEOUT / this.#rate) : world.delay(20);
      world.at(asked + there, async () => {
        const answer = await step().then(
          (value) => () => resolve(value),
          (error) => () => reject(error),
        );
        if (this.#isLost()) return;
        const back = world.chance(20) < 1 ? world.delay(timeout) : world.delay(20);
        this.#resume(world.now + back, () => settle(answer));
      });
    });
  }

  #isLost(): boolean {
    const { now } = this.#world;
    if (this.#world.chance(50) < 1) return true;
    return this.#fate.cutOff.some(({ at, length }) => at <= now && now < at + length);
  }

  /** Repeats a step until the store responds. */
  async #repeat(step: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await this.#ask(step);
        return;
      } catch (error) {
        if (!(error instanceof PassthruError)) throw error;
        await this.#sleep(200);
      }
    }
  }
}
