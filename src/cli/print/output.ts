import { type Command, Option } from 'commander';
import type { Json } from '../../core/json.ts';
import { usageError } from '../exitStatus.ts';
import { repeatedOption } from '../options.ts';
import { drawTable } from './table.ts';

/** The output formats, which are those of the OpenStack client. */
export type Format = 'table' | 'json' | 'yaml' | 'value';

export interface OutputOptions {
  format: Format;
  /** The columns to show; all when absent. Case-insensitive, with `_` for a blank. */
  column?: string[];
}

/** A value with different forms in tables and in JSON. */
export class Cell {
  readonly text: string;
  readonly json: Json;

  constructor(text: string, json: Json) {
    this.text = text;
    this.json = json;
  }
}

/** Rows with named columns. */
export interface Listing {
  columns: readonly string[];
  rows: readonly (readonly (Json | Cell)[])[];
}

/** Adds `-f` and `-c` to `command`. Without a default format, jobs are tables and results JSON. */
export function addOutputOptions(command: Command, byDefault: Format | null = 'table'): Command {
  const how = byDefault === null ? 'output format (default: json for a result, table for a job)' : 'output format';
  const format = new Option('-f, --format <format>', how).choices(['table', 'json', 'yaml', 'value']);
  if (byDefault !== null) format.default(byDefault);
  return command
    .addOption(format)
    .addOption(repeatedOption('-c, --column <column>', 'show only this column; repeatable'));
}

/** Prints `listing` as a table or a list of objects. */
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

/** Prints one record as a table of fields and values, or as an object. */
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
    throw usageError('-c requires a result that is an object');
  }
  if (options.format === 'json' || options.format === 'yaml') return printData(value, options.format);
  print(`${cellText(value)}\n`);
}

/** Escapes control characters, so that text of a BMC or another caller cannot control the terminal. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are matched on purpose
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** Formats a value as the OpenStack client (Python) does; objects and lists as JSON. */
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

/** Selects columns, in the listing's own order as the OpenStack client does. */
function choose(listing: Listing, selected: readonly string[]): Listing {
  if (selected.length === 0) return listing;
  const normal = (name: string) => name.trim().toLowerCase().replaceAll(' ', '_');
  const known = new Set(listing.columns.map(normal));
  const unknown = selected.filter((name) => !known.has(normal(name)));
  if (unknown.length > 0) {
    throw usageError(`unknown column ${unknown.join(', ')}; columns: ${listing.columns.join(', ')}`);
  }
  const chosen = new Set(selected.map(normal));
  const keep = listing.columns.map((name) => chosen.has(normal(name)));
  return {
    columns: listing.columns.filter((_, index) => keep[index]),
    rows: listing.rows.map((row) => row.filter((_, index) => keep[index])),
  };
}

/** Returns the width of the terminal in characters; infinite when the output is not a terminal. */
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
