/** What one reading of `/metrics` tells, summed over all labels. */
export interface Reading {
  /** When the process that answered began: its counters begin there, and those of another replica are others. */
  process: number;
  calls: number;
  failures: number;
  lockConflicts: number;
  bmcRequests: number;
  /** Seconds that all requests to BMCs took. */
  bmcSeconds: number;
  /** The number of requests that took at most as long, by seconds, ascending; the last bound is infinite. */
  bmcBuckets: readonly (readonly [bound: number, count: number])[];
}

/** The outcomes of calls that did not fail; others are kinds of errors (docs/observability.md). */
const SUCCESSES = new Set(['result', 'attachment', 'job']);

const LINE = /^([a-z_]+)(?:\{(.*)\})? ([-+.\deE]+|NaN|[-+]Inf)$/;

/** Reads metrics in Prometheus' text format. */
export function readMetrics(text: string): Reading {
  const totals = new Map<string, number>();
  const buckets = new Map<number, number>();
  let failures = 0;
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const number = Number(value);
    totals.set(name, (totals.get(name) ?? 0) + number);
    if (name === 'passthru_calls_total' && !SUCCESSES.has(label(labels, 'outcome'))) failures += number;
    if (name === 'passthru_bmc_request_duration_seconds_bucket') {
      const le = label(labels, 'le');
      const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      buckets.set(bound, (buckets.get(bound) ?? 0) + number);
    }
  }
  const total = (name: string) => totals.get(name) ?? 0;
  return {
    process: total('process_start_time_seconds'),
    calls: total('passthru_calls_total'),
    failures,
    lockConflicts: total('passthru_lock_conflicts_total'),
    bmcRequests: total('passthru_bmc_request_duration_seconds_count'),
    bmcSeconds: total('passthru_bmc_request_duration_seconds_sum'),
    bmcBuckets: [...buckets].sort(([a], [b]) => a - b),
  };
}

function label(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(labels)?.[1] ?? '';
}

/** Returns the bound, in seconds, below which `share` of the requests between two readings were; null without any. */
export function quantile(before: Reading, after: Reading, share: number): number | null {
  const count = after.bmcRequests - before.bmcRequests;
  if (count <= 0) return null;
  const earlier = new Map(before.bmcBuckets);
  const found = after.bmcBuckets.find(([bound, upTo]) => upTo - (earlier.get(bound) ?? 0) >= share * count);
  return found !== undefined && Number.isFinite(found[0]) ? found[0] : null;
}
