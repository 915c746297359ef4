// The output of commands: records and lists as a table, JSON, YAML or plain values.
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import { nearest } from '../../config/problems.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { isUnsafe, visible, visibleJson } from '../../process/terminalText.ts';
import { usageError } from '../exitStatus.ts';
import { repeatedOption } from '../options.ts';
import { columnsThatFit, drawTable } from './table.ts';
import { terminalWidth } from './textWidth.ts';

/** The output formats, which are those of the OpenStack client. */
type Format = 'table' | 'json' | 'yaml' | 'value';

export interface OutputOptions {
  format: Format;
  /** The columns to show, in this order; the usual ones when absent. Case-insensitive, with `_` for a blank. */
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
  /** The columns that are shown unless others are requested; all when absent. */
  shown?: readonly string[];
  /**
   * The columns in order of importance, of which a terminal that is too narrow for `shown` gets those that fit. When absent,
   * it gets all: one line for each column of a row.
   */
  narrow?: readonly string[];
  /** What is printed instead of a table without rows, such as `No nodes.` */
  empty: string;
}

/**
 * Adds `-f` and `-c` to `command`.
 * @param otherwise without a default format, what the help says is printed then
 * @param flags those of the format, where -f stands for something else
 */
export function addOutputOptions(
  command: Command,
  byDefault: Format | null = 'table',
  otherwise = '',
  flags = '-f, --format <format>',
): Command {
  const how = byDefault === null ? `output format (default: ${otherwise})` : 'output format';
  const format = new Option(flags, how).choices(['table', 'json', 'yaml', 'value']);
  if (byDefault !== null) format.default(byDefault);
  return command
    .addOption(format)
    .addOption(repeatedOption('-c, --column <column>', 'show only this column; repeatable'));
}

/** Prints `listing` as a table or a list of objects. */
export async function printListing(listing: Listing, { format, column }: OutputOptions): Promise<void> {
  const { shown = listing.columns, narrow, empty } = listing;
  const chosen = choose(listing, column ?? shown);
  if (format === 'table') {
    // Standard output is for rows.
    if (listing.rows.length === 0) process.stderr.write(`${visible(empty)}\n`);
    else printTable(chosen, column === undefined && narrow !== undefined ? choose(listing, narrow) : null);
    return;
  }
  const { columns, rows } = chosen;
  const lines = rows.map((row) => row.map(cellText).join(' '));
  await printAs(format, { lines, data: objects(columns, rows) });
}

/** @param narrow what is shown instead on a terminal that is too narrow, as far as it fits; null: all of `wide` */
function printTable(wide: Chosen, narrow: Chosen | null): void {
  const width = terminalWidth(process.stdout);
  const fitting = ({ columns, rows }: Chosen) =>
    columnsThatFit(
      columns,
      rows.map((row) => row.map(tableText)),
      width,
    );
  if (fitting(wide)?.length === wide.columns.length) {
    draw(wide, width);
    return;
  }
  const kept = narrow && fitting(narrow);
  if (narrow === null || kept === null) {
    drawRecords(wide, width);
    return;
  }
  const shown = pickColumns(narrow, kept);
  draw(shown, width);
  const missing = new Set([...wide.columns, ...narrow.columns].filter((name) => !shown.columns.includes(name)));
  // For a person, who sees the table; not for a log.
  if (!process.stderr.isTTY || missing.size === 0) return;
  process.stderr.write(`Not shown on a terminal this narrow: ${[...missing].join(', ')}. Use -c COLUMN or -f json.\n`);
}

function draw({ columns, rows }: Chosen, width: number): void {
  const right = rows[0]?.map((value) => typeof value === 'number');
  const texts = rows.map((row) => row.map(tableText));
  process.stdout.write(drawTable(columns, texts, { right, width }));
}

/** Draws each row as a table of its own, in which columns are lines. */
function drawRecords({ columns, rows }: Chosen, width: number): void {
  const records = rows.map((row) => {
    const fields = columns.map((name, index) => [name, tableText(row[index]!)]);
    return drawTable(['Field', 'Value'], fields, { width });
  });
  process.stdout.write(records.join('\n'));
}

/** Prints one record as a table of fields and values, or as an object. */
export async function printRecord(record: PrintedRecord, { format, column }: OutputOptions): Promise<void> {
  const names = Object.keys(record);
  const { columns, rows } = choose({ columns: names, rows: [Object.values(record)] }, column ?? names);
  if (format === 'table') return drawRecords({ columns, rows }, terminalWidth(process.stdout));
  await printAs(format, { lines: rows[0]!.map(cellText), data: objects(columns, rows)[0]! });
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
  lines: readonly string[];
  data: Json;
}

async function printAs(format: Exclude<Format, 'table'>, { lines, data }: Forms): Promise<void> {
  if (format === 'value') process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  else await printData(data, format);
}

function objects(columns: Chosen['columns'], rows: Chosen['rows']): JsonObject[] {
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

/** Formats a value for a table, where objects and lists have blanks at which they can be wrapped. */
function tableText(value: Json | Cell): string {
  if (value instanceof Cell || typeof value !== 'object' || value === null) return cellText(value);
  return visible(JSON.stringify(value, null, 1).replaceAll(/\n */g, ' '));
}

function cellJson(value: Json | Cell): Json {
  return value instanceof Cell ? value.json : value;
}

type Chosen = Pick<Listing, 'columns' | 'rows'>;

/**
 * Selects columns, in the order of `selected`, each once.
 * @throws CommandFailure for an unknown column, with the known ones
 */
function choose({ columns, rows }: Chosen, selected: readonly string[]): Chosen {
  const normal = (name: string) => name.trim().toLowerCase().replaceAll(' ', '_');
  const known = columns.map(normal);
  const unknown = selected.filter((name) => !known.includes(normal(name)));
  if (unknown.length > 0) {
    const meant = unknown.length === 1 ? nearest(unknown[0]!, columns) : null;
    const guess = meant === null ? '' : `did you mean ${meant}? `;
    throw usageError(`unknown column ${unknown.join(', ')}; ${guess}columns: ${columns.join(', ')}`);
  }
  const kept = [...new Set(selected.map((name) => known.indexOf(normal(name))))];
  return pickColumns({ columns, rows }, kept);
}

function pickColumns({ columns, rows }: Chosen, indexes: readonly number[]): Chosen {
  return { columns: indexes.map((at) => columns[at]!), rows: rows.map((row) => indexes.map((at) => row[at]!)) };
}

async function printData(value: Json, format: 'json' | 'yaml'): Promise<void> {
  process.stdout.write(await dataText(value, format));
}

/** Returns `value` as JSON or YAML without anything that a terminal obeys. */
export async function dataText(value: Json, format: 'json' | 'yaml'): Promise<string> {
  return format === 'json' ? visibleJson(`${JSON.stringify(value, null, 2)}\n`) : yamlText(value);
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
