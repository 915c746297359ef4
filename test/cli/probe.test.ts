import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Fleet, loadCapture, startFleet } from '../../src/sim/index.ts';
import { needs } from '../needs.ts';
import { selfSigned } from '../sim/selfSigned.ts';
import { passthru, startPassthru } from './run.ts';
import { hasTerminal, onTerminal } from './terminal.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), 'passthru-probe-'));
const file = (name: string) => join(folder, name);
const ACCOUNT = ['--username', 'u', '--password', 'p'];
let fleet: Fleet;
let secure: Fleet;
let url: string;

beforeAll(async () => {
  const tls = selfSigned();
  writeFileSync(file('bmc.pem'), tls.cert);
  fleet = await startFleet();
  secure = await startFleet({ tls });
  url = fleet.bmcs[0]!.url;
});
afterAll(async () => {
  await Promise.all([fleet.close(), secure.close()]);
  rmSync(folder, { recursive: true });
});

describe('passthru probe', () => {
  test('writes a capture for its owner only, and prints what it met and which methods work', async () => {
    const { status, stdout, stderr } = await passthru(['probe', url, ...ACCOUNT, '-o', file('a.json')]);
    expect([status, stderr]).toEqual([0, expect.stringContaining(`passthru sim --capture ${file('a.json')}`)]);
    expect(stdout).toMatch(/\| vendor +\| Contoso/);
    expect(stdout).toMatch(/\| media-under-system +\| virtual media hang under the system +\| yes +\|/);
    expect(stdout).toMatch(/\| get_all_subscriptions +\| works +\|/);
    expect(stdout).not.toContain('127.0.0.1');
    expect(statSync(file('a.json')).mode & 0o077).toBe(0);
    const profile = await loadCapture(file('a.json'));
    expect(profile.documents.size).toBeGreaterThan(15);
  });

  test('prints the report as JSON, and the capture on standard output where asked to', async () => {
    const { status, stdout, stderr } = await passthru(['probe', url, ...ACCOUNT, '-f', 'json', '-o', '-']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ '@passthru.capture': { version: 1, login: { kind: 'session' } } });
    expect(JSON.parse(stderr)).toMatchObject({ machine: { vendor: 'Contoso' }, events: { subscriptions: 4 } });
  });

  test('prints the report as YAML', async () => {
    const { stdout } = await passthru(['probe', url, ...ACCOUNT, '-f', 'yaml', '-o', file('yaml.json')]);
    expect(stdout).toMatch(/^machine:\n {2}vendor: Contoso$/m);
  });

  test('does not overwrite a file unless told to', async () => {
    writeFileSync(file('kept.json'), 'kept');
    const before = fleet.bmcs[0]!.requestCount;
    const refused = await passthru(['probe', url, ...ACCOUNT, '-o', file('kept.json')]);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('--force') });
    expect(readFileSync(file('kept.json'), 'utf8')).toBe('kept');
    expect(fleet.bmcs[0]!.requestCount).toBe(before);
    expect(await passthru(['probe', url, ...ACCOUNT, '-o', file('kept.json'), '--force'])).toMatchObject({ status: 0 });
    expect(readFileSync(file('kept.json'), 'utf8')).not.toBe('kept');
    expect(statSync(file('kept.json')).mode & 0o077).toBe(0);
  });

  test('says that it was not logged in, and writes what strangers may read', async () => {
    writeFileSync(file('password'), 'wrong\n');
    const words = ['probe', url, '--username', 'u', '--password', `@${file('password')}`, '-o', file('stranger.json')];
    const { status, stdout, stderr } = await passthru(words);
    expect([status, stderr]).toEqual([1, expect.stringContaining('error: not logged in:')]);
    expect(stdout).toMatch(/\| discover +\| will not work +\| the credentials were not accepted/);
    expect(stdout).not.toMatch(/no-virtual-media|account u\b/);
    expect(stdout + stderr).not.toContain('wrong\n');
    expect((await loadCapture(file('stranger.json'))).documents.size).toBe(1);
  });

  test('needs no account', async () => {
    const { status, stdout } = await passthru(['probe', url, '-o', file('none.json')]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\| login +\| none/);
    expect(stdout).toMatch(
      /\| eject_vmedia +\| unknown until tried +\| strangers may not read what it needs; give an account/,
    );
    expect(stdout).not.toContain('will not work');
  });

  test('says that an address is that of no Redfish service, and writes how it responded', async () => {
    const other = createServer((_request, response) => response.writeHead(404).end('no such page')).listen(
      0,
      '127.0.0.1',
    );
    await once(other, 'listening');
    try {
      const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      const ended = await passthru(['probe', address, ...ACCOUNT, '-o', file('other.json')]);
      expect(ended).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/error: no service root was read: GET \/redfish\/v1 returned 404\n$/),
      });
      expect(readFileSync(file('other.json'), 'utf8')).toContain('404');
    } finally {
      other.close();
    }
  });

  test('reads nothing when the file cannot be written', async () => {
    const before = fleet.bmcs[0]!.requestCount;
    const refused = await passthru(['probe', url, ...ACCOUNT, '-o', file('nowhere/a.json')]);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('nowhere does not exist') });
    expect(fleet.bmcs[0]!.requestCount).toBe(before);
  });

  test.each([
    [[''], 2, /ADDRESS must be given/],
    [['http://127.0.0.1:9'], 5, /cannot read the BMC: http:\/\/127\.0\.0\.1:9.*connection refused/],
    [['ftp://bmc.example'], 2, /ADDRESS must begin with https/],
    [['https://a:b@bmc.example'], 2, /use --username and --password/],
    [['bmc.example', '--password', 'p'], 2, /--password requires --username/],
    [['bmc.example', '--tls-ciphers', 'NONE'], 2, /--tls-ciphers must be a cipher list/],
    [['bmc.example', '--verify-ca', '/nowhere'], 2, /--verify-ca must be true, false, or the path/],
    [['bmc.example', '--timeout', 'soon'], 2, /--timeout: "soon" is not a duration/],
    [['bmc.example', '--max-requests', '0'], 2, /--max-requests: "0" is not a whole number from 1 to 99999/],
    [['bmc.example', '--username', 'u', '--password', '@/nowhere'], 2, /cannot be read/],
    [[], 2, /missing required argument/],
  ])('%j ends with status %d', async (words, status, message) => {
    const ended = await passthru(['probe', ...words, '-o', file('never.json')]);
    expect(ended).toMatchObject({ status, stderr: expect.stringMatching(message) });
  });

  test('names the option for an untrusted certificate, and reads with its CA', async () => {
    const [{ url: https }] = secure.bmcs as [(typeof secure.bmcs)[0]];
    const refused = await passthru(['probe', https!, ...ACCOUNT, '-o', file('tls.json')]);
    expect(refused).toMatchObject({ status: 5, stderr: expect.stringContaining('--verify-ca') });
    expect(refused.stderr).not.toContain('redfish_');
    const read = await passthru(['probe', https!, ...ACCOUNT, '--verify-ca', file('bmc.pem'), '-o', file('tls.json')]);
    expect(read).toMatchObject({ status: 0, stdout: expect.stringMatching(/self-signed[\s\S]*expires 2049-12-31/) });
  });

  test('logs out when it is interrupted', async () => {
    const bmc = fleet.bmcs[0]!;
    bmc.faults.add({ kind: 'hang', match: { path: '/redfish/v1/AccountService' } });
    try {
      const hangs = bmc.nextRequest({ path: '/redfish/v1/AccountService' });
      const command = startPassthru(['probe', url, ...ACCOUNT, '-o', file('interrupted.json')]);
      await hangs;
      command.process.kill('SIGINT');
      expect(await command.ended).toMatchObject({ status: 130, stdout: '' });
      expect(bmc.sessions).toEqual([]);
    } finally {
      bmc.faults.clear();
    }
  });

  test(
    'prompts for the password without echo',
    needs(hasTerminal ? null : 'python3, which makes the pseudo-terminal'),
    async () => {
      const { status, shown } = await onTerminal(['probe', url, '--username', 'u', '-o', file('prompted.json')], {}, [
        [/Password of u: /, 'p\n'],
      ]);
      expect(status).toBe(0);
      expect(shown).not.toMatch(/Password of u: p/);
    },
  );

  test('is completed by shells', async () => {
    const { stdout } = await passthru(['__complete', 'probe', 'https://bmc.example', '--auth-type', '']);
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual(['auto', 'session', 'basic', '']);
    expect((await passthru(['__complete', 'pro'])).stdout).toMatch(/^probe\t/);
  });
});
