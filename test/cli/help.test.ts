import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { passthru, ROOT } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

test('the help of every command has examples', async () => {
  const words = [...readFileSync(join(ROOT, 'docs', 'cli.md'), 'utf8').matchAll(/^\| `([a-z ]+?)(?= [^a-z`]|`)/gm)];
  const commands = new Set(words.map(([, path]) => path!));
  expect(commands.size).toBeGreaterThan(15);
  for (const path of commands) {
    const { status, stdout } = await passthru([...path.split(' '), '--help']);
    expect([path, status, stdout]).toEqual([path, 0, expect.stringMatching(/\nExamples?:\n {2}|start-up file:/)]);
  }
});

test('every command has help, and a misspelt command gets a suggestion', async () => {
  const help = await passthru(['node', 'passthru', 'call', '--help']);
  expect(help).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('Examples:') });
  expect(help.stdout).toMatch(/\n\nGlobal options, see passthru --help:\n {2}--server, .*--timeout\n$/);
  expect((await passthru(['--help'])).stdout).toContain('--timeout <time>');
  // Commands without a service have no options to choose one.
  expect((await passthru(['serve', '--help'])).stdout).not.toContain('--server');
  expect(await passthru(['--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/serve[\s\S]*sim[\s\S]*Exit status/),
  });
  expect(await passthru(['node', 'lst'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Did you mean list?'),
  });
  expect(await passthru(['nod'])).toMatchObject({
    status: 2,
    stderr: "error: unknown command 'nod'. Did you mean node?\n  See: passthru --help\n",
  });
  expect(await passthru([])).toMatchObject({ status: 2 });
  expect(await passthru(['--version'])).toMatchObject({ status: 0, stdout: '0.1.0\n' });
});
