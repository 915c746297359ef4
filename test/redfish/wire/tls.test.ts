import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRedfishClients, RedfishError } from '../../../src/redfish/index.ts';
import type { TlsSettings } from '../../../src/redfish/wire/tls.ts';
import { selfSigned } from '../../sim/selfSigned.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const pair = selfSigned();
const folder = mkdtempSync(join(tmpdir(), 'passthru-ca-'));
const file = join(folder, 'bmc.pem');
let bmc: ScriptedBmc;
let tls10: ScriptedBmc;

beforeAll(async () => {
  writeFileSync(file, pair.cert);
  writeFileSync(join(folder, 'notes.txt'), 'no certificate');
  bmc = await startScriptedBmc(() => ({ status: 200, body: {} }), pair);
  tls10 = await startScriptedBmc(() => ({ status: 200, body: {} }), {
    ...pair,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL@SECLEVEL=0',
  });
});
beforeEach(() => {
  bmc.requests.length = 0;
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await bmc.close();
  await tls10.close();
});

async function send(url: string, change: Partial<TlsSettings>): Promise<unknown> {
  const clients = createRedfishClients();
  const tls = { verifyCa: true, minimumVersion: null, ciphers: null, ...change };
  const account = { username: 'u', password: 'p', authType: 'basic' as const };
  try {
    return await clients
      .for(target(url, { account, connection: { tls, keepAlive: true } }), { signal: forever })
      .get('/a')
      .catch((error: unknown) => error);
  } finally {
    await clients.close();
  }
}

test('a self-signed certificate is refused by default with the key to set, and nothing is sent', async () => {
  const error = await send(bmc.url, {});
  expect(error).toBeInstanceOf(RedfishError);
  expect(error).toMatchObject({ kind: 'tls' });
  expect(String(error)).toContain('redfish_verify_ca');
  expect(bmc.requests).toHaveLength(0);
});

test('verification can be turned off', async () => {
  expect(await send(bmc.url, { verifyCa: false })).toEqual({});
});

test.each([
  ['a CA file', file],
  ['a folder of CA files', folder],
])('a certificate is verified by %s', async (_, verifyCa) => {
  expect(await send(bmc.url, { verifyCa: { path: verifyCa, within: folder } })).toEqual({});
});

test("a CA different from the BMC's does not verify it", async () => {
  const other = join(folder, '..', `passthru-other-${process.pid}.pem`);
  writeFileSync(other, selfSigned().cert);
  expect(await send(bmc.url, { verifyCa: { path: other, within: tmpdir() } })).toMatchObject({ kind: 'tls' });
  rmSync(other);
});

test('a CA path that does not exist or contains no certificate is reported with its key', async () => {
  for (const path of [join(folder, 'absent.pem'), join(folder, 'notes.txt')]) {
    const error = await send(bmc.url, { verifyCa: { path, within: folder } });
    expect(error).toMatchObject({ kind: 'tls' });
    expect(String(error)).toContain('redfish_verify_ca');
  }
});

test('a BMC with only TLS 1.1 is refused with the key to set, and works once it is set', async () => {
  const error = await send(tls10.url, { verifyCa: false });
  expect(error).toMatchObject({ kind: 'tls' });
  expect(String(error)).toContain('redfish_tls_minimum_version');
  expect(await send(tls10.url, { verifyCa: false, minimumVersion: 'TLSv1' })).toEqual({});
});

test('a BMC with a cipher that is off by default is refused with the key to set, and works once it is set', async () => {
  // Its security level is below OpenSSL's default.
  const ciphers = 'ECDHE-ECDSA-AES128-CCM8@SECLEVEL=0';
  const old = await startScriptedBmc(() => ({ status: 200, body: {} }), {
    ...pair,
    maxVersion: 'TLSv1.2',
    ciphers,
  });
  try {
    const error = await send(old.url, { verifyCa: false });
    expect(error).toMatchObject({ kind: 'tls' });
    expect(String(error)).toContain('redfish_tls_ciphers');
    expect(await send(old.url, { verifyCa: false, ciphers })).toEqual({});
  } finally {
    await old.close();
  }
});

test('having no common cipher is reported with the key of the ciphers', async () => {
  const error = await send(tls10.url, {
    verifyCa: false,
    minimumVersion: 'TLSv1',
    ciphers: 'ECDHE-RSA-AES256-GCM-SHA384',
  });
  expect(error).toMatchObject({ kind: 'tls' });
  expect(String(error)).toContain('redfish_tls_ciphers');
});

test('https to a port that serves http is reported', async () => {
  const plain = await startScriptedBmc(() => ({ status: 200 }));
  const error = await send(plain.url.replace('http:', 'https:'), { verifyCa: false });
  await plain.close();
  expect(error).toMatchObject({ kind: 'tls' });
  expect(String(error)).toContain('redfish_address');
});
