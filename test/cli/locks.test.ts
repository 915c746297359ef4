import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { useBenchService } from './benchService.ts';
import { passthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { directory, at, run, output } = useBenchService();
const CALL = ['node', 'passthru', 'call', 'bench-1', 'echo', '--http-method', 'PUT'];
const call = (...args: string[]) => run(...CALL, ...args);

test('lock, call with the key, renew, unlock', async () => {
  const key = (
    await output(
      'node',
      'lock',
      'bench-1',
      '--reason',
      'new firmware',
      '--for',
      '15m',
      '-f',
      'value',
      '-c',
      'reservation_key',
    )
  ).trim();
  expect(key).toMatch(/^passthru_rsv_[\w-]{32}$/);
  expect(JSON.parse(await output('node', 'show', 'bench-1', '-f', 'json', '-c', 'lock'))).toMatchObject({
    lock: { kind: 'held', reason: 'new firmware', expire_time: expect.stringMatching(/^\d{4}-/) },
  });

  expect(await call('--lock-wait', '0')).toMatchObject({
    status: 4,
    stderr: expect.stringMatching(/held by anonymous, since .*, until \d{4}-.*, because: new firmware/),
  });
  expect(await call('--reservation-key', key)).toMatchObject({ status: 0, stderr: '' });
  const environment = { ...at, PASSTHRU_RESERVATION_KEY: key };
  const byVariable = await passthru([...CALL, '--lock-wait', '0'], environment);
  expect(byVariable).toMatchObject({ status: 0, stderr: '' });

  expect(await passthru(['node', 'renew', 'bench-1', '--for', '30m'], environment)).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^Renewed the lock of node bench-1; held by anonymous until \d{4}-.*\n$/),
    stderr: '',
  });
  expect(await output('node', 'renew', 'bench-1')).toBe('Renewed the lock of node bench-1; held by anonymous\n');

  expect(await output('node', 'unlock', 'bench-1', '--reservation-key', key)).toBe('Unlocked node bench-1\n');
  expect(await call('--reservation-key', key)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('that reservation has ended, or is of another node'),
  });
});

test('the key can go to a new file that only its owner reads, and from there to other commands', async () => {
  const file = join(directory, 'bench-2.key');
  expect(await output('node', 'lock', 'bench-2', '--save-key', file)).toBe(
    `Locked node bench-2; held by anonymous\nReservation key: in ${file} (--reservation-key @${file})\n`,
  );
  expect(readFileSync(file, 'utf8')).toMatch(/^passthru_rsv_[\w-]{32}\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await run('node', 'lock', 'bench-1', '--save-key', file)).toEqual({
    status: 2,
    stdout: '',
    stderr: `error: --save-key: ${file} cannot be created: it exists already\n`,
  });
  expect(JSON.parse(await output('node', 'show', 'bench-1', '-f', 'json'))).toMatchObject({ lock: null });
  await output('node', 'unlock', 'bench-2', '--reservation-key', `@${file}`);
});

test('no file is left when the node cannot be locked', async () => {
  const file = join(directory, 'locked-1.key');
  expect(await run('node', 'lock', 'locked-1', '--lock-wait', '0', '--save-key', file)).toMatchObject({ status: 4 });
  expect(() => statSync(file)).toThrow('ENOENT');
});

test('lock prints the key by default, and a malformed one is refused without being repeated', async () => {
  expect(await output('node', 'lock', 'bench-1')).toMatch(
    /^Locked node bench-1; held by anonymous\nReservation key, shown only here: passthru_rsv_[\w-]{32}\n$/,
  );
  writeFileSync(join(directory, 'wrong.key'), 'passthru_rsv_wrong\n');
  for (const wrong of ['passthru_rsv_wrong', `@${join(directory, 'wrong.key')}`]) {
    const { status, stderr } = await run('node', 'unlock', 'bench-1', '--reservation-key', wrong);
    expect([status, stderr]).toEqual([1, expect.stringContaining('reservation_key must be a key')]);
    expect(stderr).not.toContain('passthru_rsv_wrong');
  }
  await output('node', 'unlock', 'bench-1');
});
