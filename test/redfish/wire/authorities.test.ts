import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  AuthoritiesError,
  findAuthorityFiles,
  onFileSystem,
  pemFault,
  readCertificates,
} from '../../../src/redfish/wire/authorities.ts';
import { selfSigned } from '../../sim/selfSigned.ts';

const { cert, key } = selfSigned();

let folder: string;
let outside: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-cas-'));
  outside = mkdtempSync(join(tmpdir(), 'passthru-outside-'));
  writeFileSync(join(folder, 'ca.pem'), cert);
  writeFileSync(join(outside, 'ca.pem'), cert);
});
afterEach(() => {
  for (const each of [folder, outside]) rmSync(each, { recursive: true });
});

async function read(path: string, within = folder): Promise<string[]> {
  return readCertificates(await findAuthorityFiles({ path, within }));
}

const message = (path: string, within?: string) =>
  read(path, within).then(
    () => 'read',
    (error: Error) => error.message,
  );

test('a CA file is read by its name or its path, and each certificate of a folder once', async () => {
  expect(await read('ca.pem')).toEqual([cert.trim()]);
  expect(await read(join(folder, 'ca.pem'))).toEqual([cert.trim()]);
  writeFileSync(join(folder, 'bundle.pem'), `# CAs\n${cert}\n${selfSigned().cert}`);
  expect(await read('.')).toHaveLength(2);
});

test('an absent file, an unreadable one, a device, a pipe, a kernel file, and what has no certificate are told alike', async () => {
  writeFileSync(join(folder, 'notes.txt'), 'nothing');
  writeFileSync(join(folder, 'key.pem'), key);
  writeFileSync(join(folder, 'empty.pem'), '');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  mkdirSync(join(folder, 'none'));
  symlinkSync(join(outside, 'ca.pem'), join(folder, 'link.pem'));
  symlinkSync(outside, join(folder, 'away'));
  const told = await message('absent.pem');
  expect(told).toMatch(/redfish_verify_ca.*redfish\.ca_folder/);
  const places = [
    'notes.txt',
    'key.pem',
    'empty.pem',
    'pipe',
    'none',
    'link.pem',
    'away',
    'away/ca.pem',
    '../x',
    '/etc',
  ];
  for (const path of [...places, 'ca.pem/x', 'a'.repeat(300)])
    expect({ path, told: await message(path) }).toEqual({ path, told });
  for (const path of ['/dev/zero', '/dev/stdin', '/proc/self/environ', '/proc/kmsg', '/proc/self/mem', '/none']) {
    expect({ path, told: await message(path, '/') }).toEqual({ path, told });
  }
});

test('links that lead out of the allowed folder are left out of a CA folder', async () => {
  writeFileSync(join(outside, 'ca.pem'), selfSigned().cert);
  symlinkSync(join(outside, 'ca.pem'), join(folder, 'out.pem'));
  symlinkSync('ca.pem', join(folder, 'in.pem'));
  symlinkSync('gone', join(folder, 'dangling.pem'));
  expect(await read('.')).toEqual([cert.trim()]);
});

test('the allowed folder may be a link itself', async () => {
  symlinkSync(folder, join(outside, 'cas'));
  expect(await read('ca.pem', join(outside, 'cas'))).toEqual([cert.trim()]);
});

test('CA files are bounded in number, in bytes and in certificates', async () => {
  writeFileSync(join(folder, 'big.pem'), Buffer.alloc(5 * 1024 * 1024, 65));
  await expect(read('big.pem')).rejects.toThrow(/longer than 4 MiB/);
  await expect(read('.')).rejects.toThrow(/longer than 4 MiB/);
  rmSync(join(folder, 'big.pem'));
  const block = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
  writeFileSync(join(folder, 'many.pem'), Array.from({ length: 301 }, (_, at) => block(String(at))).join(''));
  await expect(read('many.pem')).rejects.toThrow(/more than 300 certificates/);
  mkdirSync(join(folder, 'full'));
  for (let at = 0; at <= 1000; at++) writeFileSync(join(folder, 'full', `${at}.pem`), cert);
  await expect(read('full')).rejects.toThrow(AuthoritiesError);
});

test('file systems that hang keep two reads, and others wait in line', async () => {
  const hanging = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const reads = hanging.map(({ promise }) => onFileSystem(() => promise));
  let begun = false;
  const next = onFileSystem(async () => {
    begun = true;
    return 'next';
  });
  await new Promise(setImmediate);
  expect(begun).toBe(false);
  hanging[0]!.resolve('first');
  expect(await next).toBe('next');
  hanging[1]!.resolve('second');
  expect(await Promise.all(reads)).toEqual(['first', 'second']);
});

test('certificates in PEM are accepted, with text between their lines', () => {
  expect(pemFault(cert)).toBeNull();
  expect(pemFault(`issuer: us\n${cert}\n${selfSigned().cert}`)).toBeNull();
});

const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
test.each([
  ['no certificate', '-----BEGIN CERTIFICATE----- nothing that is one, and the end'],
  ['a private key', key],
  ['a private key beside a certificate', cert + key],
  ['a certificate that cannot be read', cert + BROKEN],
  ['half a certificate', cert.slice(0, 100)],
  ['more than 32 certificates', cert.repeat(33)],
  ['more than 64 KiB', cert + ' '.repeat(65_536)],
])('a text with %s is refused without quoting it', (_, text) => {
  const fault = pemFault(text);
  expect(fault).toMatch(/^(must|holds)/);
  expect(fault).not.toContain(text.slice(30, 60));
});
