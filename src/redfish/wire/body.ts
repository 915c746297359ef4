// What a response's body contains: decoded, as JSON, or as the text that a reader would see.
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib';
import { nestsDeeperThan } from '../../core/json.ts';

/** A body that is parsed at most once. */
interface Body {
  /** Without content encoding. */
  body: Buffer;
  /** What `jsonOf` has read: null when it is not JSON. */
  json?: unknown;
}

/** Returns the body as JSON; null when it is empty, not JSON or nested too deep. */
export function jsonOf(raw: Body): unknown {
  if (raw.json === undefined) raw.json = parse(raw.body);
  return raw.json;
}

function parse(body: Buffer): unknown {
  if (body.length === 0) return null;
  try {
    // Some BMCs send a byte order mark, which JSON does not allow.
    const value: unknown = JSON.parse(
      withoutEnd(body)
        .toString('utf8')
        .replace(/^\uFEFF/, ''),
    );
    return nestsDeeperThan(value, MAX_DEPTH) ? null : value;
  } catch {
    return null;
  }
}

/** Returns the body without the NULs with which old firmware ends its texts. */
function withoutEnd(body: Buffer): Buffer {
  let end = body.length;
  while (end > 0 && (body[end - 1] === 0 || body[end - 1] === 0x0a || body[end - 1] === 0x0d)) end--;
  return body.subarray(0, end);
}

/** Above any document of Redfish. What reads a document may recurse, and must not overflow the stack. */
const MAX_DEPTH = 64;

interface DecodeOptions {
  maxOutputLength: number;
  finishFlush?: number;
}

const DECODERS = new Map<string, (body: Buffer, options: DecodeOptions) => Buffer>([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
  ['br', (body, { maxOutputLength }) => brotliDecompressSync(body, { maxOutputLength })],
]);

/**
 * Decodes `body`; null when that fails. Some BMCs compress although `identity` was requested, and some name an encoding that
 * they did not apply.
 * @param cut whether it is only a part of the body, of which as much as possible is decoded
 */
export function decodeBody(body: Buffer, encoding: string | undefined, cut: boolean, maxBytes: number): Buffer | null {
  const codings = (encoding ?? '').toLowerCase().split(',');
  const options = { maxOutputLength: maxBytes, ...(cut ? { finishFlush: constants.Z_SYNC_FLUSH } : {}) };
  let decoded = body;
  // The last one was applied last (RFC 9110, 8.4).
  for (const coding of codings.map((name) => name.trim()).reverse()) {
    if (coding === '' || coding === 'identity' || decoded.length === 0) continue;
    try {
      const next = DECODERS.get(coding)?.(decoded, options);
      if (next === undefined) return plainJson(body);
      decoded = next;
    } catch {
      return plainJson(body);
    }
  }
  return decoded;
}

function plainJson(body: Buffer): Buffer | null {
  return parse(body) === null ? null : body;
}

/** Above any error page; what follows is ignored. */
const MAX_PAGE_BYTES = 64 * 1024;

/** Returns the text of a body that is not JSON: plain text as it is, of HTML only what a browser shows. */
export function visibleText(body: Buffer): string {
  const page = body.subarray(0, MAX_PAGE_BYTES).toString('utf8');
  const tag = page.search(/<[a-z!/?]/i);
  if (tag === -1 || !page.includes('>', tag)) return cleanText(page);
  const text = cleanText(textOfHtml(page));
  return text === '' ? cleanText(decodeEntities(titleOf(page))) : text;
}

function titleOf(html: string): string {
  const tag = html.search(/<title\b/i);
  const begin = tag === -1 ? -1 : html.indexOf('>', tag);
  return begin === -1 ? '' : html.slice(begin + 1).split('<', 1)[0]!;
}

/** Returns the text between the tags. One pass, as a hostile page must not take long. */
function textOfHtml(html: string): string {
  const lower = html.toLowerCase();
  const texts: string[] = [];
  for (let at = 0; ; ) {
    const tag = html.indexOf('<', at);
    texts.push(html.slice(at, tag === -1 ? html.length : tag));
    if (tag === -1) return decodeEntities(texts.join(' '));
    at = endOfTag(lower, tag);
  }
}

const HIDDEN = /<(script|style|head|template|noscript)\b/y;

/** Returns the end of the tag at `at`, or of the comment or the whole element that a browser does not show. */
function endOfTag(lower: string, at: number): number {
  if (lower.startsWith('<!--', at)) return endOf(lower, '-->', at + 4);
  HIDDEN.lastIndex = at;
  const hidden = HIDDEN.exec(lower)?.[1];
  if (hidden === undefined) return endOf(lower, '>', at);
  return endOf(lower, '>', endOf(lower, `</${hidden}`, at));
}

/** Returns the index after the next `text`; the end when there is none. */
function endOf(from: string, text: string, at: number): number {
  const found = from.indexOf(text, at);
  return found === -1 ? from.length : found + text.length;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** Terminal escape sequences (ECMA-48): control sequences, operating system commands, and single ones. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this removes them
const ESCAPES = /\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|(?:\u001b\[?|\u009b)[0-?]*[ -/]*[@-~]/g;
/** Control characters, line separators, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this removes them
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Returns a BMC's text on one line, without what would act on a terminal. */
export function cleanText(text: string): string {
  return text.replace(ESCAPES, '').replace(CONTROLS, ' ').replace(/ {2,}/g, ' ').trim();
}
