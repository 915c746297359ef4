import { liveNodes } from '../live/nodes.ts';
import { Emitter } from '../parts/emitter.ts';
import { session } from '../session/session.ts';
import { quantile, type Reading, readMetrics } from './metrics.ts';

/** What happened between two readings; null where it is not known. */
export interface Measurement {
  /** Seconds since 1970, of its end. */
  at: number;
  /** Per minute. */
  calls: number | null;
  failures: number | null;
  lockConflicts: number | null;
  /** The nodes that were locked at its end. */
  locked: number | null;
  /** Milliseconds that a request to a BMC took on average, and below which 95 % of them were. */
  bmcMean: number | null;
  bmcMost: number | null;
}

const INTERVAL = 10_000;
/** Those of an hour. */
const MOST = 3_600_000 / INTERVAL;

/**
 * What the contract keeps no record of, and the page therefore measures itself: from the first time that it is looked at,
 * as long as the page is open.
 */
class Measurements extends Emitter {
  #last: Reading | null = null;
  #lastAt = 0;
  #started = false;
  items: readonly Measurement[] = [];
  /** When the measuring began, in milliseconds since 1970. */
  began = 0;
  /** The status with which the service refuses its metrics; null while it does not. */
  refused: number | null = null;

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.began = Date.now();
    liveNodes.start();
    void this.#measure();
    setInterval(() => void this.#measure(), INTERVAL);
  }

  async #measure(): Promise<void> {
    if (session.state.status !== 'ready') return;
    const now = Date.now();
    const reading = await this.#read();
    const before = this.#last;
    const minutes = (now - this.#lastAt) / 60_000;
    this.#last = reading;
    this.#lastAt = now;
    const comparable = reading !== null && before !== null && before.process === reading.process;
    const rate = (of: 'calls' | 'failures' | 'lockConflicts') =>
      comparable ? (reading[of] - before[of]) / minutes : null;
    const requests = comparable ? reading.bmcRequests - before.bmcRequests : 0;
    const measurement: Measurement = {
      at: now / 1000,
      calls: rate('calls'),
      failures: rate('failures'),
      lockConflicts: rate('lockConflicts'),
      locked: liveNodes.complete ? liveNodes.items.filter((node) => node.reservation !== undefined).length : null,
      bmcMean: comparable && requests > 0 ? ((reading.bmcSeconds - before.bmcSeconds) / requests) * 1000 : null,
      bmcMost: comparable ? milliseconds(quantile(before, reading, 0.95)) : null,
    };
    this.items = [...this.items, measurement].slice(-MOST);
    this.emit();
  }

  /** Returns null when the metrics cannot be read now. */
  async #read(): Promise<Reading | null> {
    try {
      const response = await session.fetch('/metrics', { cache: 'no-store' });
      this.refused = response.ok || response.status >= 500 ? null : response.status;
      return response.ok ? readMetrics(await response.text()) : null;
    } catch {
      return null;
    }
  }
}

function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}

export const measurements = new Measurements();
