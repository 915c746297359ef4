// Undoes the escapes of JSON, URLs, forms and HTML, so that a text is found in whatever form a machine quotes it.

/** A text without its escapes. */
export interface Unescaped {
  text: string;
  /** Returns where in the given text the character at `index` begins, for `text.length` the end of the given text. */
  origin(index: number): number;
}

/** How deep escapes are undone: JSON in JSON in a URL in HTML, with as much again in the text itself. */
const ROUNDS = 8;

/** Names of HTML's characters: those of ASCII, and those of Latin-1 from U+00A0 on. */
const NAMED = new Map(
  Object.entries({
    quot: '"',
    amp: '&',
    lt: '<',
    gt: '>',
    apos: "'",
    excl: '!',
    num: '#',
    dollar: '$',
    percnt: '%',
    lpar: '(',
    rpar: ')',
    ast: '*',
    plus: '+',
    comma: ',',
    period: '.',
    sol: '/',
    colon: ':',
    semi: ';',
    equals: '=',
    quest: '?',
    commat: '@',
    lsqb: '[',
    lbrack: '[',
    bsol: '\\',
    rsqb: ']',
    rbrack: ']',
    hat: '^',
    lowbar: '_',
    grave: '`',
    lcub: '{',
    lbrace: '{',
    verbar: '|',
    vert: '|',
    rcub: '}',
    rbrace: '}',
    tab: '\t',
    newline: '\n',
  }),
);
const LATIN =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml';
for (const [index, name] of LATIN.split(' ').entries()) NAMED.set(name, String.fromCharCode(0xa0 + index));

const CONTROLS: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

/** An escape: of JSON and JavaScript, a run of percent-encoded bytes, `%uXXXX`, and HTML with or without its semicolon. */
const ESCAPE =
  /\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|([\s\S]))|((?:%[0-9a-f]{2})+)|%u([0-9a-f]{4})|&(?:#x0*([0-9a-f]{1,6})|#0*([0-9]{1,7})|([a-z]{2,8}[0-9]{0,2}));?/gi;

/**
 * Yields `text`, and what it is without one level of its escapes after the other, with a space for each `+`. Of the last, two
 * texts that differ only in their escapes are the same. Takes time in proportion to the length.
 */
export function* unescapings(text: string): Generator<Unescaped> {
  let plain = text;
  let origins: Uint32Array | null = null;
  for (let round = 0; ; round++) {
    const of = origins;
    yield { text: plain.replaceAll('+', ' '), origin: (index) => of?.[index] ?? index };
    const once: ReturnType<typeof unescapeOnce> =
      round < ROUNDS && /[\\%&]/.test(plain) ? unescapeOnce(plain, origins) : null;
    if (once === null) return;
    plain = once.text;
    origins = once.origins;
  }
}

/** Returns `text` without its escapes, however deep they nest, and with a space for each `+`. */
export function unescapeText(text: string): string {
  let plain = text;
  for (const level of unescapings(text)) plain = level.text;
  return plain;
}

/** Undoes one level; null when there is nothing to undo. */
function unescapeOnce(text: string, from: Uint32Array | null): { text: string; origins: Uint32Array } | null {
  let plain = '';
  let end = 0;
  let changed = false;
  const origins = new Uint32Array(text.length + 1);
  const originOf = (index: number) => from?.[index] ?? index;
  const copy = (until: number) => {
    for (let index = end; index < until; index++) origins[plain.length + index - end] = originOf(index);
    plain += text.slice(end, until);
  };
  for (const match of text.matchAll(ESCAPE)) {
    const decoded = decode(match);
    if (decoded === null) continue;
    changed = true;
    copy(match.index);
    let at = match.index;
    // Only a run of bytes has several characters; each byte takes three.
    const isUtf8 = match[0].length === 3 * Buffer.byteLength(decoded);
    for (const char of decoded) {
      origins.fill(originOf(at), plain.length, plain.length + char.length);
      plain += char;
      at += isUtf8 ? 3 * Buffer.byteLength(char) : 3;
    }
    end = match.index + match[0].length;
  }
  if (!changed) return null;
  copy(text.length);
  origins[plain.length] = originOf(text.length);
  return { text: plain, origins };
}

/** Returns what an escape stands for; null when it is none. */
function decode([, unicode, hex, literal, percent, percentUnicode, entityHex, entity, name]: RegExpExecArray) {
  if (literal !== undefined) return CONTROLS[literal] ?? literal;
  if (percent !== undefined) return decodeBytes(percent);
  if (name !== undefined) return NAMED.get(name) ?? NAMED.get(name.toLowerCase()) ?? null;
  const code =
    entity === undefined ? Number.parseInt((unicode ?? hex ?? percentUnicode ?? entityHex)!, 16) : Number(entity);
  return code > 0x10ffff ? null : String.fromCodePoint(code);
}

/** Decodes `%c3%a9` as UTF-8, else as Latin-1. */
function decodeBytes(percent: string): string {
  try {
    return decodeURIComponent(percent);
  } catch {
    return Buffer.from(percent.replaceAll('%', ''), 'hex').toString('latin1');
  }
}
