import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { useBenchService } from './benchService.ts';
import { startPassthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { directory, at, run, output } = useBenchService();

describe('node passthru call', () => {
  const call = (...args: string[]) => run('node', 'passthru', 'call', ...args);

  test("converts arguments to the types of the method's schema", async () => {
    const pairs = {
      ...{ text: '7', number: '1.5', integer: '3', flag: 'True', list: '["a"]', object: '{"a":{"b":[1]}}' },
      ...{ choice: 'a', either: 'false', anything: '{"x":1}' },
    };
    const args = Object.entries(pairs).flatMap(([key, value]) => ['--arg', `${key}=${value}`]);
    const { stdout } = await call('bench-1', 'echo', '--http-method', 'PUT', ...args);
    expect(JSON.parse(stdout)).toEqual({
      ...{ text: '7', number: 1.5, integer: 3, flag: true, list: ['a'], object: { a: { b: [1] } } },
      ...{ choice: 'a', either: 'false', anything: '{"x":1}' },
    });
  });

  test('reads @FILE from a file, and @@ as a leading @', async () => {
    const file = join(directory, 'text.txt');
    writeFileSync(file, 'from a file\n');
    const { stdout } = await call(
      'bench-1',
      'echo',
      '--http-method',
      'POST',
      '--arg',
      `text=@${file}`,
      '--arg',
      'anything=@@x=y',
    );
    expect(JSON.parse(stdout)).toEqual({ text: 'from a file', anything: '@x=y' });
  });

  test.each([
    [['--arg', 'number=x'], '--arg number: "x" is not a number, such as 1.5'],
    [
      ['--arg', 'object={"a": [12345678901234567890]}'],
      '--arg object: the number at a.0 does not fit into 64 bits of floating point; give it as a string',
    ],
    [['--arg', 'number=1e999'], '--arg number: "1e999" is out of range: integers must be within 2^53'],
    [['--arg', 'integer=1.5'], '--arg integer: "1.5" is not a whole number'],
    [['--arg', 'integer=9007199254740993'], '--arg integer: "9007199254740993" is out of range'],
    [['--arg', 'list=a'], '--arg list: "a" is not a list in JSON, such as ["a", "b"]'],
    [['--arg', 'object=[1]'], '--arg object: "[1]" is not an object in JSON'],
    [['--arg', 'flag=maybe'], '--arg flag: "maybe" is not true or false'],
    [['--arg', 'flag=@package.json'], '--arg flag: "@package.json" is not true or false'],
    [
      ['--arg', 'text'],
      '--arg: a word of 4 characters, which may be a secret and is not shown, has no "="; must be KEY=VALUE',
    ],
    [['--arg', 'text=a', '--arg', 'text=b'], '--arg: text is given twice'],
    [['--arg', 'text=@/does/not/exist'], '--arg: /does/not/exist cannot be read: no such file'],
    [['--output', 'x'], '--output: echo does not return an attachment'],
    [['--lock-wait', 'long'], '--lock-wait: "long" is not a duration such as 10 (seconds), 500ms or 2m\n'],
    [['--format', 'xml'], '--format: "xml" is not allowed; allowed: table, json, yaml, value'],
    [['--colour'], "unknown option '--colour'. Did you mean --column?\n  See: passthru node passthru call --help\n"],
  ])('%j exits with 2 and sends nothing', async (args, message) => {
    expect(await call('bench-1', 'echo', ...args)).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });

  test.each(['pin_token=x1234', 'x1234'])('--arg %s: the error does not repeat a possible secret', async (pair) => {
    const { status, stderr } = await call('bench-1', 'echo', '--arg', pair);
    expect([status, stderr]).toEqual([2, expect.not.stringContaining('x1234')]);
  });

  test('prints each violation of a refused call', async () => {
    const refused = await call('bench-1', 'echo', '--http-method', 'PUT', '--arg', 'choice=c', '--arg', 'nope=1');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/choice.*must be one of/);
    expect(refused.stderr).toMatch(/nope/);
  });

  test('exits with 3 for an unknown node, 1 for an unknown method, 4 for a locked node with its holder', async () => {
    expect(await call('nope', 'echo')).toMatchObject({ status: 3, stderr: 'error: Node nope could not be found.\n' });
    expect(await run('driver', 'show', 'nope')).toMatchObject({ status: 3 });
    expect(await run('job', 'show', '00000000-0000-4000-8000-000000000000')).toMatchObject({ status: 3 });
    expect(await call('bench-1', 'ecco')).toMatchObject({
      status: 1,
      stderr: 'error: unknown method ecco; allowed: echo, hold, report. Did you mean echo?\n',
    });
    const locked = await call('locked-1', 'echo', '--http-method', 'PUT', '--lock-wait', '0');
    expect(locked.status).toBe(4);
    // The user said the name, so the error does.
    expect(locked.stderr).toMatch(/^error: Node locked-1 is locked by host conductor-b\.example/);
    expect(locked.stderr).toMatch(/\n {2}release it by passthru node unlock/);
    expect(locked.stderr).toMatch(/held by conductor-b\.example, since 20\d\d-\S+, requested by nodes_file/);
  });

  test('writes an attachment to --output or standard output byte by byte, never to a path from the service', async () => {
    const file = join(directory, 'report.bin');
    expect(await call('bench-1', 'report', '--output', file)).toEqual({
      status: 0,
      stdout: '',
      stderr: `${file}: 4 bytes of application/octet-stream\n`,
    });
    expect([...readFileSync(file)]).toEqual([0, 1, 254, 255]);
    const piped = startPassthru(['node', 'passthru', 'call', 'bench-1', 'report'], { ...at });
    expect(await piped.ended).toMatchObject({ status: 0 });
    expect([...piped.bytes()]).toEqual([0, 1, 254, 255]);
    const unwritable = await call('bench-1', 'report', '--output', join(directory, 'absent', 'x'));
    expect(unwritable).toMatchObject({ status: 1, stderr: expect.stringContaining('the call succeeded, but writing') });
  });

  test('runs two calls with the same --idempotency-key as one job', async () => {
    const once = async () => {
      const { stdout } = await call(
        'bench-2',
        'hold',
        '--arg',
        'word=once',
        '--idempotency-key',
        'k1',
        '-f',
        'value',
        '-c',
        'id',
      );
      return stdout;
    };
    await output('driver', 'passthru', 'call', 'bench', 'release', '--arg', 'word=once');
    expect(await once()).toBe(await once());
  });
});
