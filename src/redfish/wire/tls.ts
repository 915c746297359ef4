import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureVersion } from 'node:tls';

/** How a BMC's certificate and protocol are judged. */
export interface TlsSettings {
  /** True: by the CAs that Node trusts; false: not at all; a text: path of a CA file, or of a folder of them. */
  verifyCa: boolean | string;
  /** The lowest protocol to accept; null: TLS 1.2. */
  minimumVersion: SecureVersion | null;
  /** OpenSSL's cipher list; null: its default. */
  ciphers: string | null;
}

/** What of TlsSettings goes to `tls.connect`. */
export interface TlsConnectOptions {
  rejectUnauthorized: boolean;
  ca?: string[];
  minVersion?: SecureVersion;
  ciphers?: string;
}

/**
 * The options for `tls.connect`. Reads the CA file or folder.
 * @throws Error whose message names the setting that is wrong
 */
export function tlsConnectOptions(settings: TlsSettings): TlsConnectOptions {
  const options: TlsConnectOptions = { rejectUnauthorized: settings.verifyCa !== false };
  if (typeof settings.verifyCa === 'string') options.ca = readAuthorities(settings.verifyCa);
  if (settings.minimumVersion !== null) options.minVersion = settings.minimumVersion;
  if (settings.ciphers !== null) options.ciphers = settings.ciphers;
  // OpenSSL 3 speaks TLS 1.0 and 1.1 at security level 0 alone.
  else if (settings.minimumVersion === 'TLSv1' || settings.minimumVersion === 'TLSv1.1') {
    options.ciphers = 'DEFAULT@SECLEVEL=0';
  }
  return options;
}

/** Why `ciphers` is no OpenSSL cipher list, or null when it is one. */
export function ciphersFault(ciphers: string): string | null {
  try {
    createSecureContext({ ciphers });
    return null;
  } catch {
    return 'no cipher of it is known to OpenSSL';
  }
}

/**
 * Why a TLS handshake failed and which setting to look at, for the error of a failed connection; null when the
 * failure was none of TLS.
 */
export function describeTlsFailure(error: unknown): string | null {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (CERTIFICATE_FAULTS.has(code)) {
    return `the certificate is not trusted (${code}); set redfish_verify_ca to the path of its CA, or to false`;
  }
  if (code.startsWith('ERR_SSL_WRONG_VERSION') || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return `the BMC does not speak TLS there, or only a version below the one allowed (${code}); see redfish_address and redfish_tls_minimum_version`;
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO' || code === 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    return `the TLS handshake failed (${code}); an old BMC may need redfish_tls_minimum_version (for example 1.0) or redfish_tls_ciphers`;
  }
  return null;
}

/** Codes of OpenSSL's certificate verification and of Node's check of the host name. */
const CERTIFICATE_FAULTS = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const PEM = '-----BEGIN';
/** Larger than any CA bundle; a folder's files that are larger are not read. */
const MAX_BYTES = 4 * 1024 * 1024;

function readAuthorities(path: string): string[] {
  let files: string[];
  try {
    files = statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
    const texts = files
      .filter((file) => statSync(file).isFile() && statSync(file).size <= MAX_BYTES)
      .map((file) => readFileSync(file, 'utf8'))
      .filter((text) => text.includes(PEM));
    if (texts.length > 0) return texts;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new Error(`redfish_verify_ca: the CA file or folder cannot be read (${code})`);
  }
  throw new Error('redfish_verify_ca: the CA file or folder holds no certificate in PEM form');
}
