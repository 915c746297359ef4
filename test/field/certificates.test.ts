import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needs } from '../needs.ts';
import { makeCertificate } from './certificate.ts';
import { open, rest } from './operator.ts';

// Certificates may be too weak for OpenSSL's level, expired, or for another name: the error says which, and which setting
// decides.

const LOW = 'DEFAULT@SECLEVEL=0';

const WEAK = [
  ['RSA 1024 with SHA-1', { rsaBits: 1024, digest: 'sha1' }],
  ['RSA 1024 with SHA-256', { rsaBits: 1024 }],
  ['RSA 2048 with SHA-1', { rsaBits: 2048, digest: 'sha1' }],
  ['RSA 2048 with MD5', { rsaBits: 2048, digest: 'md5' }],
] as const;

test.for(WEAK)(
  '%s that is trusted is told with the key that lets it pass, and then passes',
  async ([, options], context) => {
    const { key, cert, path, remove } = makeCertificate(options);
    context.onTestFinished(remove);
    const { node } = await open(context, { tls: { key, cert, ciphers: LOW } }, { redfish_verify_ca: path });
    const refused = await node.call('get_all_subscriptions');
    // Some of these pass at the default level of some builds of OpenSSL.
    if (refused.status !== 200) {
      expect(refused.status).toBe(500);
      expect(refused.told).toContain('redfish_tls_ciphers');
      const job = await node.eject();
      expect(job.told).toContain('redfish_tls_ciphers');
    } else expect(options).not.toMatchObject({ rsaBits: 1024 });
    await node.change({ redfish_tls_ciphers: LOW });
    expect((await node.call('get_all_subscriptions')).status).toBe(200);
    expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  },
);

test.for(WEAK)('%s passes where certificates are not verified', async ([, options], context) => {
  const { key, cert, remove } = makeCertificate(options);
  context.onTestFinished(remove);
  const { node } = await open(context, { tls: { key, cert, ciphers: LOW } }, { redfish_verify_ca: false });
  const { status, told } = await node.call('get_all_subscriptions');
  if (status !== 200) expect(told).toContain('redfish_tls_ciphers');
});

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test(
  'a certificate that OpenSSL made with RSA 1024 and SHA-1 is told and then passes',
  needs(hasOpenssl() ? null : 'openssl: install it'),
  async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'passthru-field-'));
    context.onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const [keyPath, path] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const options =
      '-x509 -newkey rsa:1024 -sha1 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -days 30';
    execFileSync('openssl', ['req', ...options.split(' '), '-keyout', keyPath, '-out', path], { stdio: 'ignore' });
    const tls = { key: readFileSync(keyPath), cert: readFileSync(path), ciphers: LOW };
    const { node } = await open(context, { tls }, { redfish_verify_ca: path });
    const { status, told } = await node.call('get_all_subscriptions');
    expect(status).toBe(500);
    expect(told).toContain('redfish_tls_ciphers');
    await node.change({ redfish_tls_ciphers: LOW });
    expect((await node.call('get_all_subscriptions')).status).toBe(200);
  },
);

test.for([
  ['expired', { notAfter: '210101000000Z' }, /expired/i],
  ['not valid yet', { notBefore: '480101000000Z' }, /not (yet valid|valid yet)|NOT_YET_VALID/i],
  ['for another name', { dnsName: 'bmc.example' }, /name/i],
] as const)(
  'a certificate that is %s is told as that, with the setting that decides',
  async ([, options, words], context) => {
    const { key, cert, path, remove } = makeCertificate(options);
    context.onTestFinished(remove);
    const { machine, node } = await open(context, { tls: { key, cert } }, { redfish_verify_ca: path });
    const { status, told } = await node.call('get_all_subscriptions');
    expect(status).toBe(500);
    expect(told).toMatch(words);
    expect(told).toContain('redfish_verify_ca');
    expect(told).not.toContain('redfish_tls_ciphers');
    expect((await node.eject()).told).toMatch(words);
    const discovered = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', {
      address: machine.url,
      username: 'u',
      password: 'p',
      verify_ca: cert,
    });
    expect(discovered.status).toBe(500);
    expect(discovered.fault.faultstring).toMatch(words);
    await node.change({ redfish_verify_ca: false });
    expect((await node.call('get_all_subscriptions')).status).toBe(200);
  },
);

test('a certificate of an unknown issuer is told with redfish_verify_ca', async (context) => {
  const { key, cert, remove } = makeCertificate();
  context.onTestFinished(remove);
  const { machine, node } = await open(context, { tls: { key, cert } });
  const { status, told } = await node.call('get_all_subscriptions');
  expect(status).toBe(500);
  expect(told).toContain('redfish_verify_ca');
  // No credentials went to it.
  expect(machine.log).toEqual([]);
});
