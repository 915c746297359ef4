/**
 * What a terminal obeys instead of showing: control characters (U+009B begins a sequence as ESC [ does), line and paragraph
 * separators, and the marks that reverse or isolate the direction of text (Unicode, UAX #9), by which a text shows as
 * another one.
 */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Whether `text` has a character that must not reach a terminal; tabs and line breaks may. */
export function isUnsafe(text: string): boolean {
  return visible(text) !== text;
}

/** Escapes what a terminal obeys, except tabs and line breaks, in text of a BMC or another caller: `\x1b`, `\u202e`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\t' || character === '\n') return character;
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** Escapes within JSON text, whose strings stay the same; line breaks and tabs may be those between its values. */
export function visibleJson(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\t' || character === '\n') return character;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
