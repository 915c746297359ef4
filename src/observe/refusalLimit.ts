import type { AuditRecord, AuditSink } from './auditRecord.ts';

/** So many refusals alike are recorded one by one, */
export const MOST = 10;
/** in so many milliseconds; how many more there were is told at their end. */
export const PERIOD = 60_000;

interface Alike {
  written: number;
  /** Not written. */
  more: number;
  last: AuditRecord;
  timer: NodeJS.Timeout;
}

/** The records of those who were not let in. */
export interface RefusalLimit {
  record: AuditSink;
  /** Tells what is left to tell. */
  close(): void;
}

/**
 * Keeps a flood of refusals from filling the disk of the audit: of those alike (caller, action, outcome) the first ten of a
 * minute are written, and at its end one record with their number (`more`). Callers who are known are as many as there are
 * users; all others are one.
 */
export function limitRefusals(sink: AuditSink): RefusalLimit {
  const kinds = new Map<string, Alike>();

  const end = (key: string, { more, last, timer }: Alike) => {
    clearTimeout(timer);
    kinds.delete(key);
    if (more > 0) sink({ ...last, request_id: null, way: null, peer: null, more });
  };

  return {
    record(record) {
      const key = JSON.stringify([record.caller, record.action, record.outcome]);
      let alike = kinds.get(key);
      if (alike === undefined) {
        const begun: Alike = { written: 0, more: 0, last: record, timer: setTimeout(() => end(key, begun), PERIOD) };
        begun.timer.unref();
        kinds.set(key, begun);
        alike = begun;
      }
      alike.last = record;
      if (alike.written === MOST) {
        alike.more += 1;
        return;
      }
      alike.written += 1;
      sink(record);
    },
    close() {
      for (const [key, alike] of kinds) end(key, alike);
    },
  };
}
