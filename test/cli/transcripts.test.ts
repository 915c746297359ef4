import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { useBenchService } from './benchService.ts';
import { passthru, serve } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { directory, run, output } = useBenchService();

const LINE = /transcript: passthru (job transcript \S+)\n$/;
const echo = (...args: string[]) => run('node', 'passthru', 'call', 'bench-1', 'echo', '--http-method', 'PUT', ...args);

describe('job transcript', () => {
  test('prints the transcript that --record made a call keep', async () => {
    const { status, stdout, stderr } = await echo('--arg', 'text=x', '--record');
    expect([status, JSON.parse(stdout)]).toEqual([0, { text: 'x' }]);
    const printed = await output(...LINE.exec(stderr)![1]!.split(' '));
    expect(JSON.parse(printed)).toMatchObject({
      method: 'echo',
      arguments: { text: 'x' },
      exchanges: [{ echoed: {} }],
    });
    expect(printed.split('\n').length).toBeGreaterThan(10);
  });

  test('prints the transcript that the error of a failed call names', async () => {
    const { status, stderr } = await echo('--arg', 'text=fail');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^error: failed as requested\n {2}transcript: /)]);
    const printed = await output(...LINE.exec(stderr)![1]!.split(' '));
    expect(JSON.parse(printed)).toMatchObject({ outcome: { state: 'failed', error: 'failed as requested' } });
  });

  test('prints the transcript of a job', async () => {
    await output('driver', 'passthru', 'call', 'bench', 'release', '--arg', 'word=recorded');
    const started = ['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word=recorded', '--record=all'];
    const { stdout } = await run(...started, '--watch', '-f', 'value', '-c', 'id');
    const printed = await output('job', 'transcript', stdout.trim());
    expect(JSON.parse(printed)).toMatchObject({ id: stdout.trim(), exchanges: [{ held: 'recorded' }] });
  });

  test('says why there is none, with the status of an unknown job', async () => {
    const unknown = await run('job', 'transcript', '01890000-0000-7000-8000-000000000000');
    const missing = await run('job', 'show', '01890000-0000-7000-8000-000000000000');
    expect(unknown).toMatchObject({
      status: missing.status,
      stdout: '',
      stderr: expect.stringMatching(/^error: .*not be found/),
    });
  });
});

test.each([
  [['--record=off', '--arg', 'text=fail'], false],
  [['--record=failures', '--arg', 'text=fail'], true],
  [['--record=failures', '--arg', 'text=x'], false],
])('%j keeps a transcript: %s', async (args, kept) => {
  expect(LINE.test((await echo(...args)).stderr)).toBe(kept);
});

test('with PASSTHRU_RECORDER=all each call keeps a transcript', async () => {
  const nodes = join(directory, 'fake.yaml');
  writeFileSync(nodes, JSON.stringify({ nodes: [{ name: 'fake-1', driver: 'fake-hardware' }] }));
  const served = await serve([], { PASSTHRU_RECORDER: 'all', PASSTHRU_NODES_FILE: nodes });
  const call = ['node', 'passthru', 'call', 'fake-1', 'third_method_sync', '--arg', 'bar=meow'];
  const { stdout, stderr } = await passthru(call, { PASSTHRU_SERVER: served.url });
  expect([stdout, LINE.test(stderr)]).toEqual(['true\n', true]);
  await served.stop();
});

test('--record refuses another word', async () => {
  const { status, stderr } = await echo('--record=on');
  expect([status, stderr]).toEqual([2, 'error: --record: "on" is not allowed; allowed: all, failures, off\n']);
});
