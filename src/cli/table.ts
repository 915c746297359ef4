/**
 * A table as the OpenStack client draws it: `+---+` around and under the heading, a blank on each side of a cell.
 * A cell of several lines takes several lines. Without rows it is one empty line, as there.
 * @param right which columns are aligned to the right
 */
export function drawTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly boolean[] = [],
): string {
  if (rows.length === 0) return '\n';
  const widths = columns.map((name, index) => Math.max(width(name), ...rows.map((row) => width(row[index] ?? ''))));
  const rule = `+${widths.map((size) => '-'.repeat(size + 2)).join('+')}+`;
  const lines = [rule, ...drawRow(columns, widths, []), rule];
  for (const row of rows) lines.push(...drawRow(row, widths, right));
  return `${[...lines, rule].join('\n')}\n`;
}

function drawRow(row: readonly string[], widths: readonly number[], right: readonly boolean[]): string[] {
  const cells = row.map((text) => text.split('\n'));
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const padded = cells.map((lines, index) => pad(lines[line] ?? '', widths[index]!, right[index] ?? false));
    return `| ${padded.join(' | ')} |`;
  });
}

function pad(text: string, size: number, right: boolean): string {
  const blanks = ' '.repeat(size - width(text));
  return right ? blanks + text : text + blanks;
}

/** Characters in the longest line. */
function width(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...line].length));
}
