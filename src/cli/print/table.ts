/** A word longer than this is broken where a table is too wide; one that is shorter, such as a UUID, is never. */
const LONGEST_WORD = 40;

/**
 * A table as the OpenStack client draws it: `+---+` around and under the heading, a blank on each side of a cell.
 * A cell of several lines takes several lines. Without rows it is one empty line, as there.
 * @param options `right`: which columns are aligned to the right; `width`: the characters that a line has room for, when
 * it is not endless. The widest columns are wrapped to fit, as far as words go into them
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

/** The width of each column of `rows`, in characters. */
function fitColumns(rows: readonly (readonly string[])[], width: number): number[] {
  const columns = rows[0]!.map((_, index) => rows.map((row) => row[index] ?? ''));
  const widths = columns.map((cells) => Math.max(...cells.map(longestLine)));
  const least = columns.map((cells) => Math.max(...cells.map(longestWord)));
  // What a line has besides: a border before each column and after the last, and two blanks a column.
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

/** `line` in lines of at most `size` characters, broken at blanks where there are some. */
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

/** In characters. */
function longestLine(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...line].length));
}

function longestWord(text: string): number {
  return Math.min(LONGEST_WORD, Math.max(...text.split(/[ \n]/).map((word) => [...word].length)));
}
