const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration as text: a number and its unit, seconds without one. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;

/**
 * Parses a duration such as `500ms`, `1s`, `1.5m`, `2h` or `1d` into ms; null when invalid. A plain number is in
 * seconds, as in Ironic's configuration.
 */
export function parseDuration(input: unknown): number | null {
  if (typeof input !== 'string' && typeof input !== 'number') return null;
  const match = DURATION.exec(String(input));
  if (match === null) return null;
  return Math.round(Number(match[1]) * UNITS[match[2] ?? 's']!);
}
