import { PassthruError } from '../../../src/core/errors.ts';
import { goodUntil, Tenure } from '../../../src/core/locks/lease.ts';
import type { Acquired, Store } from '../../../src/core/store.ts';
import { sampleEnd, sampleJob, sampleReservation } from '../../store/samples.ts';
import type { LeaseWorld, Period } from './leaseWorld.ts';

export const LEASE = 2000;
/** The maximum duration of a request to a machine, in milliseconds by the sender's clock. */
export const REQUEST_TIMEOUT = 1000;
/** How long a process waits for a response of the store, in milliseconds; the store gives up a step before that. */
const STORE_TIMEOUT = 600;
const STATEMENT_TIMEOUT = 480;
const REAP_INTERVAL = 50;

/** The rules that the lock depends on; a test breaks each to prove that it is required. */
export interface Rules {
  /** As `goodUntil`. */
  goodUntil(requestedAt: number, lease: number): number;
  /** Milliseconds that a lost process's nodes stay reserved. */
  grace: number;
  /** Whether the lease is checked in the tick in which a request is sent. */
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
  /** The periods in which it is stopped. */
  pauses: Period[];
  /** The periods in which no request reaches the store, and no response the process. */
  cutOff: Period[];
  /** The times at which it dies and another process replaces it. */
  crashes: number[];
}

let jobs = 0;

/**
 * A simulated process of the service, reduced to its lease and locks. It uses the store and the real `Tenure` as `Lease`,
 * `Locks` and `JobRunner` do, each step in simulated time.
 */
export class LeaseProcess {
  readonly #world: LeaseWorld;
  readonly #name: string;
  readonly #fate: Fate;
  readonly #rules: Rules;
  readonly #store: ReturnType<Rules['store']>;
  readonly #pauses: Period[];
  #tenure: Tenure | null = null;
  #alive = true;
  #conductors = 0;

  constructor(world: LeaseWorld, name: string, fate: Fate, rules: Rules) {
    this.#world = world;
    this.#name = name;
    this.#fate = fate;
    this.#rules = rules;
    this.#store = rules.store(world);
    this.#pauses = [...fate.pauses];
  }

