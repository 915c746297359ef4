import { invalidArgument } from './errors.ts';
import type { Json } from './json.ts';

/** Whether a JSON text may have a number that is not kept: one with an exponent, of more than 15 digits, or -0. */
const SUSPECT = /\d[eE][-+]?\d{2}|\d[\d.]{15}|-0(?![\d.]*[1-9])/;

/** Maximum length of a field's path in an error, in characters. */
const MAX_FIELD = 255;

/** The maximum length of a number's text that is looked at; none that is kept needs more than 1,100. */
const MAX_LENGTH = 1100;

/**
 * Throws kind `invalid_argument`, with the field's path, when `text` has a number that would be stored as another one.
 * @param text valid JSON
 * @param whole the name of the document itself
 */
export function refuseInexactNumbers(text: string, whole: string): void {
  const path = findInexactNumber(text);
  if (path === null) return;
  const field = path.length === 0 ? whole : path.join('.').slice(0, MAX_FIELD);
  const description = 'must be a number that fits into 64 bits of floating point, and not -0; send others as a string';
  throw invalidArgument(field, description, `${field} ${description}`);
}

/**
 * Returns the path of the first number in `text` that JavaScript changes, such as 1e400 (infinite), 12345678901234567890 (of
 * another value from the 17th digit on), 1e-400 (zero) or -0 (JSON writes 0); null when there is none. An object's value in the path has its
 * key, an item of a list its index; the path is empty for the document itself.
 * @param text valid JSON
 */
export function findInexactNumber(text: string): string[] | null {
  if (!SUSPECT.test(text)) return null;
  let found: { holder: object; key: string } | null = null;
  // The source of a primitive (ECMAScript 2026) is not in TypeScript's types yet.
  const note = function (this: object, key: string, value: unknown, { source = '' }: { source?: string }): unknown {
    if (found === null && typeof value === 'number' && !isSame(source, value)) found = { holder: this, key };
    return value;
  };
  const document: unknown = JSON.parse(text, note as (key: string, value: unknown) => unknown);
  if (found === null) return null;
  const { holder, key } = found as { holder: object; key: string };
  // Not below the document when it is the document that is a number.
  return [...(pathTo(document as Json, holder) ?? []), ...(typeof document === 'number' ? [] : [key])];
}

/**
 * Whether `value` has the sign and the decimal digits of `source`, a number in JSON's notation. JSON writes the fewest digits
 * that give the same number again.
 */
export function isSame(source: string, value: number): boolean {
  return Number.isFinite(value) && source.length <= MAX_LENGTH && decimal(source) === decimal(String(value));
}

/** Returns a number's sign, its digits without zeros at either end, and their exponent: `-12e3` for -12000. */
function decimal(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return `${sign}0`;
  return `${sign}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`;
}

function pathTo(value: Json, holder: object): string[] | null {
  if (value === holder) return [];
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, member] of Object.entries(value)) {
    const path = pathTo(member, holder);
    if (path !== null) return [key, ...path];
  }
  return null;
}
