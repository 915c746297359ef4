import { styleText } from 'node:util';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { visibleJson } from '../process/terminalText.ts';

const COLOURS = { fatal: 'red', error: 'red', warn: 'yellow', info: 'green', debug: 'blue', trace: 'gray' } as const;

/**
 * Formats a log line for people: time of day, level, message, fields, then a stack trace on lines of its own. Values stay
 * JSON, so that nothing from outside can control the terminal.
 * @param line one JSON object; anything else is returned unchanged
 */
export function terminalLine(line: string): string {
  const fields = parse(line);
  if (fields === null) return line;
  const { time, level, msg, err, ...others } = fields;
  const { stack, ...error } = isJsonObject(err) ? err : { stack: undefined };
  const rest = Object.entries({ ...others, ...(isJsonObject(err) ? error : err === undefined ? {} : { err }) })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${styleText('gray', `${name}=`)}${printable(JSON.stringify(value))}`);
  const word = String(level);
  const colour = COLOURS[word as keyof typeof COLOURS] ?? 'gray';
  const head = `${styleText('gray', String(time).slice(11, 23))} ${styleText(colour, word.padEnd(5))} ${printable(String(msg))}`;
  const trace = typeof stack === 'string' ? stack.split('\n').map((text) => `\n    ${printable(text.trim())}`) : [];
  return `${[head, ...rest].join(' ')}${trace.join('')}\n`;
}

/** Escapes what terminals obey, also tabs and line breaks; JSON escapes only what is below 0x20. */
function printable(text: string): string {
  return visibleJson(text).replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}

function parse(line: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
