import { execFileSync } from 'node:child_process';
import { createDiffieHellmanGroup } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterAll, afterEach, expect, test } from 'vitest';
import { createRedfishClients, RedfishError } from '../../../src/redfish/index.ts';
import type { TlsSettings } from '../../../src/redfish/wire/tls.ts';
import { der, selfSigned, sequence } from '../../sim/selfSigned.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'passthru-certificates-'));
const file = (name: string) => join(folder, name);
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await bmc?.close();
  bmc = null;
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a test BMC is started with, and the CA file that should verify it. */
interface Machine {
  tls: TlsOptions;
  ca: string;
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
const NAMES = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '30', '-nodes'];

/** Makes a self-signed certificate with `openssl req`. */
function issued(name: string, ...key: string[]): Machine {
  openssl('req', '-x509', ...key, ...NAMES, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`));
  return machine(name, `${name}.pem`);
}

/** Makes a certificate that a CA has signed. */
function signed(name: string, caBits: string, digest: string): Machine {
  const [ca, caKey, request, extensions] = ['ca.pem', 'ca.key', 'csr', 'ext'].map((end) => file(`${name}.${end}`));
  const root = ['-subj', '/CN=CA', '-addext', 'basicConstraints=critical,CA:TRUE', '-days', '30', '-nodes'];
  openssl('req', '-x509', '-newkey', `rsa:${caBits}`, '-sha256', ...root, '-keyout', caKey!, '-out', ca!);
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=127.0.0.1',
    '-keyout',
    file(`${name}.key`),
    '-out',
    request!,
  );
  writeFileSync(extensions!, 'subjectAltName=IP:127.0.0.1\n');
  const by = ['-CA', ca!, '-CAkey', caKey!, '-CAcreateserial', '-extfile', extensions!, '-days', '30'];
  openssl('x509', '-req', digest, '-in', request!, ...by, '-out', file(`${name}.pem`));
  return machine(name, `${name}.ca.pem`);
}

function machine(name: string, ca: string): Machine {
  const tls = {
    key: readFileSync(file(`${name}.key`)),
    cert: readFileSync(file(`${name}.pem`)),
    ciphers: 'ALL:@SECLEVEL=0',
  };
  return { tls, ca: file(ca) };
}

function dated(change: Parameters<typeof selfSigned>[0]): Machine {
  const pair = selfSigned(change);
  const ca = file(`${JSON.stringify(change)}.pem`);
  writeFileSync(ca, pair.cert);
  return { tls: pair, ca };
}

async function send({ tls: served }: Machine, settings: Partial<TlsSettings>): Promise<unknown> {
  bmc ??= await startScriptedBmc(() => ({ status: 200, body: {} }), served);
  const clients = createRedfishClients();
  const tls = { verifyCa: true, minimumVersion: null, ciphers: null, ...settings };
  const account = { username: null, password: '', authType: 'auto' as const };
  try {
    const to = target(bmc.url, { account, connection: { tls, keepAlive: true } });
    return await clients
      .for(to, { signal: forever })
      .get('/a')
      .catch((error: unknown) => error);
  } finally {
    await clients.close();
  }
}

/** Diffie-Hellman parameters of 1024 bits (RFC 2409, 6.2), in PEM. */
function dhParameters(): string {
  const prime = createDiffieHellmanGroup('modp2').getPrime();
  const body = sequence(der(0x02, Buffer.concat([Buffer.from([0]), prime])), der(0x02, Buffer.from([2])));
  return `-----BEGIN DH PARAMETERS-----\n${body.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END DH PARAMETERS-----\n`;
}

const weak: [string, () => Machine, RegExp][] = [
  ['a key of RSA 1024', () => issued('rsa', '-newkey', 'rsa:1024', '-sha1'), /key of its certificate is too weak/],
  [
    'a CA with a key of RSA 1024',
    () => signed('weak-ca', '1024', '-sha256'),
    /key of the CA of its certificate is too weak/,
  ],
  [
    'a signature with SHA-1',
    () => signed('sha1', '2048', '-sha1'),
    /signature of its certificate \(SHA-1 or MD5\) is too weak/,
  ],
  [
    'Diffie-Hellman parameters of 1024 bits',
    () => {
      const { tls, ca } = issued('dhe', '-newkey', 'rsa:2048');
      const ciphers = 'DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0';
      return { tls: { ...tls, ciphers, maxVersion: 'TLSv1.2', dhparam: dhParameters() }, ca };
    },
    /Diffie-Hellman parameters are too weak/,
  ],
  [
    'a short elliptic curve',
    () => {
      const { tls, ca } = issued('ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime192v1');
      return { tls: { ...tls, maxVersion: 'TLSv1.2' }, ca };
    },
    /TLS handshake failed/,
  ],
];

test.each(weak)(
  '%s is told as too weak with the setting that allows it, and works once it is set',
  async (_, make, fault) => {
    const { tls, ca } = make();
    const error = await send({ tls, ca }, { verifyCa: { path: ca, within: '/' } });
    expect(error).toBeInstanceOf(RedfishError);
    expect(String(error)).toMatch(fault);
    expect(String(error)).toMatch(/redfish_tls_ciphers.*DEFAULT@SECLEVEL=0/);
    expect(bmc!.requests).toHaveLength(0);
    expect(await send({ tls, ca }, { verifyCa: { path: ca, within: '/' }, ciphers: 'DEFAULT@SECLEVEL=0' })).toEqual({});
  },
);

const faults: [string, Parameters<typeof selfSigned>[0], RegExp, string][] = [
  ['that has expired', { from: 2010, to: 2015 }, /certificate has expired/, 'redfish_verify_ca'],
  ['that is not valid yet', { from: 2048 }, /certificate is not valid yet/, 'redfish_verify_ca'],
  ['for another name', { name: 'other.example' }, /for another name .*127\.0\.0\.1/, 'redfish_address'],
];

test.each(faults)(
  'a certificate %s is told as such with the setting that decides',
  async (_, change, fault, setting) => {
    const made = dated(change);
    const error = await send(made, { verifyCa: { path: made.ca, within: '/' } });
    expect(error).toMatchObject({ kind: 'tls' });
    expect(String(error)).toMatch(fault);
    expect(String(error)).toContain(setting);
    expect(String(error)).not.toContain('redfish_tls_ciphers');
    expect(await send(made, { verifyCa: false })).toEqual({});
  },
);

test('a self-signed certificate and one of an unknown CA are told apart', async () => {
  const self = await send(dated({}), {});
  expect(String(self)).toMatch(/not trusted: it is self-signed; set redfish_verify_ca to the certificate itself/);
  await bmc!.close();
  bmc = null;
  const unknown = await send(signed('unknown', '2048', '-sha256'), {});
  expect(String(unknown)).toMatch(/not trusted: its CA is unknown; set redfish_verify_ca to its CA/);
});

test('a CA file that is no certificate inside is told with its setting', async () => {
  const broken = file('broken.pem');
  writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const error = await send(dated({}), { verifyCa: { path: broken, within: '/' } });
  expect(error).toMatchObject({ kind: 'tls' });
  expect(String(error)).toContain('redfish_verify_ca');
});
