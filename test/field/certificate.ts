import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { der, oid, sequence } from '../sim/selfSigned.ts';

/** A self-signed certificate with its key, both PEM, and a file that contains the certificate. */
export interface Certificate {
  key: string;
  cert: string;
  path: string;
  remove(): void;
}

interface CertificateOptions {
  /** Bits of an RSA key; null makes an EC key. Default null. */
  rsaBits?: number | null;
  /** The digest of the signature. Default sha256. */
  digest?: 'sha1' | 'sha256' | 'md5';
  /** UTCTime. */
  notBefore?: string;
  notAfter?: string;
  /** The only names of the certificate. Default: the address 127.0.0.1. */
  dnsName?: string;
}

const SIGNATURES = {
  'rsa-sha1': [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
  'rsa-sha256': [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
  'rsa-md5': [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04],
  'ec-sha256': [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  'ec-sha1': [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01],
};

/** Makes a certificate as `openssl req -x509` does. Generated each time, so that the repository contains no private key. */
export function makeCertificate(options: CertificateOptions = {}): Certificate {
  const { rsaBits = null, digest = 'sha256', notBefore = '200101000000Z', notAfter = '491231235959Z' } = options;
  const { privateKey, publicKey } =
    rsaBits === null
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: rsaBits });
  const signature = SIGNATURES[`${rsaBits === null ? 'ec' : 'rsa'}-${digest}` as keyof typeof SIGNATURES];
  const algorithm = rsaBits === null ? sequence(oid(signature)) : sequence(oid(signature), der(0x05, Buffer.alloc(0)));
  const name = sequence(der(0x31, sequence(oid([0x55, 0x04, 0x03]), der(0x0c, Buffer.from('127.0.0.1')))));
  const alternative =
    options.dnsName === undefined ? der(0x87, Buffer.from([127, 0, 0, 1])) : der(0x82, Buffer.from(options.dnsName));
  const extensions = sequence(
    sequence(oid([0x55, 0x1d, 0x11]), der(0x04, sequence(alternative))),
    // A certificate authority, as OpenSSL's default configuration makes it.
    sequence(
      oid([0x55, 0x1d, 0x13]),
      der(0x01, Buffer.from([0xff])),
      der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
    ),
  );
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(der(0x17, Buffer.from(notBefore)), der(0x17, Buffer.from(notAfter))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  return write(privateKey, sequence(body, algorithm, bits(sign(digest, body, privateKey))));
}

function bits(content: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([0]), content]));
}

function write(privateKey: KeyObject, certificate: Buffer): Certificate {
  const lines = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  const cert = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  const directory = mkdtempSync(join(tmpdir(), 'passthru-field-'));
  const path = join(directory, 'bmc.pem');
  writeFileSync(path, cert);
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert,
    path,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
