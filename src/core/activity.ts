/** What happened in one minute. */
export interface ActivityMinute {
  /** When it began, in milliseconds since 1970. */
  start: number;
  /** Ended calls of methods; those that started a job count when it was accepted. */
  calls: number;
  /** Those of them that failed. */
  failedCalls: number;
  /** Failed attempts to reserve a node, because it stayed locked. */
  lockConflicts: number;
  /** The most nodes that were locked at once, on all replicas, as sampled; null when it is not known. */
  lockedNodes: number | null;
  /** Requests to BMCs. */
  bmcRequests: number;
  /** Milliseconds that all of them took. */
  bmcTime: number;
  /** Milliseconds that the longest of them took. */
  bmcLongest: number;
  /** How many of them took at most as long as each of `DURATION_BOUNDS`, and longer than the one before. */
  bmcDurations: readonly number[];
}

/** What happened in the last hour. Plain JSON, as processes tell each other. */
export interface Activity {
  /** Since when all processes that it is about have counted, in milliseconds since 1970. */
  since: number;
  /** Consecutive minutes, the oldest first; the last one has not ended. */
  minutes: readonly ActivityMinute[];
}

/** How many minutes are kept, the present one included. */
export const MINUTES = 60;

/** A duration is told as the next of `DURATION_BOUNDS`: at most a quarter too long. */
const STEP = 1.25;

/** Milliseconds, from 1 to more than 2 minutes; longer durations count as the last. */
const DURATION_BOUNDS = Array.from({ length: 54 }, (_, index) => STEP ** index);

/** A minute that is counted in. */
export type CountedMinute = { -readonly [K in keyof ActivityMinute]: ActivityMinute[K] } & { bmcDurations: number[] };

/** Returns the activity of several processes on the same store as one; `activities` is not empty. */
export function mergeActivities(activities: readonly Activity[]): Activity {
  const merged = new Map<number, CountedMinute>();
  for (const minute of activities.flatMap(({ minutes }) => minutes)) {
    const sum = merged.get(minute.start) ?? emptyMinute(minute.start);
    merged.set(minute.start, sum);
    sum.calls += minute.calls;
    sum.failedCalls += minute.failedCalls;
    sum.lockConflicts += minute.lockConflicts;
    // Each counts those of all.
    if (minute.lockedNodes !== null) sum.lockedNodes = Math.max(sum.lockedNodes ?? 0, minute.lockedNodes);
    sum.bmcRequests += minute.bmcRequests;
    sum.bmcTime += minute.bmcTime;
    sum.bmcLongest = Math.max(sum.bmcLongest, minute.bmcLongest);
    for (const [index, count] of minute.bmcDurations.entries()) sum.bmcDurations[index]! += count;
  }
  const minutes = [...merged.values()].sort((a, b) => a.start - b.start).slice(-MINUTES);
  return { since: Math.max(...activities.map(({ since }) => since)), minutes };
}

/** Returns the index in `DURATION_BOUNDS` of a duration in milliseconds. */
export function durationIndex(duration: number): number {
  const index = Math.ceil(Math.log(Math.max(1, duration)) / Math.log(STEP));
  return Math.min(index, DURATION_BOUNDS.length - 1);
}

/** Returns how long `share` of a minute's requests to BMCs took at most, in milliseconds; null without any. */
export function bmcQuantile({ bmcRequests, bmcLongest, bmcDurations }: ActivityMinute, share: number): number | null {
  let counted = 0;
  for (const [index, count] of bmcDurations.entries()) {
    counted += count;
    if (count > 0 && counted >= share * bmcRequests) return Math.min(DURATION_BOUNDS[index]!, bmcLongest);
  }
  return null;
}

/** Returns a minute in which nothing has happened. */
export function emptyMinute(start: number): CountedMinute {
  return {
    start,
    calls: 0,
    failedCalls: 0,
    lockConflicts: 0,
    lockedNodes: null,
    bmcRequests: 0,
    bmcTime: 0,
    bmcLongest: 0,
    bmcDurations: new Array<number>(DURATION_BOUNDS.length).fill(0),
  };
}
