import { readFileSync } from 'node:fs';

/** The files of an idle service: its database, log, listeners, drivers. */
const OWN_FILES = 64;
/** The files of one worker: a connection to a BMC, or the pipes of ipmitool. */
const FILES_PER_WORKER = 3;

/** Returns how many files, sockets included, this process may open; null when unlimited or not known (outside Linux). */
export function openFileLimit(): number | null {
  try {
    // Node raises the soft limit to the hard one when it starts.
    const [, soft] = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/**
 * Returns how many connections of callers fit into `openFiles` beside those to BMCs and the database, which at least half
 * of a small limit is left for.
 */
export function affordableConnections(wanted: number, workers: number, openFiles: number | null): number {
  if (openFiles === null) return wanted;
  const reserve = Math.min(OWN_FILES + workers * FILES_PER_WORKER, Math.ceil(openFiles / 2));
  return Math.max(1, Math.min(wanted, openFiles - reserve));
}
