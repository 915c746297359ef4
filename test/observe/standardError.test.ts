import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Served, start } from '../cli/run.ts';
import { hasTerminal, openTerminal } from '../cli/terminal.ts';
import { needs } from '../needs.ts';

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

test('what waits for a reader that hangs stays bounded, however much is logged', async () => {
  const command = startUnread(`
    const text = 'x'.repeat(10_000);
    for (let round = 0; round < 100; round++) {
      for (let line = 0; line < 200; line++) log.info({ text }, 'written');
      await new Promise(setImmediate);
    }
    console.log('rss', Math.round(process.memoryUsage().rss / 2 ** 20), 'MB');`);
  const [, megabytes] = await command.printed(/rss (\d+) MB/);
  // Of 200 MB; Node itself takes about 60.
  expect(Number(megabytes)).toBeLessThan(200);
  command.process.stderr!.destroy();
});

/** Starts the service by `sh`, with its standard error as `redirection` says. */
async function serveTo(redirection: string): Promise<Served> {
  const command = start('sh', ['-c', `exec "$0" src/main.js serve ${redirection}`, process.execPath], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_STORE: 'sqlite::memory:',
  });
  const [, url] = await command.printed(/^listening on (\S+)$/m);
  return {
    url: url!,
    command,
    stop() {
      command.process.kill('SIGTERM');
      return command.ended;
    },
  };
}

const send = (url: string, path: string, body: object) =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'X-OpenStack-Ironic-API-Version': '1.78', 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

async function call(url: string): Promise<number> {
  return (await send(url, '/v1/drivers/fake-hardware/vendor_passthru/missing', {})).status;
}

async function droppedOf(url: string, kind: 'log' | 'audit'): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^passthru_log_lines_dropped_total\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

test.each([
  ['a full device', '2>/dev/full'],
  ['a closed descriptor', '2>&-'],
  ['a descriptor for reading only', '2</dev/null'],
])('the service serves and stops although its log goes to %s; dropped audit records are counted', async (_what, to) => {
  const served = await serveTo(to);
  for (let index = 0; index < 20; index++) expect(await call(served.url)).toBe(400);
  expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
  // Node opens /dev/null in place of a closed descriptor.
  if (to !== '2>&-') await vi.waitFor(async () => expect(await droppedOf(served.url, 'audit')).toBe(20));
  expect((await served.stop()).status).toBe(0);
});

test('dropped audit records are counted when the reader is gone', async () => {
  const served = await serveTo('');
  served.command.process.stderr!.destroy();
  for (let index = 0; index < 5; index++) expect(await call(served.url)).toBe(400);
  await vi.waitFor(async () => expect(await droppedOf(served.url, 'audit')).toBe(5));
  served.command.process.kill('SIGTERM');
  expect(await once(served.command.process, 'exit')).toEqual([0, null]);
});

describe('on a disk that is full', needs(noMount()), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'passthru-full-'));
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
  });
  afterAll(() => {
    spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  });

  test('lines are dropped, and reported with the audit records among them once there is space', async () => {
    const log = join(folder, 'log');
    const filler = join(folder, 'filler');
    const served = await serveTo(`2>${log}`);
    const fill = () => {
      try {
        for (;;) writeFileSync(filler, 'x', { flag: 'a' });
      } catch {
        // Full.
      }
    };
    fill();
    // More than what is left of the last block of the log.
    for (let index = 0; index < 100; index++) expect(await call(served.url)).toBe(400);
    await vi.waitFor(async () => expect(await droppedOf(served.url, 'audit')).toBeGreaterThan(0));
    const dropped = await droppedOf(served.url, 'audit');
    rmSync(filler);
    // By itself, though nothing else is logged.
    await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toMatch(/log lines dropped/), 10_000);
    expect(await call(served.url)).toBe(400);
    expect((await served.stop()).status).toBe(0);
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    const report = lines.findIndex((line) => line.includes('log lines dropped'));
    expect(JSON.parse(lines[report]!)).toMatchObject({
      level: 'warn',
      lines: dropped,
      audit_records: dropped,
      code: 'ENOSPC',
      msg: 'log lines dropped, standard error could not be written',
    });
    // At most the line at which the disk was full is incomplete; the report has a line of its own.
    for (const [index, line] of lines.entries()) if (index !== report - 1) expect(() => JSON.parse(line)).not.toThrow();
    const records = lines.filter((line) => line.endsWith('"msg":"audit"}'));
    expect(records).toHaveLength(101 - dropped);
  });
});

test(
  'a terminal that does not take the log does not stop the program',
  needs(hasTerminal ? null : 'python3'),
  async () => {
    const program = `import fs from 'node:fs'; const { createServiceLog } = await import(${JSON.stringify(LOG)}); const log = createServiceLog('info');
    ${LOG_LINES}
    setTimeout(() => { fs.writeFileSync(process.env.DONE, 'runs'); process.exit(3); }, 100);`;
    const folder = mkdtempSync(join(tmpdir(), 'passthru-terminal-'));
    const done = join(folder, 'done');
    // XOFF, as Ctrl-S sends it.
    const terminal = openTerminal(
      ['sh', '-c', `stty ixon; sleep 1; exec "$0" --input-type=module -e "$PROGRAM"`, process.execPath],
      { DONE: done, PROGRAM: program },
    );
    terminal.type('\x13');
    await vi.waitFor(() => expect(readFileSync(done, 'utf8')).toBe('runs'), 30_000);
    terminal.type('\x11');
    expect((await terminal.ended).status).toBe(3);
    rmSync(folder, { recursive: true });
  },
);

function noMount(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-mount-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (isMounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return isMounted ? null : 'the right to mount a tmpfs (root)';
}
