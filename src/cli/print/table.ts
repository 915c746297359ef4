/** Maximum length of a word that is never broken, such as a UUID. */
const MAX_WORD = 40;

/**
 * Draws a table as the OpenStack client does: `+---+` rules and a blank on each side of a cell. Without rows it is one
 * empty line, as there.
 * @param options `right`: the right-aligned columns; `width`: the maximum line length in characters. The widest columns
 *   are wrapped to fit, down to the length of their longest word
 */
export function drawTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [], width = Number.POSITIVE_INFINITY }: { right?: readonly boolean[]; width?: number } = {},
): string {
  if (rows.length === 0) return '\n';
  const widths = fitColumns([columns, ...rows], width);
  const rule = `+${widths.map((size) => '-'.repeat(size + 2)).join('+')}+`;
  const lines = [rule, ...drawRow(columns, widths, []), rule];
  for (const row of rows) lines.push(...drawRow(row, widths, right));
  return `${[...lines, rule].join('\n')}\n`;
}

/** Returns the width of each column in characters. */
function fitColumns(rows: readonly (readonly string[])[], width: number): number[] {
  const columns = rows[0]!.map((_, index) => rows.map((row) => row[index] ?? ''));
  const widths = columns.map((cells) => Math.max(...cells.map(longestLine)));
  const least = columns.map((cells) => Math.max(...cells.map(longestWord)));
  // Each column has a border and two blanks; one more border ends the line.
  let excess = widths.reduce((sum, size) => sum + size + 3, 1) - width;
  while (excess > 0) {
    const loose = widths.map((size, index) => (size > least[index]! ? size : 0));
    const widest = Math.max(...loose);
    if (widest === 0) break;
    widths[loose.indexOf(widest)]! -= 1;
    excess -= 1;
  }
  return widths;
}

function drawRow(row: readonly string[], widths: readonly number[], right: readonly boolean[]): string[] {
  const cells = row.map((text, index) => text.split('\n').flatMap((line) => wrap(line, widths[index]!)));
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const padded = cells.map((lines, index) => pad(lines[line] ?? '', widths[index]!, right[index] ?? false));
    return `| ${padded.join(' | ')} |`;
  });
}

/** Wraps `line` into lines of at most `size` characters, at blanks where possible. */
function wrap(line: string, size: number): string[] {
  const lines: string[] = [];
  let rest = [...line];
  while (rest.length > size) {
    const blank = rest.lastIndexOf(' ', size);
    const end = blank > 0 ? blank : size;
    lines.push(rest.slice(0, end).join(''));
    rest = rest.slice(blank > 0 ? end + 1 : end);
  }
  return [...lines, rest.join('')];
}

function pad(text: string, size: number, right: boolean): string {
  const blanks = ' '.repeat(size - [...text].length);
  return right ? blanks + text : text + blanks;
}

/** Returns the length of the longest line in characters. */
function longestLine(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...line].length));
}

function longestWord(text: string): number {
  return Math.min(MAX_WORD, Math.max(...text.split(/[ \n]/).map((word) => [...word].length)));
}
