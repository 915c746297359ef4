import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { der, oid, sequence } from '../sim/selfSigned.ts';

/** The subject of a certificate. */
export interface Subject {
  commonName?: string;
  dns?: readonly string[];
  email?: readonly string[];
  uri?: readonly string[];
  /** Whether it is valid for 127.0.0.1, as a server requires. */
  loopback?: boolean;
  /** The validity period as UTCTime (RFC 5280, 4.1.2.5.1); 2020 to 2049 by default. */
  validity?: readonly [from: string, to: string];
  /** The extended key usage (RFC 5280, 4.2.1.12); unrestricted by default. */
  usage?: 'server';
}

/** A key and its certificate in PEM. */
export interface Identity {
  key: string;
  cert: string;
}

/** A CA for tests. */
export interface Authority {
  /** Its own certificate in PEM. */
  cert: string;
  issue(subject: Subject): Identity;
}

const ECDSA_SHA256 = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
const SUBJECT_ALT_NAME = oid([0x55, 0x1d, 0x11]);
const EXTENDED_KEY_USAGE = oid([0x55, 0x1d, 0x25]);
const SERVER_AUTH = oid([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]);
const VALIDITY = ['200101000000Z', '491231235959Z'] as const;
const BASIC_CONSTRAINTS = oid([0x55, 0x1d, 0x13]);

export function makeAuthority(name: string): Authority {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const constraints = sequence(der(0x01, Buffer.from([0xff])));
  const isAuthority = sequence(BASIC_CONSTRAINTS, der(0x01, Buffer.from([0xff])), der(0x04, constraints));
  return {
    cert: certificate(distinguished(name), distinguished(name), ca.publicKey, ca.privateKey, [isAuthority]),
    issue({ commonName, dns = [], email = [], uri = [], loopback = false, validity, usage }) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const names = [
        ...dns.map((text) => der(0x82, Buffer.from(text))),
        ...email.map((text) => der(0x81, Buffer.from(text))),
        ...uri.map((text) => der(0x86, Buffer.from(text))),
        ...(loopback ? [der(0x87, Buffer.from([127, 0, 0, 1]))] : []),
      ];
      const extensions = [
        ...(names.length === 0 ? [] : [sequence(SUBJECT_ALT_NAME, der(0x04, sequence(...names)))]),
        ...(usage === undefined ? [] : [sequence(EXTENDED_KEY_USAGE, der(0x04, sequence(SERVER_AUTH)))]),
      ];
      return {
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        cert: certificate(
          distinguished(commonName),
          distinguished(name),
          publicKey,
          ca.privateKey,
          extensions,
          validity,
        ),
      };
    },
  };
}

function distinguished(commonName: string | undefined): Buffer {
  if (commonName === undefined) return sequence();
  return sequence(der(0x31, sequence(oid([0x55, 0x04, 0x03]), der(0x0c, Buffer.from(commonName)))));
}

function certificate(
  subject: Buffer,
  issuer: Buffer,
  key: KeyObject,
  signer: KeyObject,
  extensions: readonly Buffer[],
  validity: readonly [string, string] = VALIDITY,
) {
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(8)])),
    ECDSA_SHA256,
    issuer,
    sequence(...validity.map((time) => der(0x17, Buffer.from(time)))),
    subject,
    key.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, signer)]));
  const lines = sequence(body, ECDSA_SHA256, signature)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
