// Masks known secrets in texts: BMCs and drivers quote refused values, passwords and HTTP headers, in many forms.
import { ELLIPSIS } from './bounds.ts';
import { unescapeText, unescapings } from './escapes.ts';
import type { Json } from './json.ts';
import { Needles } from './needles.ts';
import { MASK, mapTexts } from './secrets.ts';

/** The least length of a secret that is redacted anywhere in a text; a shorter one only where it stands alone or quoted. */
export const SHORT_SECRET = 4;

/** The least length of a secret that is redacted in any case: `Admin` as a password must not mask every `admin`. */
const ANY_CASE = 6;

/** More secrets than any node or call has; their texts are masked whole, so that the time stays bounded. */
const MANY_SECRETS = 256;

/** Masks `secrets` in `text`. */
export function redactText(text: string, secrets: readonly string[]): string {
  return redactor(secrets)(text);
}

/** Returns a copy of `value`, which nests no deeper than `DEEPEST`, with `secrets` masked in every text. */
export function redact<T extends Json>(value: T, secrets: readonly string[]): T {
  return mapTexts(value, { text: redactor(secrets) }) as T;
}

/**
 * Returns a `redactText` of these secrets, for many texts. It finds a secret as it is, in another case, escaped as in JSON,
 * URLs, forms and HTML, in any order and depth, in Base64 of itself, its JSON or its URL form,
 * alone or within a longer text, in Base64 of that, and in hexadecimal.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const given = [...new Set(secrets)].filter((secret) => secret !== '');
  if (given.length === 0) return (text) => (typeof text === 'string' ? text : '');
  if (given.length > MANY_SECRETS) return (text) => (text === '' ? '' : MASK);
  const forms = new Forms(given);
  // A driver in JavaScript may log without a message, or with another value in its place.
  return (text) => (typeof text === 'string' && text !== '' ? maskSpans(text, forms.find(text)) : '');
}

/** A text of ours is cut once; a list of them within a text a few times. */
const MANY_CUTS = 32;

/** The beginning of an escape at the end of a text. */
const CUT_ESCAPE = /(?:\\(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|%(?:u[0-9a-f]{0,3}|[0-9a-f])?|&[#a-z0-9]{0,8})$/i;
const LONGEST_ESCAPE = 10;

const QUOTES = ["'", '"', '`'];

/** The part of a text from `from` up to `to`. */
type Span = [from: number, to: number];

/** The forms of some secrets, as they are once a text is without its escapes. */
class Forms {
  /** As they are, with a space for each `+`. */
  readonly #raw = new Needles();
  /** In lower case. */
  readonly #anyCase = new Needles();
  readonly #exact = new Needles();
  /** Parts of Base64 texts. */
  readonly #base64 = new Needles();
  readonly #short = new Set<string>();

  constructor(secrets: readonly string[]) {
    for (const secret of secrets) {
      const text = unescapeText(secret);
      if (text.length < SHORT_SECRET) this.#short.add(secret).add(text);
      else this.#add(secret, text);
      // What stands beside it may make an escape with it.
      if (secret.length >= SHORT_SECRET) this.#raw.add(secret.replaceAll('+', ' '));
    }
  }

  #add(secret: string, text: string): void {
    if (text.length >= ANY_CASE) this.#anyCase.add(lowerCase(text));
    else this.#exact.add(text);
    for (const form of hexForms(secret)) this.#anyCase.add(form);
    const once = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())];
    const bytes = new Set(once.map(utf8));
    // Basic credentials of old programs.
    if (!isAscii(secret)) bytes.add(secret);
    for (const part of [...bytes].flatMap(base64Parts)) {
      this.#addBase64(part);
      for (const form of new Set([part, inUrlAlphabet(part)])) base64Parts(form).forEach(this.#addBase64, this);
    }
  }

  /** Adds it in both alphabets, with a space for each `+` as `unescapeText` leaves it. */
  #addBase64(part: string): void {
    this.#base64.add(part.replaceAll('+', ' '));
    this.#base64.add(inUrlAlphabet(part));
  }

  /** Returns where the secrets are in `text`. */
  find(text: string): Span[] {
    const spans: Span[] = [];
    const levels = [...unescapings(text)];
    const { text: plain, origin } = levels.pop()!;
    // Without escapes the texts are the same.
    for (const level of levels) {
      this.#raw.search(level.text, (from, to) => spans.push([level.origin(from), level.origin(to)]));
    }
    const add = (from: number, to: number) => spans.push([origin(from), origin(to)]);
    this.#anyCase.search(lowerCase(plain), add);
    this.#exact.search(plain, add);
    let widened = 0;
    this.#base64.search(plain, (from, to) => {
      // Each run once: a machine may repeat a secret in a long one.
      if (to <= widened) return;
      const [first, last] = aroundBase64(plain, from, to);
      widened = last;
      add(first, last);
    });
    for (const secret of this.#short) {
      if (plain === secret || text === secret) spans.push([0, text.length]);
      const quoted = QUOTES.map((quote) => quote + secret + quote);
      search(plain, quoted, (from, to) => add(from + 1, to - 1));
      search(text, quoted, (from, to) => spans.push([from + 1, to - 1]));
    }
    if (text.includes(ELLIPSIS)) this.#findCut(plain, add);
    return spans;
  }

  /** Finds the beginnings of secrets where the text was cut, so that the rest is missing. */
  #findCut(plain: string, add: (from: number, to: number) => void): void {
    let cut = plain.length;
    for (let count = 0; count < MANY_CUTS; count++) {
      cut = plain.lastIndexOf(ELLIPSIS, cut - 1);
      if (cut < 0) break;
      const before = plain.slice(0, cut);
      // An escape may be cut, too.
      const whole = before.slice(0, cut - (CUT_ESCAPE.exec(before.slice(-LONGEST_ESCAPE))?.[0].length ?? 0));
      const from = Math.min(
        ...[before, whole].flatMap((part) => [
          beginningAtEnd(lowerCase(part), this.#anyCase),
          beginningAtEnd(part, this.#exact),
          beginningAtEnd(part, this.#base64),
        ]),
      );
      if (from < cut) add(from, cut);
      if (cut === 0) break;
    }
  }
}

function search(text: string, forms: Iterable<string>, found: (from: number, to: number) => void): void {
  for (const form of forms) {
    for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + form.length)) found(at, at + form.length);
  }
}

