import { expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { terminalLine } from '../../src/observe/terminalLine.ts';
import { useBenchService } from './benchService.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { run } = useBenchService();

/** Every kind of character that a terminal obeys: C0, DEL, C1 (CSI, OSC, ST), separators, marks of direction. */
const HOSTILE = [
  '\u0007\u001b[31m',
  '\u007f',
  '\u0080\u0085\u009b31m\u009d0;x\u009c\u009f',
  '\u2028\u2029',
  '\u200e\u200f\u061c',
  '\u202a\u202b\u202c\u202d\u202e',
  '\u2066\u2067\u2068\u2069',
].map((text, index) => `a${index}${text}z: - #`);
const OBEYED = /[^\n\t\P{Cc}]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

const ARGUMENT = { text: HOSTILE.join(''), object: Object.fromEntries(HOSTILE.map((text) => [text, [text]])) };

test.each(['json', 'yaml', 'table', 'value'])('-f %s passes nothing to the terminal that it obeys', async (format) => {
  const given = ['--arg', `text=${ARGUMENT.text}`, '--arg', `object=${JSON.stringify(ARGUMENT.object)}`];
  const { status, stdout } = await run(
    'node',
    'passthru',
    'call',
    'bench-1',
    'echo',
    '--http-method',
    'POST',
    ...given,
    '-f',
    format,
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(/a6/);
  expect(stdout).not.toMatch(OBEYED);
  // Programs that read the output get the texts as they are.
  if (format === 'json') expect(JSON.parse(stdout)).toEqual(ARGUMENT);
  if (format === 'yaml') expect(parse(stdout)).toEqual(ARGUMENT);
});

test('an error passes nothing to the terminal that it obeys', async () => {
  for (const text of HOSTILE) {
    const { status, stderr } = await run('node', 'show', `n${text.replace('\u0007', '')}`);
    expect(status).not.toBe(0);
    expect(stderr).not.toMatch(OBEYED);
  }
});

test('a text of several lines and scripts stays readable in YAML', async () => {
  const text = 'first line\nzweite Zeile: ä, 漢字, 👩‍🔧, עברית';
  const { stdout } = await run(
    'node',
    'passthru',
    'call',
    'bench-1',
    'echo',
    '--http-method',
    'POST',
    '--arg',
    `text=${text}`,
    '-f',
    'yaml',
  );
  expect(stdout).toContain('漢字, 👩‍🔧, עברית');
  expect(parse(stdout)).toEqual({ text });
});

test('a line of the log passes nothing to the terminal that it obeys', () => {
  for (const text of HOSTILE) {
    const fields = { level: 'warn', time: '2026-01-02T03:04:05.678Z', msg: text, bmc: text, err: { stack: text } };
    const line = terminalLine(JSON.stringify(fields));
    // Its own colours begin with ESC.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are matched on purpose
    expect(line.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(OBEYED);
  }
});
