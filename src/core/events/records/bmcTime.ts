/** `2026-11-30T03:45:28.123-06:00`, also with a space, without colon in the offset, seconds or an offset, and in lower case. */
const TIME =
  /^(\d{4})-(\d{1,2})-(\d{1,2})[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d*)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/i;

/** Numbers from here on are milliseconds since 1970, those below are seconds. */
const LEAST_MILLISECONDS = 1e11;

/** The last moment of a year that a `google.protobuf.Timestamp` holds. */
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * Returns a time that a BMC sent, in UTC when it names no offset; null when it is no time, such as `00:00:00Z` of one that has
 * not set its clock.
 */
export function readBmcTime(value: unknown): Date | null {
  if (typeof value === 'number' || (typeof value === 'string' && /^\d{9,13}$/.test(value.trim()))) {
    const number = Number(value);
    return toDate(number < LEAST_MILLISECONDS ? number * 1000 : number);
  }
  if (typeof value !== 'string') return null;
  const match = TIME.exec(value.trim());
  if (match === null) return null;
  const [year, month, day, hour, minute] = [
    Number(match[1]),
    Number(match[2]),
    Number(match[3]),
    Number(match[4]),
    Number(match[5]),
  ];
  const second = Number(match[6] ?? 0);
  if (year < 1 || hour > 23 || minute > 59 || second > 60) return null;
  const fraction = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  // The 31st of February is none.
  if (utc.getUTCMonth() !== month - 1 || utc.getUTCDate() !== day) return null;
  // A leap second counts as the one before it.
  const time = utc.getTime() + ((hour * 60 + minute) * 60 + Math.min(59, second)) * 1000 + fraction;
  const offset = offsetMinutes(match[8] ?? 'Z');
  return offset === null ? null : toDate(time - offset * 60_000);
}

function offsetMinutes(zone: string): number | null {
  if (zone === 'Z') return 0;
  const [, sign, hours, minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  if (Number(hours) > 15 || Number(minutes) > 59) return null;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function toDate(milliseconds: number): Date | null {
  return milliseconds >= 0 && milliseconds <= LAST ? new Date(Math.trunc(milliseconds)) : null;
}
