import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareSync } from 'bcryptjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseHtpasswd } from '../../src/auth/htpasswd.ts';
import { needs } from '../needs.ts';
import { passthru, serve } from './run.ts';
import { hasTerminal, onTerminal, openTerminal } from './terminal.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const NEEDS_TERMINAL = needs(hasTerminal ? null : 'python3, which makes the pseudo-terminal');
const MAIN = new URL('../../src/main.js', import.meta.url).pathname;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-users-'));
  file = join(folder, 'users');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs `passthru user set FILE NAME` with `input` as its standard input. */
function set(name: string, input: string, at = file) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'user', 'set', at, name], {
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const hashOf = (name: string) => parseHtpasswd(readFileSync(file, 'utf8')).hashes.get(name) ?? '';

describe('passthru user', () => {
  test('makes a file with mode 0600, with which the service knows the user', async () => {
    expect(set('ann', 'a long word\n')).toEqual({ status: 0, stdout: '', stderr: `Added ann to ${file}.\n` });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const service = await serve([], {
      PASSTHRU_AUTH_TYPE: 'http_basic',
      PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: file,
      PASSTHRU_AUTH_ROLES: 'ann=admin',
    });
    const authorization = `Basic ${btoa('ann:a long word')}`;
    expect((await fetch(`${service.url}/v1/nodes`, { headers: { authorization } })).status).toBe(200);
    await service.stop();
  });

  test('changes a password in its place, keeps other lines and the mode, and follows a link', () => {
    set('ann', 'first');
    set('bob', 'his');
    writeFileSync(file, `# people\n${readFileSync(file, 'utf8')}`);
    chmodSync(file, 0o640);
    const link = join(folder, 'link');
    symlinkSync(file, link);
    expect(set('ann', 'second', link).stderr).toBe(`Changed the password of ann in ${link}.\n`);
    expect(compareSync('second', hashOf('ann'))).toBe(true);
    expect(compareSync('his', hashOf('bob'))).toBe(true);
    expect(readFileSync(file, 'utf8')).toMatch(/^# people\nann:.*\nbob:.*\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test('lists and removes users', async () => {
    set('ann', 'a');
    set('bob', 'b');
    expect((await passthru(['user', 'list', file, '-f', 'value'])).stdout).toBe('ann\nbob\n');
    expect(await passthru(['user', 'delete', file, 'ann'])).toMatchObject({ status: 0 });
    expect((await passthru(['user', 'list', file, '-f', 'value'])).stdout).toBe('bob\n');
    const { status, stderr } = await passthru(['user', 'delete', file, 'ann']);
    expect([status, stderr]).toEqual([3, `error: "ann" is not a user of ${file}\n`]);
  });

  test.each([
    ['a:b', 'x', 2, /name: "a:b" cannot be a user/],
    ['#ann', 'x', 2, /cannot be a user/],
    [' ann', 'x', 2, /cannot be a user/],
    ['ann', '', 2, /the password is empty/],
    ['ann', 'two\nlines', 2, /more than one line/],
    ['ann', 'x'.repeat(73), 2, /73 bytes; bcrypt reads at most 72/],
  ])('refuses the name %j or its password, and makes no file', (name, password, status, message) => {
    const refused = set(name, password);
    expect(refused).toMatchObject({ status, stderr: expect.stringMatching(message) });
    if (password !== '' && password !== 'x') expect(refused.stderr).not.toContain(password);
    expect(existsSync(file)).toBe(false);
  });

  test('changes nothing in a file with an invalid line, or while another command changes it', () => {
    writeFileSync(file, 'ann:secret-word\n');
    expect(set('bob', 'x')).toMatchObject({ status: 1, stderr: expect.stringMatching(/line 1: not a bcrypt hash/) });
    expect(readFileSync(file, 'utf8')).toBe('ann:secret-word\n');
    writeFileSync(file, '');
    writeFileSync(`${file}.new`, '');
    expect(set('bob', 'x')).toMatchObject({ status: 1, stderr: expect.stringMatching(/users\.new exists/) });
    expect(readFileSync(file, 'utf8')).toBe('');
    expect(existsSync(`${file}.new`)).toBe(true);
  });

  test('prompts for the password twice on a terminal, without echo', NEEDS_TERMINAL, async () => {
    const typed = (again: string): [RegExp, string][] => [
      [/New password of ann: $/, 'a-secret-word\r'],
      [/The same again: $/, `${again}\r`],
    ];
    const { status, shown } = await onTerminal(['user', 'set', file, 'ann'], {}, typed('a-secret-word'));
    expect([status, shown]).toEqual([0, expect.stringContaining('Added ann')]);
    expect(shown).not.toContain('a-secret-word');
    expect(compareSync('a-secret-word', hashOf('ann'))).toBe(true);
    const other = await onTerminal(['user', 'set', file, 'ann'], {}, typed('another-word'));
    expect([other.status, other.shown]).toEqual([2, expect.stringContaining('the two passwords differ')]);
    expect(compareSync('a-secret-word', hashOf('ann'))).toBe(true);
  });

  test('keeps what another command changes while a password is typed', NEEDS_TERMINAL, async () => {
    set('ann', 'first');
    const terminal = openTerminal([process.execPath, MAIN, 'user', 'set', file, 'ann'], {});
    await terminal.shows(/New password of ann: $/);
    expect(set('bob', 'his').status).toBe(0);
    terminal.type('second\r');
    await terminal.shows(/The same again: $/);
    terminal.type('second\r');
    expect((await terminal.ended).status).toBe(0);
    expect(compareSync('second', hashOf('ann'))).toBe(true);
    expect(compareSync('his', hashOf('bob'))).toBe(true);
  });
});
