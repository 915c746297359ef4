// The output of commands: records and lists as a table, JSON, YAML or plain values.
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { isUnsafe, visible, visibleJson } from '../../process/terminalText.ts';
import { usageError } from '../exitStatus.ts';
import { repeatedOption } from '../options.ts';
import { drawTable } from './table.ts';

/** The output formats, which are those of the OpenStack client. */
type Format = 'table' | 'json' | 'yaml' | 'value';

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

/** The fields of one thing by name. */
export type PrintedRecord = Readonly<Record<string, Json | Cell>>;

/** Rows with named columns. */
export interface Listing {
  columns: readonly string[];
  rows: readonly (readonly (Json | Cell)[])[];
}

/**
 * Adds `-f` and `-c` to `command`.
 * @param otherwise without a default format, what the help says is printed then
 */
export function addOutputOptions(command: Command, byDefault: Format | null = 'table', otherwise = ''): Command {
  const how = byDefault === null ? `output format (default: ${otherwise})` : 'output format';
  const format = new Option('-f, --format <format>', how).choices(['table', 'json', 'yaml', 'value']);
  if (byDefault !== null) format.default(byDefault);
  return command
    .addOption(format)
    .addOption(repeatedOption('-c, --column <column>', 'show only this column; repeatable'));
}

/** Prints `listing` as a table or a list of objects. */
export async function printListing(listing: Listing, { format, column = [] }: OutputOptions): Promise<void> {
  const { columns, rows } = choose(listing, column);
  const texts = rows.map((row) => row.map(cellText));
  const right = rows[0]?.map((value) => typeof value === 'number');
  const lines = texts.map((row) => row.join(' '));
  await printAs(format, { table: [columns, texts, right], lines, data: objects(columns, rows) });
}

/** Prints one record as a table of fields and values, or as an object. */
export async function printRecord(record: PrintedRecord, { format, column = [] }: OutputOptions): Promise<void> {
  const { columns, rows } = choose({ columns: Object.keys(record), rows: [Object.values(record)] }, column);
  const lines = rows[0]!.map(cellText);
  const fields = columns.map((name, index) => [name, lines[index]!]);
  await printAs(format, { table: [['Field', 'Value'], fields], lines, data: objects(columns, rows)[0]! });
}

/** Returns a record as JSON. */
export function recordJson(record: PrintedRecord): JsonObject {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, cellJson(value)]));
}

/** Prints any JSON value; as a table when it is an object and the format is not JSON or YAML. */
export async function printValue(value: Json, options: OutputOptions): Promise<void> {
  const { format, column } = options;
  const hasFields = isJsonObject(value) && Object.keys(value).length > 0;
  if (column !== undefined && !hasFields) throw usageError('-c requires a result that is an object');
  const isData = format === 'json' || format === 'yaml';
  if (hasFields && (column !== undefined || !isData)) return printRecord(value, options);
  if (isData) return printData(value, format);
  process.stdout.write(`${cellText(value)}\n`);
}

interface Forms {
  /** Columns, rows, and which columns are right-aligned. */
  table: [readonly string[], readonly (readonly string[])[], boolean[]?];
  lines: readonly string[];
  data: Json;
}

async function printAs(format: Format, { table: [columns, rows, right], lines, data }: Forms): Promise<void> {
  if (format === 'json' || format === 'yaml') return printData(data, format);
  const width = (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
  const text =
    format === 'table' ? drawTable(columns, rows, { right, width }) : lines.map((line) => `${line}\n`).join('');
  process.stdout.write(text);
}

function objects(columns: Listing['columns'], rows: Listing['rows']): JsonObject[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, cellJson(row[index] ?? null)])));
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
  const existing = new Set(listing.columns.map(normal));
  const unknown = selected.filter((name) => !existing.has(normal(name)));
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

async function printData(value: Json, format: 'json' | 'yaml'): Promise<void> {
  const text = format === 'json' ? visibleJson(`${JSON.stringify(value, null, 2)}\n`) : await yamlText(value);
  process.stdout.write(text);
}

/** Returns `value` as YAML; texts that a terminal would obey are in double quotes, in which they can be escaped. */
async function yamlText(value: Json): Promise<string> {
  const { Document, visit } = await import('yaml');
  const document = new Document(value);
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && isUnsafe(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return visibleJson(document.toString());
}

/** Formats `time` as Ironic does: `2026-11-23T06:37:41+00:00`. */
export function timeText(time: Timestamp): string {
  return new Date(Number(time.seconds) * 1000).toISOString().replace('.000Z', '+00:00');
}

/** Formats `time`; null when absent. */
export function timeOrNull(time: Timestamp | undefined): string | null {
  return time === undefined ? null : timeText(time);
}

/** Returns a text of the contract, where empty stands for absent; null when empty. */
export function orNull(text: string): string | null {
  return text === '' ? null : text;
}
