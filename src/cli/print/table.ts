import { visible } from '../../process/terminalText.ts';
import { textWidth, wrapLine } from './textWidth.ts';

/** Maximum length of a word that is not broken where the table can be made to fit otherwise, such as a UUID. */
const MAX_WORD = 40;

/** Minimum width of a column: a wide character takes two cells. */
const MIN_COLUMN = 2;

/**
 * Draws a table as the OpenStack client does: `+---+` rules and a blank on each side of a cell. Without rows it is empty.
 * @param options `right`: the right-aligned columns; `width`: the maximum line length in cells. The widest columns are
 *   wrapped to fit, first between words, then within them
 */
export function drawTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [], width = Number.POSITIVE_INFINITY }: { right?: readonly boolean[]; width?: number } = {},
): string {
  if (rows.length === 0) return '';
  const cells = shownCells(columns, rows);
  const widths = fitColumns(cells, width);
  const rule = `+${widths.map((size) => '-'.repeat(size + 2)).join('+')}+`;
  const [head, ...body] = cells;
  const lines = [
    rule,
    ...drawRow(head!, widths, []),
    rule,
    ...body.flatMap((row) => drawRow(row, widths, right)),
    rule,
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * Returns the indexes of as many of `columns` as fit into `width` without breaking words: each in turn, unless it would not
 * fit beside those before it. Null when not even the first fits.
 */
export function columnsThatFit(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): number[] | null {
  let room = width - 1;
  const cells = shownCells(columns, rows);
  const kept = columns.flatMap((_, index) => {
    const least = Math.max(...columnOf(cells, index).map(longestWord)) + 3;
    if (least > room) return [];
    room -= least;
    return [index];
  });
  return kept[0] === 0 ? kept : null;
}

/** Returns the width of each column in cells. */
function fitColumns(rows: readonly (readonly string[])[], width: number): number[] {
  const columns = rows[0]!.map((_, index) => columnOf(rows, index));
  const widths = columns.map((cells) => Math.max(MIN_COLUMN, ...cells.map(longestLine)));
  shrink(widths, width, (index) => Math.max(...columns[index]!.map(longestWord)));
  shrink(widths, width, () => MIN_COLUMN);
  return widths;
}

/** Narrows the widest of `widths` until the table fits, each down to its `least`. */
function shrink(widths: number[], width: number, least: (column: number) => number): void {
  const leasts = widths.map((_, index) => least(index));
  // Each column has a border and two blanks; one more border ends the line.
  let excess = widths.reduce((sum, size) => sum + size + 3, 1) - width;
  while (excess > 0) {
    const loose = widths.map((size, index) => (size > leasts[index]! ? size : 0));
    const widest = Math.max(...loose);
    if (widest === 0) return;
    widths[loose.indexOf(widest)]! -= 1;
    excess -= 1;
  }
}

function columnOf(rows: readonly (readonly string[])[], index: number): string[] {
  return rows.map((row) => row[index]!);
}

function drawRow(row: readonly string[], widths: readonly number[], right: readonly boolean[]): string[] {
  const cells = row.map((text, index) => text.split('\n').flatMap((line) => wrapLine(line, widths[index]!)));
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const padded = cells.map((lines, index) => pad(lines[line] ?? '', widths[index]!, right[index] ?? false));
    return `| ${padded.join(' | ')} |`;
  });
}

function pad(text: string, size: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, size - textWidth(text)));
  return right ? blanks + text : text + blanks;
}

function shownCells(columns: readonly string[], rows: readonly (readonly string[])[]): string[][] {
  return [columns, ...rows].map((row) => columns.map((_, index) => shownText(row[index] ?? '')));
}

/** Escapes what a terminal obeys; a tab would take as many cells as are left to the terminal's next stop. */
function shownText(text: string): string {
  return visible(text).replaceAll('\t', '    ');
}

/** Returns the length of the longest line in cells. */
function longestLine(text: string): number {
  return Math.max(...text.split('\n').map(textWidth));
}

function longestWord(text: string): number {
  return Math.min(MAX_WORD, Math.max(MIN_COLUMN, ...text.split(/[ \n]/).map(textWidth)));
}
