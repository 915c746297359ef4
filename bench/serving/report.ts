import type { Ratio } from './comparisons.ts';
import type { Idles } from './idle.ts';
import type { Row } from './rounds.ts';

/** A ratio as it was measured. */
export interface Measured extends Ratio {
  /** Of the medians of the rates. */
  ratio: number;
  /** The least and the greatest ratio of two neighbouring rounds. */
  least: number;
  most: number;
  /** The inverse ratio of the processor times per request: what it would be if both cores were full. */
  byCpu: number;
  /** Those of the two parties whose rate is not that of their server. */
  notSaturated: string[];
}

/** Returns the ratio of two of the rows of a comparison. */
export function ratioOf(ratio: Ratio, rows: readonly Row[]): Measured | null {
  const ours = rows.find(({ party }) => party === ratio.ours);
  const theirs = rows.find(({ party }) => party === ratio.theirs);
  if (ours === undefined || theirs === undefined) return null;
  const pairs = ours.rounds.map(({ rate }, round) => rate / theirs.rounds[round]!.rate);
  return {
    ...ratio,
    ratio: ours.rate / theirs.rate,
    least: Math.min(...pairs),
    most: Math.max(...pairs),
    byCpu: theirs.cpu / ours.cpu,
    notSaturated: [ours, theirs].filter(({ saturated }) => !saturated).map(({ party }) => party),
  };
}

/** Returns the rows of a comparison as a table in Markdown. */
export function rowsTable(rows: readonly Row[]): string {
  return table(
    ['comparison', 'party', 'tool', 'requests/s', 'spread', 'CPU µs/request', 'p99 ms', 'core', 'others', ''],
    rows.map((row) => [
      row.group,
      row.party,
      row.tool,
      row.rate.toFixed(0),
      percent(row.spread),
      row.cpu.toFixed(row.cpu < 1000 ? 1 : 0),
      row.p99?.toFixed(1) ?? '',
      percent(row.core),
      percent(row.others),
      [row.saturated ? '' : 'not saturated', row.disturbed ? 'disturbed' : '', ...new Set(row.faults)]
        .filter((text) => text !== '')
        .join('; '),
    ]),
  );
}

/** Returns what must be shown as a table in Markdown: the ratios with a target, then the others. */
export function ratiosTable(ratios: readonly Measured[]): string {
  return table(
    ['what', 'got', 'wanted', 'from round to round', 'by CPU time', ''],
    ratios.map((each) => [
      each.what,
      number(each.ratio),
      each.wanted === null ? '' : String(each.wanted),
      `${number(each.least)} to ${number(each.most)}`,
      number(each.byCpu),
      each.notSaturated.length === 0 ? '' : `not saturated: ${each.notSaturated.join(', ')}`,
    ]),
  );
}

export function idleTable(idles: Idles): string {
  const row = (what: string, key: 'memory' | 'ready', unit: number, wanted: string) => [
    what,
    (idles.package[key] / unit).toFixed(0),
    (idles.checkout[key] / unit).toFixed(0),
    wanted,
  ];
  return table(
    ['what', 'package', 'checkout', 'wanted'],
    [
      row('idle memory (MB)', 'memory', 1e6, 'under 90'),
      row('ready after the start of node (ms)', 'ready', 1, 'within 400'),
    ],
  );
}

function table(heads: string[], rows: string[][]): string {
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function number(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
