// How many cells of a terminal a text takes.

const PRINTABLE_ASCII = /^[ -~]*$/;

/** Combining marks, joiners, variation selectors and tags: they are drawn onto the character before them. */
const ZERO_WIDTH = /[\p{Mn}\p{Me}\u200b-\u200d\ufeff\u{e0000}-\u{e0fff}]/u;

/** Characters with East Asian Width W or F (UAX #11), by block; those outside the blocks are emoji. */
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4dc0-\ua4c6\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{191ff}\u{1aff0}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{1f6d5}-\u{1f6df}\u{1fa70}-\u{1faff}\u{20000}-\u{3fffd}]|(?![\u{1f1e6}-\u{1f1ff}])\p{Emoji_Presentation}/u;

/** Asks for the coloured form of the character before, which is wide. */
const EMOJI_SELECTOR = '\ufe0f';

/**
 * Returns the number of cells of `text`, which has no control characters. A sequence of joined emoji counts as all of its
 * parts: terminals differ, and a line must fit on each.
 */
export function textWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let sum = 0;
  let last = 0;
  for (const character of text) {
    const cells = characterWidth(character, last);
    sum += cells;
    if (cells > 0) last = cells;
  }
  return sum;
}

function characterWidth(character: string, before: number): number {
  if (character === EMOJI_SELECTOR) return before === 2 ? 0 : 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

const segmenter = new Intl.Segmenter();

/**
 * Breaks `line` into lines of at most `cells`, at blanks where possible. Graphemes stay whole unless one alone is wider.
 * @param cells at least 2, the width of a wide character
 */
export function wrapLine(line: string, cells: number): string[] {
  if (textWidth(line) <= cells) return [line];
  const lines: string[] = [];
  let units: string[] = [];
  let widths: number[] = [];
  let width = 0;
  for (const unit of splitUnits(line, cells)) {
    const size = textWidth(unit);
    let atBlank = false;
    // Twice where what follows the blank does not leave room for a wide unit either.
    while (width + size > cells && units.length > 0 && !atBlank) {
      atBlank = unit === ' ';
      const blank = atBlank ? -1 : units.lastIndexOf(' ');
      const end = blank > 0 ? blank : units.length;
      lines.push(units.slice(0, end).join(''));
      const next = blank > 0 ? end + 1 : end;
      units = units.slice(next);
      widths = widths.slice(next);
      width = widths.reduce((sum, one) => sum + one, 0);
    }
    if (atBlank) continue;
    units.push(unit);
    widths.push(size);
    width += size;
  }
  return [...lines, units.join('')];
}

/** Returns the beginning of `line` that takes at most `cells`. */
export function cutToWidth(line: string, cells: number): string {
  let start = '';
  for (const unit of splitUnits(line, cells)) {
    if (textWidth(start + unit) > cells) break;
    start += unit;
  }
  return start;
}

/** Returns the graphemes of `line`; those wider than `cells` in characters, since a line must not be too long. */
function splitUnits(line: string, cells: number): string[] {
  if (PRINTABLE_ASCII.test(line)) return [...line];
  return Array.from(segmenter.segment(line), ({ segment }) => segment).flatMap((grapheme) =>
    textWidth(grapheme) > cells ? [...grapheme] : [grapheme],
  );
}

/** Returns the width of the terminal that `stream` is, in cells; infinite when it is not a terminal. */
export function terminalWidth(stream: NodeJS.WriteStream): number {
  if (!stream.isTTY) return Number.POSITIVE_INFINITY;
  // A new pseudo-terminal has no size.
  return stream.columns || Number(process.env.COLUMNS) || 80;
}
