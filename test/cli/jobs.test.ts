import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { BENCH_DRIVER, useBenchService } from './benchService.ts';
import { passthru, serve, startPassthru } from './run.ts';
import { hasTerminal, onTerminal } from './terminal.ts';

const NEEDS_TERMINAL = needs(hasTerminal ? null : 'python3, which makes the pseudo-terminal');

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { directory, at, run, output } = useBenchService();

describe('a job', () => {
  /** Starts a job that runs until it is released, and returns its id. */
  async function startHold(word: string): Promise<string> {
    const id = await output(
      'node',
      'passthru',
      'call',
      'bench-1',
      'hold',
      '--arg',
      `word=${word}`,
      '-f',
      'value',
      '-c',
      'id',
    );
    return id.trim();
  }
  const release = (word: string) => output('driver', 'passthru', 'call', 'bench', 'release', '--arg', `word=${word}`);

  test('--watch prints each change to standard error and the job to standard output', async () => {
    const args = ['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word=watched', '--watch', '-f', 'json'];
    const watch = startPassthru(args, at);
    await watch.printed(/hold running 50% half/);
    await release('watched');
    const { status, stdout, stderr } = await watch.ended;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'succeeded',
      method: 'hold',
      node_name: 'bench-1',
      result: { word: 'watched' },
    });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^\d{4}-\d\d-\d\dT\S+Z hold succeeded$/);
    // Text from a driver or a BMC cannot control the terminal.
    expect(stderr).toContain('half \\x1b[31mway');
    expect(stderr).not.toContain('\u001b');
  });

  test('on a terminal --watch redraws one progress bar', NEEDS_TERMINAL, async () => {
    const { status, shown } = await onTerminal(
      ['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word=bar', '--watch', '-f', 'value', '-c', 'state'],
      at,
      [[/50% half/, () => void release('bar')]],
    );
    expect(status).toBe(0);
    const lines = shown.split('\r\u001b[K');
    expect(lines).toContain('[##########----------] hold running 50% half \\x1b[31mway');
    expect(lines.at(-1)).toBe('hold succeeded\r\nsucceeded\r\n');
  });

  test(
    'Ctrl-C during --watch reports that the job continues, and how to follow or stop it',
    NEEDS_TERMINAL,
    async () => {
      const args = ['node', 'passthru', 'call', 'bench-2', 'hold', '--arg', 'word=interrupted', '--watch'];
      const { status, shown } = await onTerminal(args, at, [[/50% half/, '\x03']]);
      expect(status).toBe(130);
      const [, id] =
        /stopped watching; the job is still running\.\s+Follow it: +passthru job watch (\S+)/.exec(shown) ?? [];
      expect(await output('job', 'show', id!, '-f', 'value', '-c', 'state')).toBe('running\n');
      await output('job', 'cancel', id!);
    },
  );

  test('--watch exits with 1, and with the reason unless it is printed, when the job fails', async () => {
    const id = await startHold('fail');
    const watch = startPassthru(['job', 'watch', id, '-f', 'value', '-c', 'state'], at);
    await watch.printed(/hold running/);
    await release('fail');
    expect(await watch.ended).toMatchObject({
      status: 1,
      stdout: 'failed\n',
      stderr: expect.stringMatching(
        new RegExp(`error: job ${id} failed: .*\n  transcript, if one was kept: passthru job transcript ${id}\n$`),
      ),
    });
  });

  test('a watch resumes when the service returns', async () => {
    const environment = { PASSTHRU_STORE: `sqlite:${join(directory, 'jobs.db')}`, PASSTHRU_DRIVERS: BENCH_DRIVER };
    const first = await serve([], environment);
    const there = { PASSTHRU_SERVER: first.url };
    await passthru(['node', 'create', '--driver', 'bench', '--name', 'n'], there);
    const watch = startPassthru(['node', 'passthru', 'call', 'n', 'hold', '--arg', 'word=lost', '--watch'], there);
    await watch.printed(/hold running 50%/);
    first.command.process.kill('SIGKILL');
    await first.command.ended;
    const second = await serve([], { ...environment, PASSTHRU_LISTEN: new URL(first.url).host });
    try {
      const { status, stdout, stderr } = await watch.ended;
      expect(status).toBe(1);
      expect(stderr.match(/hold running 50%/g)).toHaveLength(1);
      // The id is there before anything can go wrong, and the user knows why nothing moves.
      expect(stderr).toMatch(
        /^job [0-9a-f-]{36}: hold on n\n[\s\S]*50%.*\n\S+ connection lost, reconnecting\n\S+ connected again\n/,
      );
      // The table has the error, so the last line does not repeat it.
      expect(stdout).toMatch(/\| error +\| .*worker lost/);
      expect(stderr).toMatch(/hold failed\nerror: job \S+ failed\n$/);
    } finally {
      await second.stop();
    }
  });

  test('Ctrl-C stops the watch, not the job; cancel stops the job', async () => {
    const id = await startHold('endless');
    const watch = startPassthru(['job', 'watch', id], at);
    await watch.printed(/hold running/);
    watch.process.kill('SIGINT');
    expect(await watch.ended).toMatchObject({
      status: 130,
      stderr: expect.stringMatching(
        new RegExp(`stopped watching; the job is still running\\.[\\s\\S]*passthru job cancel ${id}`),
      ),
    });
    const late = await run('--timeout', '0.3', 'job', 'watch', id);
    expect([late.status, late.stderr]).toEqual([
      124,
      expect.stringMatching(
        new RegExp(`did not end within 0\\.3 s \\(--timeout\\).*still running[^]*job cancel ${id}`),
      ),
    ]);
    const list = JSON.parse(await output('job', 'list', '--state', 'running', '--node', 'bench-1', '-f', 'json'));
    expect(list).toMatchObject([
      { ID: id, Method: 'hold', Node: 'bench-1', State: 'running', Progress: { fraction: 0.5 } },
    ]);
    expect(await output('job', 'cancel', id, '-f', 'value', '-c', 'state')).toBe('cancelled\n');
    expect(await output('job', 'show', id, '-f', 'value', '-c', 'state')).toBe('cancelled\n');
    const { ended_at: ended } = JSON.parse(await output('job', 'show', id, '-f', 'json', '-c', 'ended_at'));
    // The beginning of an id is enough, and an ended job has the time of its end.
    const watched = await run('job', 'watch', id.slice(0, -4));
    expect(watched.stderr).toContain(`\n${ended.slice(0, 19)}`);
    expect(watched).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`job ${id} cancelled`),
    });
  });
});
