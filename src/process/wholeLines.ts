import type { Readable } from 'node:stream';

const LINE_FEED = 10;

/** A destination of whole lines, each with its line feed. */
export interface LineTarget {
  write(line: string): void;
}

/**
 * Passes what `stream` brings to `target` in whole lines, so that those of several processes do not mix. A last line without an
 * end, as of a process that was killed, gets one.
 */
export function passLines(stream: Readable, target: LineTarget): void {
  let rest: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      const text = Buffer.concat([...rest, chunk.subarray(0, end)]).toString();
      rest = [];
      for (const line of text.slice(0, -1).split('\n')) target.write(`${line}\n`);
    }
    if (end < chunk.length) rest.push(chunk.subarray(end));
  });
  stream.on('end', () => {
    if (rest.length > 0) target.write(`${Buffer.concat(rest)}\n`);
    rest = [];
  });
  // A broken pipe ends with its process, which is noticed there.
  stream.on('error', () => {});
}
