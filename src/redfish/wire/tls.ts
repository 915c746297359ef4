import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { readFault } from '../../core/readFault.ts';
import { describeTlsFailure, LEVEL_0 } from './tlsFaults.ts';

/** How a BMC's certificate and protocol are verified. */
export interface TlsSettings {
  /** True: by the CAs that Node trusts; false: not at all; a string: path of a CA file, or of a folder of them. */
  verifyCa: boolean | string;
  /** The lowest protocol to accept; null: TLS 1.2. */
  minimumVersion: SecureVersion | null;
  /** OpenSSL's cipher list; null: its default. */
  ciphers: string | null;
}

/** How long a context is used before its CA files are checked for changes, in ms. */
const FRESH_MS = 10_000;

/** The maximum number of contexts kept; the oldest is dropped first. */
const MAX_CONTEXTS = 100;

interface CachedContext {
  secureContext: SecureContext;
  /** The CA files with their sizes and times of change. */
  files: string;
  /** By the monotonic clock, in milliseconds. */
  checkedAt: number;
}

/**
 * Makes the options for `tls.connect`. Building a context takes up to 70 ms on the event loop (a folder of 150 CAs), so it
 * is done once per settings and state of the CA files, not for each connection.
 */
export class TlsContexts {
  readonly #now: () => number;
  readonly #contexts = new Map<string, CachedContext>();
  /** The number of contexts built. */
  built = 0;

  /** @param now the monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Returns the options of a connection.
   * @throws Error whose message names the invalid setting
   */
  connectOptions(settings: TlsSettings): { rejectUnauthorized: boolean; secureContext: SecureContext } {
    const { verifyCa, minimumVersion, ciphers } = settings;
    // Without verification a context needs no CA: one serves both.
    const key = JSON.stringify([typeof verifyCa === 'string' ? verifyCa : null, minimumVersion, ciphers]);
    return { rejectUnauthorized: verifyCa !== false, secureContext: this.#context(key, settings) };
  }

  #context(key: string, settings: TlsSettings): SecureContext {
    const { verifyCa } = settings;
    const cached = this.#contexts.get(key);
    const now = this.#now();
    if (cached !== undefined && (typeof verifyCa !== 'string' || now - cached.checkedAt < FRESH_MS)) {
      return cached.secureContext;
    }
    const files = typeof verifyCa === 'string' ? describeFiles(verifyCa) : '';
    if (cached?.files === files) {
      cached.checkedAt = now;
      return cached.secureContext;
    }
    const secureContext = makeContext(settings);
    this.built += 1;
    this.#contexts.delete(key);
    this.#contexts.set(key, { secureContext, files, checkedAt: now });
    if (this.#contexts.size > MAX_CONTEXTS) this.#contexts.delete(this.#contexts.keys().next().value as string);
    return secureContext;
  }
}

/** The contexts of this process. */
export const tlsContexts = new TlsContexts();

function makeContext(settings: TlsSettings): SecureContext {
  const options = contextOptions(settings);
  try {
    return createSecureContext(options);
  } catch (error) {
    const fault = describeTlsFailure(error) ?? readFault(error);
    throw new Error(`redfish_verify_ca: its certificates cannot be used: ${fault}`, { cause: error });
  }
}

/**
 * The curves of keys and certificates at security level 0: OpenSSL's own, and those that it does not offer by default, without
 * which a BMC with a short key fails the handshake.
 */
const CURVES = 'X25519:prime256v1:X448:secp521r1:secp384r1:secp224r1:prime192v1';

function contextOptions({ verifyCa, minimumVersion, ciphers }: TlsSettings): SecureContextOptions {
  const options: SecureContextOptions = {};
  if (typeof verifyCa === 'string') options.ca = readAuthorities(verifyCa);
  if (minimumVersion !== null) options.minVersion = minimumVersion;
  if (ciphers !== null) options.ciphers = ciphers;
  // OpenSSL 3 supports TLS 1.0 and 1.1 at security level 0 only.
  else if (minimumVersion === 'TLSv1' || minimumVersion === 'TLSv1.1') options.ciphers = LEVEL_0;
  if (options.ciphers?.includes('@SECLEVEL=0')) options.ecdhCurve = CURVES;
  return options;
}

/** The maximum number of cipher lists whose validity is remembered. */
const MAX_CIPHER_LISTS = 100;
const cipherFaults = new Map<string, string | null>();

/** Returns why `ciphers` is not an OpenSSL cipher list, or null when it is one. */
export function ciphersFault(ciphers: string): string | null {
  const cached = cipherFaults.get(ciphers);
  if (cached !== undefined) return cached;
  let fault: string | null = null;
  try {
    createSecureContext({ ciphers });
  } catch {
    fault = 'OpenSSL knows none of its ciphers';
  }
  if (cipherFaults.size >= MAX_CIPHER_LISTS) cipherFaults.clear();
  cipherFaults.set(ciphers, fault);
  return fault;
}

const PEM = '-----BEGIN';
/** Above any CA bundle; larger files of a folder are skipped. */
const MAX_BYTES = 4 * 1024 * 1024;

function readAuthorities(path: string): string[] {
  const texts = withFiles(path, (files) =>
    files.map((file) => readFileSync(file, 'utf8')).filter((text) => text.includes(PEM)),
  );
  if (texts.length > 0) return texts;
  throw new Error('redfish_verify_ca: the CA file or folder contains no PEM certificate');
}

/** Returns a text that changes with the CA files: their names, sizes and times of change. */
function describeFiles(path: string): string {
  return withFiles(path, (files) =>
    files
      .map((file) => {
        const { size, mtimeMs, ino } = statSync(file);
        return `${file} ${size} ${mtimeMs} ${ino}`;
      })
      .join('\n'),
  );
}

/** Runs `read` on the CA file, or on the files of a folder that are not too large. */
function withFiles<T>(path: string, read: (files: string[]) => T): T {
  try {
    const files = statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
    return read(
      files.filter((file) => {
        const stats = statSync(file, { throwIfNoEntry: false });
        return stats?.isFile() && stats.size <= MAX_BYTES;
      }),
    );
  } catch (error) {
    throw new Error(`redfish_verify_ca: the CA file or folder cannot be read: ${readFault(error)}`);
  }
}
