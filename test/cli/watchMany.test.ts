import { describe, expect, test, vi } from 'vitest';
import { useBenchService } from './benchService.ts';
import { startPassthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const { at, run, output } = useBenchService();

describe('following many', () => {
  test('node watch prints the current nodes and each change, as lines or JSON, until it is interrupted', async () => {
    const text = startPassthru(['node', 'watch'], at);
    const json = startPassthru(['node', 'watch', '-f', 'json'], at);
    await text.printed(/that is the current state; changes follow/);
    await json.printed(/"event":"current"/);
    await output('node', 'lock', 'bench-1', '--holder', 'people');
    await text.printed(/node bench-1 held by people/);
    await json.printed(/"reservation":"people"/);
    await output('node', 'unlock', 'bench-1');
    await text.printed(/node bench-1 held by people[\s\S]*node bench-1 free/);
    await json.printed(/"reservation":"people"[\s\S]*"name":"bench-1"[^\n]*"reservation":null/);
    for (const command of [text, json]) command.process.kill('SIGINT');
    expect(await text.ended).toMatchObject({ status: 130, stderr: 'error: stopped watching\n' });
    const { status, stdout } = await json.ended;
    expect(status).toBe(130);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const states = lines.filter(({ event, node }) => event === 'node' && node.name === 'bench-1');
    expect(states.map(({ node }) => node.reservation)).toEqual([null, 'people', null]);
    expect(lines.at(-1)?.cursor).toMatch(/^[\w-]+$/);
  });

  test('job watch --all prints the changes of all jobs that match', async () => {
    const watch = startPassthru(['job', 'watch', '--all', '--node', 'bench-1', '--state', 'running'], at);
    await watch.printed(/that is the current state/);
    const call = run('node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word=all');
    await watch.printed(/job \S+ bench-1 hold running/);
    await output('driver', 'passthru', 'call', 'bench', 'release', '--arg', 'word=all');
    await call;
    watch.process.kill('SIGINT');
    expect((await watch.ended).status).toBe(130);
  });

  test('ends with 124 after --timeout, which does not limit each connection', async () => {
    const commands = [
      ['node', 'watch'],
      ['job', 'watch', '--all'],
    ];
    for (const ended of await Promise.all(commands.map((words) => run(...words, '--timeout', '4')))) {
      expect([ended.status, ended.stderr]).toEqual([124, 'error: stopped watching after 4 s (--timeout)\n']);
      expect(ended.stdout).toContain('that is the current state');
    }
  });

  test('node watch ends without a word when its reader leaves', async () => {
    const watch = startPassthru(['node', 'watch'], at);
    await watch.printed(/that is the current state/);
    watch.process.stdout?.destroy();
    await output('node', 'lock', 'bench-2');
    await output('node', 'unlock', 'bench-2');
    expect(await watch.ended).toMatchObject({ status: 1, stderr: '' });
  });

  test.each([
    [['job', 'watch'], /give either a job or --all/],
    [['job', 'watch', 'x', '--all'], /give either a job or --all/],
    [['job', 'watch', 'x', '--driver', 'y'], /filters need --all/],
  ])('%j is refused as wrong usage', async (args, message) => {
    const { status, stderr } = await run(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
