/** The longest that a timer of Node counts, in milliseconds: with more it fires at once, and a warning is printed. */
const LONGEST = 2 ** 31 - 1;

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Cuts a deadline that no timer can count, in the headers of a call, to the longest that one can: that is over the
 * maximum of a call, and for a stream it is as good as none. Connect arms its timer before it looks at the maximum.
 */
export function cutLongDeadline(headers: Headers): void {
  const [, count, unit] = /^(\d{1,8})([HMS])$/.exec(headers.get('Grpc-Timeout') ?? '') ?? [];
  if (Number(count) * (UNITS[unit ?? ''] ?? 0) > LONGEST)
    headers.set('Grpc-Timeout', `${Math.floor(LONGEST / UNITS.S!)}S`);
  const milliseconds = headers.get('Connect-Timeout-Ms') ?? '';
  if (/^\d{1,10}$/.test(milliseconds) && Number(milliseconds) > LONGEST) {
    headers.set('Connect-Timeout-Ms', String(LONGEST));
  }
}
