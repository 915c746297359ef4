// Bounds of what a BMC, a driver or a caller sends, so that one of them cannot fill the memory or the store.

import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** The maximum length of a message that is shown or stored, in bytes of UTF-8. */
export const MESSAGE_BYTES = 4096;

/** The maximum length of a text of a driver's error or log record, in bytes of UTF-8. */
export const LOGGED_BYTES = 16 * 1024;

/** The maximum size of a method's result as JSON text, in bytes. */
export const RESULT_BYTES = 2 * 1024 * 1024;

/** The size of a list's page, in bytes as stored; gRPC clients receive messages up to 4 MiB by default. */
export const PAGE_BYTES = 2 * 1024 * 1024;

/** The maximum number of entries of a list in an error: violations, ExtendedInfo. */
export const ERROR_ENTRIES = 32;

/** The maximum size of the entries of a list in an error, in bytes of JSON text. */
const ERROR_ENTRIES_BYTES = 32 * 1024;

/** DSP0266 nests an entry of ExtendedInfo two levels deep; OEM parts a few more. */
const ENTRY_DEPTH = 8;

/** Ends a text that was cut. */
export const ELLIPSIS = '…';

/** Truncates `text` to at most `bytes` bytes of UTF-8, including the ellipsis, without splitting a character. */
export function cutText(text: string, bytes: number): string {
  if (text.length * 3 <= bytes || (text.length <= bytes && Buffer.byteLength(text) <= bytes)) return text;
  // `stream: true` drops an incomplete character at the end.
  const start = Buffer.from(text.slice(0, bytes)).subarray(0, bytes - Buffer.byteLength(ELLIPSIS));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(start, { stream: true }) + ELLIPSIS;
}

/** Whether the JSON text of `value`, which nests no deeper than `MAX_DEPTH`, takes more than `bytes` bytes. Builds no text. */
export function isLongerThan(value: Json, bytes: number): boolean {
  return spend(value, bytes) < 0;
}

/** Returns what is left of `room` bytes after `value`, negative when it does not fit; looks no further then. */
function spend(value: Json, room: number): number {
  if (typeof value === 'string') return room - textBytes(value);
  if (typeof value === 'number') return room - String(value).length;
  if (typeof value !== 'object' || value === null) return room - 5;
  let left = room - 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      left = spend(item, left - 1);
      if (left < 0) return left;
    }
    return left;
  }
  for (const [name, member] of Object.entries(value)) {
    left = spend(member, left - textBytes(name) - 2);
    if (left < 0) return left;
  }
  return left;
}

/** The bytes of a text in JSON without its escapes. */
function textBytes(text: string): number {
  return Buffer.byteLength(text) + 2;
}

/**
 * Returns the first entries of an error that fit together into 32 entries and 32 KiB. The last one may lack members, and
 * texts in it are cut; what nests too deep becomes `…`. A driver in JavaScript may give anything.
 */
export function cutEntries(given: readonly unknown[]): { entries: JsonObject[]; cut: boolean } {
  const cutter = new Cutter(ERROR_ENTRIES_BYTES);
  const entries: JsonObject[] = [];
  for (const entry of given.slice(0, ERROR_ENTRIES)) {
    if (cutter.room <= 0) break;
    const copy = cutter.copy(entry, ENTRY_DEPTH);
    if (isJsonObject(copy)) entries.push(copy);
    else cutter.cut = true;
  }
  return { entries, cut: cutter.cut || entries.length < given.length };
}

/**
 * Returns a copy of `document` of about `bytes` at most: texts in it are cut, later members are left out, and what nests deeper
 * than `depth` becomes `…`.
 */
export function cutDocument(document: JsonObject, bytes: number, depth: number): JsonObject {
  return new Cutter(bytes).copy(document, depth) as JsonObject;
}

/** Copies JSON while there is room. */
class Cutter {
  room: number;
  cut = false;

  constructor(room: number) {
    this.room = room;
  }

  copy(value: unknown, depth: number): Json {
    this.room -= 8;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
    if (typeof value !== 'object' || depth === 0) {
      this.cut = true;
      return ELLIPSIS;
    }
    if (Array.isArray(value)) {
      const items: Json[] = [];
      for (const item of value) {
        if (this.#full()) break;
        items.push(this.copy(item, depth - 1));
      }
      return items;
    }
    const members: [string, Json][] = [];
    for (const name in value) {
      if (!Object.hasOwn(value, name)) continue;
      if (this.#full()) break;
      members.push([this.#text(name), this.copy((value as Record<string, unknown>)[name], depth - 1)]);
    }
    return Object.fromEntries(members);
  }

  #full(): boolean {
    if (this.room > 0) return false;
    this.cut = true;
    return true;
  }

  #text(text: string): string {
    const short = cutText(text, Math.max(ELLIPSIS.length * 3, Math.min(MESSAGE_BYTES, this.room)));
    if (short !== text) this.cut = true;
    this.room -= Buffer.byteLength(short);
    return short;
  }
}
