import { type Command, Option } from 'commander';
import type { Json } from '../../core/json.ts';
import { usageError } from '../exitStatus.ts';
import { repeatedOption } from '../options.ts';
import { drawTable } from './table.ts';

/** How a command prints what it found; the OpenStack client's formats. */
export type Format = 'table' | 'json' | 'yaml' | 'value';

export interface OutputOptions {
  format: Format;
  /** Only these columns; all when absent. Case does not matter, and `_` stands for a blank. */
  column?: string[];
}

/** A value that people and programs see differently. */
export class Cell {
  readonly text: string;
  readonly json: Json;

  constructor(text: string, json: Json) {
    this.text = text;
    this.json = json;
  }
}

/** Rows under the names of their columns. */
export interface Listing {
  columns: readonly string[];
  rows: readonly (readonly (Json | Cell)[])[];
}

/** Adds `-f` and `-c` to `command`. Without a default format, a table for a job and JSON for a result. */
export function addOutputOptions(command: Command, byDefault: Format | null = 'table'): Command {
  const how = byDefault === null ? 'how to print; else a result as json, a job as a table' : 'how to print';
  const format = new Option('-f, --format <format>', how).choices(['table', 'json', 'yaml', 'value']);
  if (byDefault !== null) format.default(byDefault);
  return command
    .addOption(format)
    .addOption(repeatedOption('-c, --column <column>', 'print this column only; repeat it for more'));
}

/** Prints `listing`: a table, or a list of objects by column. */
export async function printListing(listing: Listing, options: OutputOptions): Promise<void> {
  const { columns, rows } = choose(listing, options.column ?? []);
  switch (options.format) {
    case 'table':
      return print(
        drawTable(
          columns,
          rows.map((row) => row.map(cellText)),
          { right: rightAligned(rows), width: terminalWidth() },
        ),
      );
    case 'value':
      return print(rows.map((row) => `${row.map(cellText).join(' ')}\n`).join(''));
    default:
      return printData(
        rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, cellJson(row[index] ?? null)]))),
        options.format,
      );
  }
}

/** Prints one record: a table of fields and values, or an object. */
export async function printRecord(
  record: Readonly<Record<string, Json | Cell>>,
  options: OutputOptions,
): Promise<void> {
  const { columns, rows } = choose(
    { columns: Object.keys(record), rows: [Object.values(record)] },
    options.column ?? [],
  );
  const values = rows[0]!;
  switch (options.format) {
    case 'table':
      return print(
        drawTable(
          ['Field', 'Value'],
          columns.map((name, index) => [name, cellText(values[index]!)]),
          { width: terminalWidth() },
        ),
      );
    case 'value':
      return print(values.map((value) => `${cellText(value)}\n`).join(''));
    default:
      return printData(
        Object.fromEntries(columns.map((name, index) => [name, cellJson(values[index]!)])),
        options.format,
      );
  }
}

/** Prints any JSON value; as a table when it is an object or a list of objects. */
export async function printValue(value: Json, options: OutputOptions): Promise<void> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0) {
    if (options.format !== 'json' && options.format !== 'yaml') return printRecord(value, options);
    if (options.column !== undefined) return printRecord(value, options);
  } else if (options.column !== undefined) {
    throw usageError('-c picks from an object; the answer is none');
  }
  if (options.format === 'json' || options.format === 'yaml') return printData(value, options.format);
  print(`${cellText(value)}\n`);
}

/** Text for a terminal: what a BMC or another caller wrote cannot move the cursor or change colours. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** As the OpenStack client, which is Python, shows a value; objects and lists as JSON. */
function cellText(value: Json | Cell): string {
  if (value instanceof Cell) return visible(value.text);
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return visible(typeof value === 'string' ? value.replaceAll('\r\n', '\n') : JSON.stringify(value));
}

function cellJson(value: Json | Cell): Json {
  return value instanceof Cell ? value.json : value;
}

/** The chosen columns in the listing's own order, as the OpenStack client has it. */
function choose(listing: Listing, wanted: readonly string[]): Listing {
  if (wanted.length === 0) return listing;
  const normal = (name: string) => name.trim().toLowerCase().replaceAll(' ', '_');
  const known = new Set(listing.columns.map(normal));
  const unknown = wanted.filter((name) => !known.has(normal(name)));
  if (unknown.length > 0) {
    throw usageError(`there is no column ${unknown.join(', ')}; columns: ${listing.columns.join(', ')}`);
  }
  const chosen = new Set(wanted.map(normal));
  const keep = listing.columns.map((name) => chosen.has(normal(name)));
  return {
    columns: listing.columns.filter((_, index) => keep[index]),
    rows: listing.rows.map((row) => row.filter((_, index) => keep[index])),
  };
}

/** Characters of a line on the terminal; infinite when the output is none: what is piped is whole. */
function terminalWidth(): number {
  return (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
}

function rightAligned(rows: Listing['rows']): boolean[] {
  return (rows[0] ?? []).map((value) => typeof value === 'number');
}

async function printData(value: Json, format: 'json' | 'yaml'): Promise<void> {
  if (format === 'json') return print(`${JSON.stringify(value, null, 2)}\n`);
  const { stringify } = await import('yaml');
  print(stringify(value));
}

function print(text: string): void {
  process.stdout.write(text);
}