  /** Starts to work, until `end`. */
  start(end: number): void {
    void this.#join();
    void this.#keepRenewing();
    void this.#keepReaping();
    for (const node of this.#world.nodes) void this.#work(node, end);
  }

  /** Ends it like kill -9. */
  crash(): void {
    this.#world.note(`${this.#name} dies`);
    this.#alive = false;
  }

  async #join(): Promise<void> {
    for (;;) {
      const id = `${this.#name}/${++this.#conductors}`;
      const requestedAt = this.#clock();
      const conductor = { id, host: this.#name, lease: LEASE, grace: this.#rules.grace };
      try {
        await this.#storeStep(() => this.#world.store.addConductor(conductor));
      } catch {
        await this.#sleep(100);
        continue;
      }
      const tenure = new Tenure(id, this.#rules.goodUntil(requestedAt, LEASE), () => this.#clock());
      this.#tenure = tenure;
      void this.#watchExpiry(tenure);
      return;
    }
  }

  async #keepRenewing(): Promise<void> {
    for (;;) {
      await this.#sleep(LEASE / 5);
      const tenure = this.#tenure;
      if (tenure === null) continue;
      const requestedAt = this.#clock();
      const renewed = await this.#storeStep(() => this.#store.renewConductor(tenure.id)).catch(() => null);
      if (renewed === null || tenure !== this.#tenure) continue;
      if (renewed) tenure.renewed(this.#rules.goodUntil(requestedAt, LEASE));
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

  async #keepReaping(): Promise<void> {
    const error = { kind: 'worker_lost' as const, message: '', violations: [], lock: null, bmc: null };
    for (;;) {
      await this.#sleep(REAP_INTERVAL);
      const reaping = { all: false, orphans: true, now: new Date(0), error, lastError: () => 'lost', unknown: {} };
      await this.#storeStep(() => this.#world.store.reap(reaping)).catch(() => {});
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
        acquired = await this.#storeStep(() => this.#world.store.acquire(node, sampleReservation(), tenure.id));
      } catch {
        // The store may have carried it out.
        await this.#repeat(() => this.#world.store.releaseOwn(node, tenure.id, null));
        continue;
      }
      if (acquired.outcome === 'expired') this.#lost(tenure);
      if (acquired.outcome === 'acquired') await this.#hold(node, acquired.fence, tenure);
    }
  }

  /** Sends a few requests to the machine of a reserved node, with or without a job, and releases the node. */
  async #hold(node: string, fence: number, tenure: Tenure): Promise<void> {
    const controller = new AbortController();
    tenure.guard(controller);
    const hold = { owner: tenure.id, fence };
    const job = this.#world.random(2) < 1 ? sampleJob(++jobs, { nodeUuid: node }) : null;
    if (job !== null) {
      const accepted = await this.#storeStep(() => this.#world.store.acceptJob(job, hold, null, {})).catch(() => null);
      if (accepted === null) await this.#repeat(() => this.#store.endJob(sampleEnd(job), { ...hold, fence: null }));
      if (accepted !== true) return this.#releaseNode(tenure, () => this.#world.store.release(node, fence));
    }
    try {
      for (let requests = 1 + this.#world.random(5); requests > 0 && !controller.signal.aborted; requests--) {
        await this.#request(node, fence, job?.id ?? null, tenure, controller.signal);
        if (job === null || this.#world.random(2) < 1) continue;
        const progress = { fraction: null, message: '' };
        const write = () => this.#store.recordProgress(job.id, hold, progress);
        await this.#storeStep(() => this.#world.writeUnder(tenure.id, node, fence, write)).catch(() => {});
      }
    } catch (error) {
      if (!(error instanceof PassthruError) || error.kind !== 'worker_lost') throw error;
    }
    tenure.unguard(controller);
    const release =
      job === null
        ? () => this.#world.store.release(node, fence)
        : () => this.#world.writeUnder(tenure.id, node, fence, async () => this.#store.endJob(sampleEnd(job), hold));
    await this.#releaseNode(tenure, release);
  }

  async #releaseNode(tenure: Tenure, step: () => Promise<unknown>): Promise<void> {
    if (this.#rules.leavesWhenLost && tenure.lost) return;
    await this.#repeat(step);
  }

  /** Sends a request to the machine and waits for its response, or until `signal` fires. */
  async #request(node: string, fence: number, job: string | null, tenure: Tenure, signal: AbortSignal): Promise<void> {
    tenure.check();
    if (!this.#rules.atomicSend) {
      if (this.#world.random(10) < 1) this.#pauses.push({ at: this.#world.now, length: this.#world.random(5000) });
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

  /** Returns the time of the process's monotonic clock. */
  #clock(): number {
    return this.#world.now * this.#rate + 12_345;
  }

  #sleep(milliseconds: number): Promise<void> {
    // Timers fire late, never early.
    return new Promise((resolve) => this.#resume(this.#world.now + milliseconds / this.#rate + 0.001, resolve));
  }

  /** Calls `go` at `time`, or when the process is resumed after it. */
  #resume(time: number, go: () => void): void {
    this.#world.at(time, () => {
      if (!this.#alive) return;
      const { now } = this.#world;
      const pause = this.#pauses.find(({ at, length }) => at <= now && now < at + length);
      if (pause === undefined) go();
      else this.#resume(pause.at + pause.length, go);
    });
  }

  /** Runs a step of the store over the network: the request or the response may be late or lost. */
  #storeStep<T>(step: () => Promise<T>): Promise<T> {
    const world = this.#world;
    return new Promise<T>((resolve, reject) => {
      let over = false;
      const settle = (end: () => void) => {
        if (!over) end();
        over = true;
      };
      const requestedAt = world.now;
      const timeout = STORE_TIMEOUT / this.#rate;
      this.#resume(requestedAt + timeout, () =>
        settle(() => reject(new PassthruError('store_unavailable', 'no response'))),
      );
      if (this.#isLost()) return;
      const requestDelay = world.random(20) < 1 ? world.delay(STATEMENT_TIMEOUT / this.#rate) : world.delay(20);
      world.at(requestedAt + requestDelay, async () => {
        const respond = await step().then(
          (value) => () => resolve(value),
          (error) => () => reject(error),
        );
        if (this.#isLost()) return;
        const responseDelay = world.random(20) < 1 ? world.delay(timeout) : world.delay(20);
        this.#resume(world.now + responseDelay, () => settle(respond));
      });
    });
  }

  #isLost(): boolean {
    const { now } = this.#world;
    if (this.#world.random(50) < 1) return true;
    return this.#fate.cutOff.some(({ at, length }) => at <= now && now < at + length);
  }

  /** Repeats a step until the store responds. */
  async #repeat(step: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await this.#storeStep(step);
        return;
      } catch (error) {
        if (!(error instanceof PassthruError)) throw error;
        await this.#sleep(200);
      }
    }
  }
}
