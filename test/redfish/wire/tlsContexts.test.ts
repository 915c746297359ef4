import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRedfishClients } from '../../../src/redfish/index.ts';
import { TlsContexts, tlsContexts } from '../../../src/redfish/wire/tls.ts';
import { selfSigned } from '../../sim/selfSigned.ts';
import { startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const [one, other] = [selfSigned(), selfSigned()];
/** Longer than a context is used without a check of its files, in ms. */
const LATER = 60_000;

let folder: string;
let now: number;
let contexts: TlsContexts;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-contexts-'));
  writeFileSync(join(folder, 'a.pem'), one.cert);
  now = 0;
  contexts = new TlsContexts(() => now);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function context(given: boolean | string) {
  const verifyCa = typeof given === 'string' ? { path: given, within: folder } : given;
  return (await contexts.connectOptions({ verifyCa, minimumVersion: null, ciphers: null })).secureContext;
}

test.each([
  ['the default roots', () => true],
  ['no verification', () => false],
  ['a CA file', () => join(folder, 'a.pem')],
  ['a CA folder', () => folder],
])('one context serves all connections with %s', async (_, verifyCa) => {
  const first = await context(verifyCa());
  for (let index = 0; index < 100; index++) {
    now += 1000;
    expect(await context(verifyCa())).toBe(first);
  }
  expect(contexts.built).toBe(1);
});

test.each([
  ['a CA file that is replaced', 'a.pem', () => writeFileSync(join(folder, 'a.pem'), `${other.cert}\n`)],
  ['a file that is added to a CA folder', '', () => writeFileSync(join(folder, 'b.pem'), other.cert)],
  ['a file of a CA folder that is replaced', '', () => writeFileSync(join(folder, 'a.pem'), `${other.cert}\n`)],
])('%s gives a new context within a minute', async (_, name, change) => {
  const path = join(folder, name);
  const first = await context(path);
  change();
  now += LATER;
  const second = await context(path);
  expect(second).not.toBe(first);
  expect(await context(path)).toBe(second);
});

test('a removed CA file is reported, and used again once it is restored', async () => {
  const path = join(folder, 'a.pem');
  const first = await context(path);
  rmSync(path);
  now += LATER;
  await expect(context(path)).rejects.toThrow(/^redfish_verify_ca: no CA certificate was read .* absent/);
  writeFileSync(path, one.cert);
  expect(await context(path)).not.toBe(first);
});

test('a folder within a CA folder is skipped', async () => {
  mkdirSync(join(folder, 'old'));
  await context(folder);
});

test('contexts are bounded', async () => {
  for (let index = 0; index < 150; index++) {
    const path = join(folder, `${index}.pem`);
    writeFileSync(path, one.cert);
    await context(path);
  }
  const { built } = contexts;
  await context(join(folder, '149.pem'));
  expect(contexts.built).toBe(built);
  await context(join(folder, '0.pem'));
  expect(contexts.built).toBe(built + 1);
});

test('ten connections to a BMC build one context', async () => {
  const bmc = await startScriptedBmc(() => ({ status: 200, body: {} }), one);
  const clients = createRedfishClients();
  const account = { username: 'u', password: 'p', authType: 'basic' as const };
  const tls = { verifyCa: { path: 'a.pem', within: folder }, minimumVersion: null, ciphers: null };
  const before = tlsContexts.built;
  for (let index = 0; index < 10; index++) {
    await clients
      .for(target(bmc.url, { account, connection: { tls, keepAlive: false } }), { signal: forever })
      .get('/a');
  }
  expect(tlsContexts.built).toBe(before + 1);
  await clients.close();
  await bmc.close();
});
