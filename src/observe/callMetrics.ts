import { Counter, Histogram, type Registry } from 'prom-client';

/** Histogram buckets in seconds, from a call of the fake driver to a BMC that uses all of its timeout. */
export const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The calls of one method since the last flush. */
interface Pending {
  driver: string;
  method: string;
  outcomes: Map<string, number>;
  /** Seconds; only the first `count` entries are set. */
  durations: Float64Array;
  count: number;
}

/** Calls of one method buffered before a flush. */
const BATCH = 256;

/**
 * The counter and the histogram of calls. Every call passes here, and each step of prom-client costs a microsecond or
 * more, so calls are buffered and flushed in batches, and whenever the metrics are read.
 */
export class CallMetrics {
  readonly #calls: Counter<'driver' | 'method' | 'outcome'>;
  readonly #duration: Histogram<'driver' | 'method'>;
  /** By driver, then by method. */
  readonly #pending = new Map<string, Map<string, Pending>>();

  constructor(registry: Registry) {
    const registers = [registry];
    const collect = () => this.#flushAll();
    this.#calls = new Counter({
      name: 'passthru_calls_total',
      help: 'Calls of vendor methods by outcome: result, attachment, job (accepted), or the kind of error.',
      labelNames: ['driver', 'method', 'outcome'],
      registers,
      collect,
    });
    this.#duration = new Histogram({
      name: 'passthru_call_duration_seconds',
      help: 'Duration of calls; for asynchronous methods, until the job was accepted.',
      labelNames: ['driver', 'method'],
      buckets: DURATION_BUCKETS,
      registers,
      collect,
    });
  }

  /** Counts a call that took `seconds`. */
  count(driver: string, method: string, outcome: string, seconds: number): void {
    const pending = this.#pendingOf(driver, method);
    pending.outcomes.set(outcome, (pending.outcomes.get(outcome) ?? 0) + 1);
    pending.durations[pending.count++] = seconds;
    if (pending.count === BATCH) this.#flush(pending);
  }

  #pendingOf(driver: string, method: string): Pending {
    let methods = this.#pending.get(driver);
    if (methods === undefined) {
      methods = new Map();
      this.#pending.set(driver, methods);
    }
    let pending = methods.get(method);
    if (pending === undefined) {
      pending = { driver, method, outcomes: new Map(), durations: new Float64Array(BATCH), count: 0 };
      methods.set(method, pending);
    }
    return pending;
  }

  #flushAll(): void {
    for (const methods of this.#pending.values()) for (const pending of methods.values()) this.#flush(pending);
  }

  #flush(pending: Pending): void {
    const { driver, method, outcomes, durations } = pending;
    for (const [outcome, count] of outcomes) this.#calls.inc({ driver, method, outcome }, count);
    const duration = this.#duration.labels({ driver, method });
    for (const seconds of durations.subarray(0, pending.count)) duration.observe(seconds);
    outcomes.clear();
    pending.count = 0;
  }
}
