import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { start } from '../cli/run.ts';

// Each test starts a process, which is slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const LOG = fileURLToPath(new URL('../../src/observe/log.ts', import.meta.url));

/** Runs `code` with a service's `log` in a process of its own; nothing reads its standard error. */
function startUnread(code: string) {
  const prelude = `const { createServiceLog } = await import(${JSON.stringify(LOG)}); const log = createServiceLog('info');`;
  const command = start(process.execPath, ['--input-type=module', '-e', `${prelude}\n${code}`]);
  command.process.stderr!.pause();
  return command;
}

/** Many times what a pipe holds. */
const LINES = 20_000;
const LOG_LINES = `for (let line = 0; line < ${LINES}; line++) log.info({ line, text: 'x'.repeat(60) }, 'written');`;

/** Returns the numbers of the logged lines. */
function numbers(stderr: string): number[] {
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).line);
}

test.each([
  ['at an exit', `${LOG_LINES} console.log('exits'); process.exit(3);`],
  [
    'at an exit while earlier lines wait for the reader',
    `${LOG_LINES} console.log('exits'); setTimeout(() => process.exit(3), 100);`,
  ],
  ['at the end of the program', `${LOG_LINES} console.log('exits'); process.exitCode = 3;`],
])('no line is lost %s, however late the reader reads', async (_when, code) => {
  const command = startUnread(code);
  await command.printed(/exits/);
  setTimeout(() => command.process.stderr!.resume(), 300);
  const { status, stderr } = await command.ended;
  expect(status).toBe(3);
  expect(numbers(stderr)).toEqual(Array.from({ length: LINES }, (_, line) => line));
});

test('a reader that does not read does not block the program, and delays its exit by seconds only', async () => {
  const command = startUnread(`${LOG_LINES} setTimeout(() => { console.log('runs'); process.exit(3); }, 50);`);
  await command.printed(/runs/);
  expect(await once(command.process, 'exit')).toEqual([3, null]);
  command.process.stderr!.destroy();
});

test('lines beyond what may wait for a slow reader are dropped and counted, and later ones are logged again', async () => {
  const command = startUnread(`
    const text = 'x'.repeat(10_000);
    for (let line = 0; line < 2000; line++) log.info({ line, text }, 'written');
    console.log('written');
    setTimeout(() => log.info({ line: 2000 }, 'written later'), 2000);`);
  await command.printed(/written/);
  command.process.stderr!.resume();
  const { status, stderr } = await command.ended;
  expect(status).toBe(0);
  const records = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const report = records.findIndex(({ level }) => level === 'warn');
  expect(records.slice(0, report).map(({ line }) => line)).toEqual(Array.from({ length: report }, (_, line) => line));
  expect(report).toBeGreaterThan(1600);
  expect(records[report]).toMatchObject({
    lines: 2000 - report,
    msg: 'log lines dropped, the reader of standard error is too slow',
  });
  expect(records.slice(report + 1)).toMatchObject([{ line: 2000 }]);
});

test('a reader that is gone ends neither the log nor the program', async () => {
  const command = startUnread(
    `setInterval(() => log.info({}, 'tick'), 5); setTimeout(() => { console.log('runs'); process.exit(3); }, 500);`,
  );
  command.process.stderr!.destroy();
  expect(await command.ended).toMatchObject({ status: 3, stdout: 'runs\n' });
});
