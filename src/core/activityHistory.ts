import {
  type Activity,
  type ActivityMinute,
  type CountedMinute,
  durationIndex,
  emptyMinute,
  MINUTES,
} from './activity.ts';
import { NO_OBSERVER, type Observer } from './observer.ts';

const MINUTE = 60_000;

/** Counts what happens in this process, and forgets it after an hour. Counting creates one small object a minute. */
export class ActivityHistory {
  readonly #now: () => number;
  readonly #since: number;
  /** The minutes of the last hour in which something happened, the newest last. */
  readonly #minutes: CountedMinute[] = [];
  readonly observer: Observer = {
    ...NO_OBSERVER,
    callEnded: (_, { error }) => {
      const minute = this.#minute();
      minute.calls++;
      if (error !== null) minute.failedCalls++;
    },
    lockRefused: () => {
      this.#minute().lockConflicts++;
    },
  };

  /** @param now returns milliseconds since 1970 */
  constructor(now = Date.now) {
    this.#now = now;
    this.#since = now();
  }

  /** Counts a request to a BMC that took `duration` milliseconds. */
  bmcRequest(duration: number): void {
    const minute = this.#minute();
    minute.bmcRequests++;
    minute.bmcTime += duration;
    minute.bmcLongest = Math.max(minute.bmcLongest, duration);
    minute.bmcDurations[durationIndex(duration)]! += 1;
  }

  /** Notes how many nodes are locked now. */
  sampleLocks(lockedNodes: number): void {
    const minute = this.#minute();
    minute.lockedNodes = Math.max(minute.lockedNodes ?? 0, lockedNodes);
  }

  /** Returns what happened since the start, but in the last hour. */
  report(): Activity {
    const last = startOf(this.#now());
    const first = Math.max(startOf(this.#since), last - (MINUTES - 1) * MINUTE);
    const counted = new Map(this.#minutes.map((minute) => [minute.start, minute]));
    const minutes: ActivityMinute[] = [];
    for (let start = first; start <= last; start += MINUTE) {
      const minute = counted.get(start);
      minutes.push(minute === undefined ? emptyMinute(start) : { ...minute, bmcDurations: [...minute.bmcDurations] });
    }
    return { since: this.#since, minutes };
  }

  /** Returns the present minute. A clock that is set back goes on with the newest one. */
  #minute(): CountedMinute {
    const start = startOf(this.#now());
    const newest = this.#minutes.at(-1);
    if (newest !== undefined && start <= newest.start) return newest;
    const minute = emptyMinute(start);
    this.#minutes.push(minute);
    if (this.#minutes.length > MINUTES) this.#minutes.shift();
    return minute;
  }
}

function startOf(time: number): number {
  return Math.floor(time / MINUTE) * MINUTE;
}
