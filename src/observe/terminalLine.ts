import { styleText } from 'node:util';

const COLOURS = { fatal: 'red', error: 'red', warn: 'yellow', info: 'green', debug: 'blue', trace: 'gray' } as const;

/**
 * A line of the log for people: the time of day, the level, the message, then the fields. A stack follows on lines of its
 * own. Values stay JSON, so that nothing that came from outside steers the terminal.
 * @param line one JSON object; what is none is given back as it is
 */
export function terminalLine(line: string): string {
  const fields = parse(line);
  if (fields === null) return line;
  const { time, level, msg, err, ...others } = fields;
  const { stack, ...error } = isObject(err) ? err : { stack: undefined };
  const rest = Object.entries({ ...others, ...(isObject(err) ? error : err === undefined ? {} : { err }) })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${styleText('gray', `${name}=`)}${printable(JSON.stringify(value))}`);
  const word = String(level);
  const colour = COLOURS[word as keyof typeof COLOURS] ?? 'gray';
  const head = `${styleText('gray', String(time).slice(11, 23))} ${styleText(colour, word.padEnd(5))} ${printable(String(msg))}`;
  const trace = typeof stack === 'string' ? stack.split('\n').map((text) => `\n    ${printable(text.trim())}`) : [];
  return `${[head, ...rest].join(' ')}${trace.join('')}\n`;
}

/** JSON escapes the control characters below 0x20; a terminal obeys those from 0x7f to 0x9f too. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
