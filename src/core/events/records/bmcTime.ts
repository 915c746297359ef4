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
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone = 'Z'] = TIME.exec(value.trim()) ?? [];
  if (year === undefined) return null;
  const [years, months, days, hours, minutes] = [year, month, day, hour, minute].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  // A leap second counts as the one before it.
  const seconds = Math.min(59, Number(second));
  if (years < 1 || hours > 23 || minutes > 59 || Number(second) > 60) return null;
  const utc = new Date(0);
  utc.setUTCFullYear(years, months - 1, days);
  utc.setUTCHours(hours, minutes, seconds, Number(fraction.padEnd(3, '0').slice(0, 3)));
  // The 31st of February is none.
  if (utc.getUTCMonth() !== months - 1 || utc.getUTCDate() !== days) return null;
  const offset = offsetMinutes(zone);
  return offset === null ? null : toDate(utc.getTime() - offset * 60_000);
}

function offsetMinutes(zone: string): number | null {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  if (Number(hours) > 15 || Number(minutes) > 59) return null;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function toDate(milliseconds: number): Date | null {
  return milliseconds >= 0 && milliseconds <= LAST ? new Date(Math.trunc(milliseconds)) : null;
}