/** Returns where the longest beginning of one of `forms` starts that ends `text`; infinity when it is too short to tell. */
function beginningAtEnd(text: string, forms: Iterable<string>): number {
  let longest = 0;
  for (const form of forms) longest = Math.max(longest, overlap(text, form));
  return longest < SHORT_SECRET ? Number.POSITIVE_INFINITY : text.length - longest;
}

/** Returns the length of the longest end of `text` that is a beginning of `form`, as Knuth, Morris and Pratt find it. */
function overlap(text: string, form: string): number {
  const tail = text.slice(Math.max(0, text.length - form.length + 1));
  // The usual case needs no table: the beginning does not occur.
  if (!tail.includes(form.slice(0, SHORT_SECRET))) return 0;
  const fallback = new Uint32Array(form.length);
  const step = (matched: number, unit: number) => {
    let length = matched;
    while (length > 0 && (length === form.length || form.charCodeAt(length) !== unit)) length = fallback[length - 1]!;
    return form.charCodeAt(length) === unit ? length + 1 : length;
  };
  for (let index = 1; index < form.length; index++) {
    fallback[index] = step(fallback[index - 1]!, form.charCodeAt(index));
  }
  let matched = 0;
  for (let index = 0; index < tail.length; index++) matched = step(matched, tail.charCodeAt(index));
  return matched;
}

/** Replaces the spans, of which some may overlap. */
function maskSpans(text: string, spans: Span[]): string {
  if (spans.length === 0) return text;
  spans.sort(([a], [b]) => a - b);
  let masked = '';
  let end = 0;
  for (const [from, to] of spans) {
    if (to <= end) continue;
    if (from >= end) masked += text.slice(end, from) + MASK;
    end = to;
  }
  return masked + text.slice(end);
}

/** Keeps the length, so that places stay the same. */
function lowerCase(text: string): string {
  const lower = text.toLowerCase();
  // U+0130 alone becomes longer.
  return lower.length === text.length ? lower : text.replaceAll('\u0130', 'i').toLowerCase();
}

/**
 * Returns what the Base64 of a text that contains the bytes of `latin`, a character for each, contains, for each of the three places that they may begin at
 * within a group; without the characters that depend on what stands before and after.
 */
function base64Parts(latin: string): string[] {
  const parts: string[] = [];
  for (let before = 0; before < 3; before++) {
    const text = Buffer.from('\0'.repeat(before) + latin, 'latin1').toString('base64');
    const part = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + latin.length) * 8) / 6));
    if (part.length >= SHORT_SECRET) parts.push(part);
  }
  return parts;
}

/** Returns the bytes of UTF-8 as a character each. */
function utf8(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** RFC 4648, 5. */
function inUrlAlphabet(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_');
}

/** Widens a part of a Base64 text to the whole, whose other characters hold the secret's first and last bits. */
function aroundBase64(text: string, from: number, to: number): Span {
  const isOf = (index: number) => /[\w/=-]/.test(text.charAt(index));
  let [first, last] = [from, to];
  while (first > 0 && isOf(first - 1)) first--;
  while (isOf(last)) last++;
  return [first, last];
}

function hexForms(secret: string): string[] {
  const bytes = Buffer.from(secret).toString('hex').match(/../g) ?? [];
  return [bytes.join(''), bytes.join(' '), bytes.join(':'), bytes.map((byte) => `0x${byte}`).join(' ')];
}
