import { generateKeyPairSync, sign } from 'node:crypto';

/**
 * A key and a self-signed certificate (PEM) for 127.0.0.1, ::1 and localhost, valid from 2020 to 2049, as BMCs have them.
 * Generated each time, so that the repository contains no private key.
 * @param from the year from which it is valid, `to` the one in which it ends, both from 2000 to 2049; `name` replaces the names
 */
export function selfSigned({ from = 2020, to = 2049, name: other = '' } = {}): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])); // ecdsa-with-SHA256
  const name = sequence(der(0x31, sequence(oid([0x55, 0x04, 0x03]), der(0x0c, Buffer.from('simulated BMC')))));
  const own = [
    der(0x87, Buffer.from([127, 0, 0, 1])),
    der(0x87, Buffer.from([...Array(15).fill(0), 1])),
    der(0x82, Buffer.from('localhost')),
  ];
  const alternatives = sequence(...(other === '' ? own : [der(0x82, Buffer.from(other))]));
  const time = (year: number, end: string) => der(0x17, Buffer.from(`${String(year).slice(2)}${end}`));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(time(from, '0101000000Z'), time(to, '1231235959Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(sequence(oid([0x55, 0x1d, 0x11]), der(0x04, alternatives)))),
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}

/** A SEQUENCE in DER (X.690). */
export function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** An OBJECT IDENTIFIER, of its encoded content. */
export function oid(bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

/** A value of any tag. */
export function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
