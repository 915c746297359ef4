import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { passthru, serve } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const SECRET = 'marker-4711-hunter2';

let directory: string;
let keyFile: string;
let environment: NodeJS.ProcessEnv;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-rotate-'));
  keyFile = join(directory, 'secrets.key');
  environment = {
    PASSTHRU_STORE: `sqlite:${join(directory, 'passthru.db')}`,
    PASSTHRU_SECRETS_KEY_FILE: keyFile,
    PASSTHRU_LOG_LEVEL: 'warn',
  };
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Whether the files of the store contain the secret. */
function isInFiles(): boolean {
  const files = readdirSync(directory).filter((name) => name.startsWith('passthru.db'));
  return files.some((name) => readFileSync(join(directory, name)).includes(SECRET));
}

/** Runs `work` with a running service, stops it, and returns its standard error. */
async function withService(settings: NodeJS.ProcessEnv, work: (url: string) => Promise<void>): Promise<string> {
  const service = await serve([], settings);
  await work(service.url);
  return (await service.stop()).stderr;
}

async function generateKey(): Promise<string> {
  const { status, stdout, stderr } = await passthru(['generate-key']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^# [0-9a-f]{16}, created \d{4}-\d\d-\d\d\n[A-Za-z0-9+/]{43}=\n$/);
  return stdout;
}

test('encrypts a store, rotates its key and drops the old one, as docs/security.md describes', async () => {
  const { PASSTHRU_SECRETS_KEY_FILE: _, ...without } = environment;
  const plain = { ...without, PASSTHRU_SECRETS_PLAIN: 'true' };
  const warned = await withService(plain, async (url) => {
    const driver_info = { redfish_address: 'https://bmc.example', redfish_password: SECRET };
    const body = JSON.stringify({ name: 'n1', driver: 'redfish', driver_info });
    const headers = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.82' };
    expect((await fetch(`${url}/v1/nodes`, { method: 'POST', headers, body })).status).toBe(201);
  });
  expect(warned).toMatch(/BMC passwords are stored unencrypted, as secrets.plain says/);
  expect(isInFiles()).toBe(true);
  expect(await passthru(['rotate-key'], plain)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('secrets.plain is true; a key is required'),
  });

  const first = await generateKey();
  const id = (key: string) => key.slice(2, 18);
  writeFileSync(keyFile, first, { mode: 0o600 });
  expect(await passthru(['rotate-key'], environment)).toEqual({
    status: 0,
    stdout: `Nodes re-encrypted: 1. All secrets are encrypted with key ${id(first)}.\n`,
    stderr: '',
  });
  expect(isInFiles()).toBe(false);

  const second = await generateKey();
  appendFileSync(keyFile, second);
  expect(await passthru(['rotate-key'], environment)).toMatchObject({
    stdout: expect.stringMatching(/re-encrypted: 0\./),
  });
  writeFileSync(keyFile, second + first, { mode: 0o600 });
  expect(await passthru(['rotate-key'], environment)).toMatchObject({
    status: 0,
    stdout: `Nodes re-encrypted: 1. All secrets are encrypted with key ${id(second)}. The other keys (${id(first)}) are no longer in use.\n`,
  });
  writeFileSync(keyFile, second, { mode: 0o600 });
  const quiet = await withService(environment, async (url) => {
    const response = await fetch(`${url}/v1/nodes/n1`, { headers: { 'X-OpenStack-Ironic-API-Version': '1.82' } });
    expect(await response.json()).toMatchObject({
      driver_info: { redfish_address: 'https://bmc.example', redfish_password: '******' },
    });
  });
  expect(quiet).toBe('');
  expect(isInFiles()).toBe(false);

  writeFileSync(keyFile, first, { mode: 0o600 });
  for (const command of ['serve', 'rotate-key']) {
    expect(await passthru([command], { ...environment, PASSTHRU_LISTEN: '127.0.0.1:0' })).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining(
        `secrets.key_file: the store holds secrets (nodes: 1) that are encrypted with the key ${id(second)}, and the keys given are ${id(first)}; add that key`,
      ),
    });
  }
});

test('makes a key at the first start, says so, and does not start without it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-first-'));
  const settings = { PASSTHRU_STORE: `sqlite:${join(folder, 'own.db')}` };
  const log = await withService(settings, async (url) => {
    const body = JSON.stringify({ name: 'n1', driver: 'redfish', driver_info: { redfish_password: SECRET } });
    const headers = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.82' };
    expect((await fetch(`${url}/v1/nodes`, { method: 'POST', headers, body })).status).toBe(201);
  });
  expect(log).toContain('made the key that encrypts the secrets in the database; keep a copy apart from backups');
  expect(log).toContain(`"file":"${join(folder, 'own.db.key')}"`);
  expect(await withService(settings, async () => {})).not.toContain('made the key');
  rmSync(join(folder, 'own.db.key'));
  for (const command of ['serve', 'rotate-key']) {
    const failed = await passthru([command], { ...settings, PASSTHRU_LISTEN: '127.0.0.1:0' });
    expect(failed).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`its file ${join(folder, 'own.db.key')} is missing`),
    });
  }
  expect(readdirSync(folder).filter((name) => name.endsWith('.key'))).toEqual([]);
  rmSync(folder, { recursive: true });
});

test('generate-key writes a new file that only its user can read, and never overwrites one', async () => {
  const file = join(directory, 'generated.key');
  expect(await passthru(['generate-key', file])).toMatchObject({ status: 0, stdout: '' });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/^# [0-9a-f]{16}, created .*\n[A-Za-z0-9+/]{43}=\n$/);
  const again = await passthru(['generate-key', file]);
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('exists and is left as it is') });
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test.each([
  ['a store', 'PASSTHRU_STORE', 'sqlite:', /absent/],
  ['a key', 'PASSTHRU_SECRETS_KEY_FILE', '', /absent\/a\.key cannot be created: no such folder/],
])('names the folder for %s that is not there', async (_what, variable, prefix, message) => {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-odd-'));
  const settings = { PASSTHRU_STORE: `sqlite:${join(folder, 'a.db')}`, PASSTHRU_LISTEN: '127.0.0.1:0' };
  const failed = await passthru(['serve'], { ...settings, [variable]: prefix + join(folder, 'absent/a.key') });
  expect(failed).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
  rmSync(folder, { recursive: true });
});

test('PostgreSQL without a key is refused by serve and by --check, before a connection', async () => {
  const settings = { PASSTHRU_STORE: 'postgres://u@127.0.0.1:9/db' };
  for (const args of [['serve'], ['serve', '--check']]) {
    const failed = await passthru(args, settings);
    expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('passthru generate-key secrets.key') });
  }
});
