import { Code, ConnectError } from '@connectrpc/connect';
import { CALLS } from './calls.ts';
import { NodeLocked, SoakClient, type SoakTarget } from './client.ts';
import type { Operation } from './operation.ts';
import { RESERVATIONS } from './reservations.ts';
import { stay, WATCHES } from './watches.ts';

/** The time after which an operation counts as hanging, in milliseconds. The longest waits for a lock take 3 s each. */
const TIMEOUT = 30_000;

/** More operations than this at once are not begun: the machine is too slow for the rate. */
const MAX_RUNNING = 300;

/** The largest share of an operation that may find its node locked: with more, the load is not what it says. */
const MAX_LOCKED = 0.25;

/** Kinds of errors that are counted one by one; the others together. */
const MAX_ERRORS = 50;

const OPERATIONS = [...CALLS, ...RESERVATIONS, ...WATCHES];

/** How often an operation was begun, and how it ended. */
export interface Tally {
  done: number;
  /** Ended early, because its node was locked. */
  locked: number;
  failed: number;
  /** The longest time it took, in milliseconds. */
  longest: number;
}

/** What callers of all kinds do: REST, Connect, gRPC and gRPC-Web, jobs, reservations, watches, and what goes wrong for them. */
export class SoakLoad {
  /** The number of operations that were begun. */
  operations = 0;
  readonly tallies = new Map<string, Tally>(
    OPERATIONS.map(({ name }) => [name, { done: 0, locked: 0, failed: 0, longest: 0 }]),
  );
  /** The number of messages that watchers got that stay. */
  readonly told = new Map<string, number>();
  /** What no operation expects, with how often it came. */
  readonly unexpected = new Map<string, number>();
  readonly #target: SoakTarget;
  #running = 0;

  constructor(target: SoakTarget) {
    this.#target = target;
  }

  /** Begins `rate` operations a second until `stop`; resolves when all have ended. */
  async run(rate: number, stop: AbortSignal): Promise<void> {
    const total = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);
    const { random } = this.#target;
    const idle = Promise.withResolvers<void>();
    const begun = performance.now();
    const timer = setInterval(() => {
      const due = ((performance.now() - begun) / 1000) * rate;
      while (this.operations < due) {
        let chosen = random.below(total);
        const operation = OPERATIONS.find(({ weight }) => {
          chosen -= weight;
          return chosen < 0;
        })!;
        void this.#begin(operation).finally(() => {
          if (stop.aborted && this.#running === 0) idle.resolve();
        });
      }
    }, 25);
    const staying = stay(
      (signal) => new SoakClient(this.#target, signal),
      stop,
      (what) => this.told.set(what, (this.told.get(what) ?? 0) + 1),
      (what, error) => this.#fail(what, error),
    );
    stop.addEventListener('abort', () => {
      clearInterval(timer);
      if (this.#running === 0) idle.resolve();
    });
    await Promise.all([idle.promise, staying]);
    this.#checkShares();
  }

  async #begin({ name, run }: Operation): Promise<void> {
    this.operations++;
    if (this.#running >= MAX_RUNNING) {
      this.#fail(name, `not begun, since ${MAX_RUNNING} operations were running`);
      return;
    }
    this.#running++;
    const tally = this.tallies.get(name)!;
    const begun = performance.now();
    const late = AbortSignal.timeout(TIMEOUT);
    try {
      // Not by the signal alone: an operation that does not end with it is hanging too.
      const timeout = new Promise<never>((_, reject) => late.addEventListener('abort', () => reject(late.reason)));
      await Promise.race([run(new SoakClient(this.#target, late)), timeout]);
      tally.done++;
    } catch (error) {
      if (isLocked(error)) tally.locked++;
      else {
        tally.failed++;
        this.#fail(name, late.aborted ? `did not end within ${TIMEOUT} ms` : error);
      }
    } finally {
      this.#running--;
      tally.longest = Math.max(tally.longest, performance.now() - begun);
    }
  }

  #fail(name: string, error: unknown): void {
    const message = error instanceof Error ? `${error.message} ${error.cause ?? ''}`.trim() : String(error);
    // Without what differs each time.
    const text = `${name}: ${message.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, 'N')}`.slice(0, 200);
    const key = this.unexpected.has(text) || this.unexpected.size < MAX_ERRORS ? text : 'other errors';
    this.unexpected.set(key, (this.unexpected.get(key) ?? 0) + 1);
  }

  /** Checks that each operation took place, and was not refused too often. */
  #checkShares(): void {
    for (const [name, { done, locked, failed }] of this.tallies) {
      const all = done + locked + failed;
      if (done === 0) this.#fail(name, 'never succeeded');
      else if (locked > MAX_LOCKED * all) this.#fail(name, `found its node locked in ${locked} of ${all} cases`);
    }
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof NodeLocked || (error instanceof ConnectError && error.code === Code.Aborted);
}
