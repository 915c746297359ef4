const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * The milliseconds of a duration as people write it: `500ms`, `1s`, `1.5m`, `2h`, `1d`; a plain number is seconds, as
 * in Ironic's configuration. Null when `input` is none.
 */
export function parseDuration(input: unknown): number | null {
  if (typeof input !== 'string' && typeof input !== 'number') return null;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(input));
  if (match === null) return null;
  return Math.round(Number(match[1]) * UNITS[match[2] ?? 's']!);
}
