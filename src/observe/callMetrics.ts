import { Counter, Histogram, type Registry } from 'prom-client';
import { DURATIONS } from './durations.ts';

/** What the calls of one method came to since it was last told. */
interface Pending {
  driver: string;
  method: string;
  outcomes: Map<string, number>;
  /** Seconds; the first `count` count. */
  durations: Float64Array;
  count: number;
}

/** So many calls of a method are told at a time. */
const BATCH = 256;

/**
 * The figures of calls. They are on the way of every call, where each step of prom-client costs a microsecond and more, so
 * they are gathered here and told together, at the latest when they are read.
 */
export class CallFigures {
  readonly #calls: Counter<'driver' | 'method' | 'outcome'>;
  readonly #duration: Histogram<'driver' | 'method'>;
  /** By driver, then method. */
  readonly #pending = new Map<string, Map<string, Pending>>();

  constructor(registry: Registry) {
    const registers = [registry];
    const collect = () => this.#tellAll();
    this.#calls = new Counter({
      name: 'passthru_calls_total',
      help: 'Calls of vendor methods by what they came to: result, attachment, job (accepted), or the kind of the error.',
      labelNames: ['driver', 'method', 'outcome'],
      registers,
      collect,
    });
    this.#duration = new Histogram({
      name: 'passthru_call_duration_seconds',
      help: 'How long calls took; of an asynchronous method, until it was accepted.',
      labelNames: ['driver', 'method'],
      buckets: DURATIONS,
      registers,
      collect,
    });
  }

  /** Counts a call that took so many seconds. */
  count(driver: string, method: string, outcome: string, seconds: number): void {
    const pending = this.#of(driver, method);
    pending.outcomes.set(outcome, (pending.outcomes.get(outcome) ?? 0) + 1);
    pending.durations[pending.count++] = seconds;
    if (pending.count === BATCH) this.#tell(pending);
  }

  #of(driver: string, method: string): Pending {
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

  #tellAll(): void {
    for (const methods of this.#pending.values()) for (const pending of methods.values()) this.#tell(pending);
  }

  #tell(pending: Pending): void {
    const { driver, method, outcomes, durations } = pending;
    for (const [outcome, count] of outcomes) this.#calls.inc({ driver, method, outcome }, count);
    const duration = this.#duration.labels({ driver, method });
    for (const seconds of durations.subarray(0, pending.count)) duration.observe(seconds);
    outcomes.clear();
    pending.count = 0;
  }
}
