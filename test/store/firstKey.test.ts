import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createKeyFile } from '../../src/config/keyFile.ts';
import { loadConfig } from '../../src/config/load.ts';
import { readSecretsSource } from '../../src/config/secretsSettings.ts';
import { silentLogger as log } from '../../src/core/logger.ts';
import { openMigrated, openStore } from '../../src/store/open.ts';
import { createSecretsCipher } from '../../src/store/secretsCipher.ts';
import { countSecretsKeys, rotateSecrets } from '../../src/store/secretsKeys.ts';
import { enrol } from './samples.ts';
import { temporaryDatabase } from './temporaryDatabase.ts';

// Processes are slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const SECRET = 'marker-4711-hunter2';

let place: { path: string; remove(): void };
let url: string;
beforeEach(() => {
  place = temporaryDatabase();
  url = `sqlite:${place.path}`;
});
afterEach(() => place.remove());

const keyFile = () => `${place.path}.key`;
const config = () => loadConfig({ file: null, environment: { PASSTHRU_STORE: url } });

/** Opens the store as a start does. */
const start = () => openStore(url, { log, ...readSecretsSource(config(), log) });

async function enrolInPlainText(count: number): Promise<void> {
  const store = await openStore(url, { log });
  for (let index = 0; index < count; index++) {
    const attributes = { instance_info: { password: SECRET } };
    await enrol(store, { name: `n-${index}`, driverInfo: { redfish_password: `${SECRET}-${index}` }, attributes });
  }
  await store.close();
}

/** Whether a file of the database holds the secret. */
function isInFiles(): boolean {
  const folder = dirname(place.path);
  return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(SECRET));
}

/** Starts a process that opens the store. */
function startProcess() {
  const path = fileURLToPath(new URL('./firstStart.ts', import.meta.url));
  return spawn(process.execPath, [path, url], { stdio: ['pipe', 'pipe', 'inherit'] });
}

test('the first start makes a key that only its user can read, and the next ones use it', async () => {
  let store = await start();
  await enrol(store, { name: 'a', driverInfo: { redfish_password: SECRET } });
  expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  const key = readFileSync(keyFile(), 'utf8');
  await store.close();
  expect(isInFiles()).toBe(false);
  store = await start();
  expect(await store.getNodeByName('a')).toMatchObject({ driverInfo: { redfish_password: SECRET } });
  await store.close();
  expect(readFileSync(keyFile(), 'utf8')).toBe(key);
  expect(readdirSync(dirname(place.path)).filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('what is stored in plain text is encrypted by the first start with a key, and no file holds it afterwards', async () => {
  await enrolInPlainText(50);
  expect(isInFiles()).toBe(true);
  const store = await start();
  expect(isInFiles()).toBe(false);
  expect(await store.getNodeByName('n-7')).toMatchObject({ driverInfo: { redfish_password: `${SECRET}-7` } });
  await store.close();
  expect(isInFiles()).toBe(false);
});

test('a missing key file stops the start with its path, and no other key is made', async () => {
  const store = await start();
  await enrol(store, { driverInfo: { redfish_password: SECRET } });
  await store.close();
  rmSync(keyFile());
  await expect(start()).rejects.toMatchObject({
    kind: 'failed_precondition',
    message: expect.stringMatching(
      /secrets \(nodes: 1\).* encrypted with the key [0-9a-f]{16}, and its file \S+\.key is missing/,
    ),
  });
  expect(() => statSync(keyFile())).toThrow('ENOENT');
});

test('a start that was killed while it encrypted is finished by the next one', async () => {
  await enrolInPlainText(300);
  for (let kill = 0; kill < 4; kill++) {
    const started = startProcess();
    await once(started.stdout, 'data');
    // At another point of its work each time, whatever that is.
    await new Promise((resolve) => setTimeout(resolve, 25 * kill));
    started.kill('SIGKILL');
    await once(started, 'exit');
  }
  const store = await start();
  expect(isInFiles()).toBe(false);
  for (const index of [0, 99, 299]) {
    const node = await store.getNodeByName(`n-${index}`);
    expect(node).toMatchObject({ driverInfo: { redfish_password: `${SECRET}-${index}` } });
  }
  await store.close();
});

test('a first start that is killed at any step is finished by the next one: no secret is lost, none is left readable', async () => {
  await enrolInPlainText(2);
  const copies = temporaryDatabase();
  const program = fileURLToPath(new URL('./snapshots.ts', import.meta.url));
  const started = spawn(process.execPath, [program, url, dirname(copies.path)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const steps = Number((await started.stdout.toArray()).join(''));
  // At least: the draft and the name of the key, the beginning, each of two nodes, and the erasing.
  expect(steps).toBeGreaterThan(8);
  const keys = new Set<string>();
  for (let step = 0; step < steps; step++) {
    place = { ...place, path: join(dirname(copies.path), String(step), 'passthru.db') };
    url = `sqlite:${place.path}`;
    const store = await start();
    expect([step, (await store.getNodeByName('n-1'))?.driverInfo]).toEqual([step, { redfish_password: `${SECRET}-1` }]);
    expect([step, isInFiles()]).toEqual([step, false]);
    await store.close();
    const key = readFileSync(keyFile(), 'utf8');
    keys.add(key);
    // A draft that was not used may stay; another copy of the key may not.
    const drafts = readdirSync(dirname(place.path)).filter((name) => name.endsWith('.new'));
    for (const draft of drafts) expect(readFileSync(join(dirname(place.path), draft), 'utf8')).not.toBe(key);
  }
  // Those of the starts before the key had its name, and the one of all after.
  expect(keys.size).toBeGreaterThan(1);
  expect(keys.size).toBeLessThan(steps);
  copies.remove();
});

test('overwritten secrets are erased by the next start when the process ended before it could', async () => {
  await enrolInPlainText(50);
  const cipher = createSecretsCipher([randomBytes(32)]);
  const database = await openMigrated(url, log, cipher);
  const interrupted = rotateSecrets(database, cipher, (changed) => {
    if (changed === 50) throw new Error('interrupted');
  });
  await expect(interrupted).rejects.toThrow('interrupted');
  expect(await countSecretsKeys(database)).toEqual(new Map([[cipher.keyId, 50]]));
  await database.close();
  expect(isInFiles()).toBe(true);
  const store = await openStore(url, { log, cipher });
  expect(isInFiles()).toBe(false);
  await store.close();
});

test('of processes that make a key at once, all use the same', async () => {
  const path = join(dirname(place.path), 'shared.key');
  const code = `
    const { createKeyFile } = await import(${JSON.stringify(new URL('../../src/config/keyFile.ts', import.meta.url).href)});
    const { readFileSync } = await import('node:fs');
    createKeyFile(${JSON.stringify(path)}, (reason) => new Error(reason));
    process.stdout.write(readFileSync(${JSON.stringify(path)}, 'utf8'));`;
  const texts = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const started = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return (await started.stdout.toArray()).join('');
    }),
  );
  expect(new Set(texts)).toEqual(new Set([readFileSync(path, 'utf8')]));
  expect(texts[0]).toMatch(/^# [0-9a-f]{16}, created .*\n[A-Za-z0-9+/]{43}=\n$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a folder that cannot be written is named by the error', () => {
  const fault = (reason: string) => new Error(reason);
  expect(() => createKeyFile(join(place.path, 'x', 'a.key'), fault)).toThrow(
    /a\.key cannot be created: no such folder$/,
  );
});
