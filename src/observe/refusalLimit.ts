import type { AuditRecord, AuditSink } from './auditRecord.ts';

/** Identical refusals recorded one by one in each window; the rest are counted and summarized. */
export const MAX_RECORDED = 10;

/** Length of a window in milliseconds. */
export const WINDOW = 60_000;

/** What a summary does not say, since each refusal has its own. */
const NOT_OF_ALL = {
  ...{ request_id: null, way: null, peer: null },
  ...{ method: null, node: null, driver: null, job: null },
} as const;

/** The refusals of one kind in the current window. */
interface Tally {
  recorded: number;
  /** Counted, but without a record of their own. */
  more: number;
  last: AuditRecord;
  timer: NodeJS.Timeout;
}

/** Limits the records of refused callers. */
interface RefusalLimit {
  record: AuditSink;
  /** Writes the pending summaries. */
  close(): void;
}

/**
 * Returns a limiter that keeps a flood of refusals from filling the disk. Of identical refusals (caller, action, outcome)
 * the first ten of a minute are recorded; a last record then counts the rest (`more`). Memory is bounded: there is one
 * tally per known user, action and outcome, and all unauthenticated callers share theirs.
 */
export function limitRefusals(sink: AuditSink): RefusalLimit {
  const tallies = new Map<string, Tally>();

  const end = (key: string) => {
    const { more, last, timer } = tallies.get(key)!;
    clearTimeout(timer);
    tallies.delete(key);
    // The others may have been about other nodes.
    if (more > 0) sink({ ...last, ...NOT_OF_ALL, more });
  };

  return {
    record(record) {
      const key = JSON.stringify([record.caller, record.action, record.outcome]);
      let tally = tallies.get(key);
      if (tally === undefined) {
        tally = { recorded: 0, more: 0, last: record, timer: setTimeout(end, WINDOW, key).unref() };
        tallies.set(key, tally);
      }
      tally.last = record;
      if (tally.recorded === MAX_RECORDED) {
        tally.more += 1;
        return;
      }
      tally.recorded += 1;
      sink(record);
    },
    close() {
      for (const key of tallies.keys()) end(key);
    },
  };
}
