import type { JsonValue } from '@bufbuild/protobuf';
import { useState } from 'react';
import { sameJson } from './schema.ts';

/** How a value is typed: read from a text, and written as one. A text that is empty stands for no value. */
export interface Notation {
  read(text: string): JsonValue | undefined;
  write(value: JsonValue | undefined): string;
}

export const TEXT: Notation = {
  read: (text) => (text === '' ? undefined : text),
  write: (value) => (value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)),
};

/** What is no number stays a text, so that it can be shown together with what is wrong with it. */
export const NUMBER: Notation = {
  read: (text) => {
    const trimmed = text.trim();
    if (trimmed === '') return undefined;
    return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(trimmed) ? Number(trimmed) : text;
  },
  write: TEXT.write,
};

/** JSON where it is some, else a text, as in `--arg` of the command lines. */
export const ANY: Notation = {
  read(text) {
    if (text === '') return undefined;
    try {
      return JSON.parse(text) as JsonValue;
    } catch {
      return text;
    }
  },
  write: (value) => (typeof value === 'string' && ANY.read(value) === value ? value : (JSON.stringify(value) ?? '')),
};

/** Keeps what has been typed, `1.` or `{"a":`, while the value is still the one that it stands for. */
export function useEntry(
  { read, write }: Notation,
  value: JsonValue | undefined,
  onChange: (value: JsonValue | undefined) => void,
): [string, (text: string) => void] {
  const [typed, setTyped] = useState(() => write(value));
  const set = (text: string) => {
    setTyped(text);
    onChange(read(text));
  };
  return [sameJson(read(typed), value) ? typed : write(value), set];
}
