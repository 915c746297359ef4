import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { RedfishTarget } from '../bmcContext.ts';

/** The certificate of a BMC and the protocol that it chose, without its names. */
export interface CertificateFacts {
  /** For example `TLSv1.2`. */
  protocol: string | null;
  cipher: string | null;
  selfSigned: boolean;
  /** ISO date. */
  expires: string | null;
  expired: boolean;
  /** Whether it is for the address that was probed. */
  matchesName: boolean;
  /** For example `RSA 2048`. */
  key: string | null;
  /** Why OpenSSL may refuse it at its default level; null when it does not look so. */
  weak: string | null;
}

const TIMEOUT_MS = 10_000;
/** OpenSSL's level 2, the default of Debian and its kin, wants at least this many bits of RSA. */
const LEAST_RSA_BITS = 2048;

/**
 * Shakes hands with the BMC, verifying nothing and sending no request, and returns what its certificate shows. Null when there
 * is no TLS or the handshake fails: then the requests fail too, and tell why.
 */
export function readCertificate(target: RedfishTarget, signal: AbortSignal): Promise<CertificateFacts | null> {
  const { protocol, hostname, port } = new URL(target.origin);
  if (protocol !== 'https:') return Promise.resolve(null);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const options: ConnectionOptions = {
      host,
      port: Number(port || 443),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      timeout: TIMEOUT_MS,
    };
    const socket = connect(options);
    const end = (facts: CertificateFacts | null) => {
      socket.destroy();
      resolve(facts);
    };
    socket.once('secureConnect', () => end(describe(socket, host)));
    socket.once('timeout', () => end(null));
    signal.addEventListener('abort', () => end(null), { once: true });
    socket.on('error', () => end(null));
    socket.once('close', () => end(null));
  });
}

function describe(socket: TLSSocket, host: string): CertificateFacts | null {
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const { publicKey, validTo } = certificate;
  const type = publicKey.asymmetricKeyType?.toUpperCase() ?? null;
  const { modulusLength: bits, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  const expires = Date.parse(validTo);
  const name = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().standardName ?? null,
    selfSigned: certificate.checkIssued(certificate) && certificate.issuer === certificate.subject,
    expires: Number.isNaN(expires) ? null : new Date(expires).toISOString().slice(0, 10),
    expired: expires < Date.now(),
    matchesName: name !== undefined,
    key: type === null ? null : `${type} ${bits ?? namedCurve ?? ''}`.trimEnd(),
    weak: weakness(type, bits, certificate),
  };
}

function weakness(type: string | null, bits: number | undefined, certificate: X509Certificate): string | null {
  if (type === 'RSA' && bits !== undefined && bits < LEAST_RSA_BITS) return `its RSA key has ${bits} bits only`;
  // Since Node 24.9.
  const { signatureAlgorithm } = certificate as { signatureAlgorithm?: string };
  return /md5|sha1(?!\d)/i.test(signatureAlgorithm ?? '') ? `it is signed with ${signatureAlgorithm}` : null;
}
