import type { EventSeverity } from '../event.ts';

/** The words for severities, without spaces and hyphens: those of DSP2046 (`Health`), of IPMI and syslog, and of vendors. */
const WORDS: ReadonlyMap<string, EventSeverity> = new Map(
  Object.entries({
    ok: [
      ...['ok', 'informational', 'information', 'info', 'normal', 'notice', 'debug', 'good', 'success'],
      ...['cleared', 'resolved', 'recovered', 'repaired', 'healthy'],
    ],
    warning: ['warning', 'warn', 'minor', 'noncritical', 'degraded', 'caution'],
    critical: [
      ...['critical', 'crit', 'fatal', 'major', 'error', 'err', 'severe', 'emergency', 'emerg', 'alert'],
      ...['nonrecoverable', 'unrecoverable', 'failed', 'failure'],
    ],
  } satisfies Record<EventSeverity, string[]>).flatMap(([severity, words]) =>
    words.map((word): [string, EventSeverity] => [word, severity as EventSeverity]),
  ),
);

/** Returns the severity that a BMC means; null when it is none of the known words. */
export function readSeverity(value: unknown): EventSeverity | null {
  if (typeof value !== 'string' || value.length > 40) return null;
  return WORDS.get(value.toLowerCase().replace(/[\s_-]+/g, '')) ?? null;
}
