// What a failed TLS handshake means, and the setting of the node that decides.
import { cleanText } from './body.ts';

/** What OpenSSL's security level refuses (SSL_CTX_set_security_level), by the words of its code or message. */
const WEAK: readonly (readonly [RegExp, string])[] = [
  [/dh[_ ]key/i, "the BMC's Diffie-Hellman parameters are"],
  [/ca[_ ](?:certificate[_ ])?key/i, 'the key of the CA of its certificate is'],
  [/md[_ ]too|digest/i, 'the signature of its certificate (SHA-1 or MD5) is'],
  [/ee[_ ](?:certificate[_ ])?key|key[_ ]too/i, 'the key of its certificate is'],
];
const TOO_WEAK = /too[_ ](?:small|weak)/i;

/** Codes of OpenSSL's certificate verification and of Node's host name check, each with what it means and what to do. */
const CERTIFICATE_FAULTS = new Map<string, string>([
  ['CERT_HAS_EXPIRED', 'the certificate has expired; renew it on the BMC, or set redfish_verify_ca to false'],
  [
    'CERT_NOT_YET_VALID',
    'the certificate is not valid yet; check the clocks of this machine and of the BMC, or set redfish_verify_ca to false',
  ],
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'the certificate is not trusted: it is self-signed; set redfish_verify_ca to the certificate itself, or to false',
  ],
  ...[
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ].map(
    (code) =>
      [
        code,
        'the certificate is not trusted: its CA is unknown; set redfish_verify_ca to its CA, or to false',
      ] as const,
  ),
  ...[
    'CERT_CHAIN_TOO_LONG',
    'CERT_REJECTED',
    'CERT_REVOKED',
    'CERT_SIGNATURE_FAILURE',
    'CERT_UNTRUSTED',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'PATH_LENGTH_EXCEEDED',
    'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
    // OpenSSL's other faults have no code in Node.
    'UNSPECIFIED',
  ].map(
    (code) =>
      [
        code,
        'the certificate is not trusted; set redfish_verify_ca to its CA or to the certificate itself, or to false',
      ] as const,
  ),
]);

/** Returns why a TLS handshake failed and which setting to check; null when `error` is not a TLS failure. */
export function describeTlsFailure(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error ? String(error.code) : '';
  const weak = weakness(code, error.message);
  if (weak !== null) return weak;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH' || code === 'IP_ADDRESS_MISMATCH') {
    const reason = 'reason' in error ? `: ${cleanText(String(error.reason)).slice(0, 200)}` : '';
    return `the certificate is for another name (${code}${reason}); set redfish_address to a name in it, or redfish_verify_ca to false`;
  }
  const fault = CERTIFICATE_FAULTS.get(code);
  if (fault !== undefined) return `${fault} (${code === 'UNSPECIFIED' ? cleanText(error.message) : code})`;
  if (code.startsWith('ERR_SSL_WRONG_VERSION') || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return `the BMC does not support TLS there, or only a version below the minimum (${code}); check redfish_address and redfish_tls_minimum_version`;
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO' || code === 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    return `the TLS handshake failed (${code}); an old BMC may need redfish_tls_minimum_version (for example 1.0) or redfish_tls_ciphers (for example ${LEVEL_0})`;
  }
  return null;
}

/** OpenSSL's default ciphers at the level that refuses nothing. */
export const LEVEL_0 = 'DEFAULT@SECLEVEL=0';

/** Returns what is too weak for OpenSSL and how to allow it; null when nothing is. */
function weakness(code: string, message: string): string | null {
  // Of several verification faults Node has the text alone.
  const fault = [code, message].find((words) => TOO_WEAK.test(words));
  if (fault === undefined) return null;
  const what = WEAK.find(([words]) => words.test(fault))?.[1] ?? 'its certificate is';
  const name = fault === code ? code : cleanText(fault).slice(0, 100);
  return `${what} too weak for OpenSSL (${name}); set redfish_tls_ciphers to ${LEVEL_0} to allow it, or renew the certificate on the BMC`;
}
