import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { passLines } from '../../src/process/wholeLines.ts';

/** Returns the lines that arrive when `text` is read in pieces of `size` bytes. */
async function passed(text: string, size: number): Promise<string[]> {
  const lines: string[] = [];
  const stream = new PassThrough();
  passLines(stream, { write: (line) => void lines.push(line) });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
  stream.end();
  await new Promise((resolve) => stream.once('end', resolve));
  return lines;
}

// A piece may end within a character, and a line may contain what ends one elsewhere.
const TEXT = '{"a":1}\n{"b":"ä€𝄞 \u2028 x\r"}\n\nthe end';

test.each([1, 2, 3, 7, 1000])('passes whole lines, however they arrive: %i bytes at once', async (size) => {
  expect(await passed(TEXT, size)).toEqual(['{"a":1}\n', '{"b":"ä€𝄞 \u2028 x\r"}\n', '\n', 'the end\n']);
});

test('adds no line to output that ends with one, and none to no output', async () => {
  expect(await passed('a\nb\n', 3)).toEqual(['a\n', 'b\n']);
  expect(await passed('', 1)).toEqual([]);
});
