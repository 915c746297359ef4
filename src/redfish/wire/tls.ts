import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { type Authorities, findAuthorityFiles, onFileSystem, readCertificates } from './authorities.ts';
import { describeTlsFailure, LEVEL_0 } from './tlsFaults.ts';

/** How a BMC's certificate and protocol are verified. */
export interface TlsSettings {
  /** True: by the CAs that Node trusts; false: not at all; otherwise by those CAs. */
  verifyCa: boolean | Authorities;
  /** The lowest protocol to accept; null: TLS 1.2. */
  minimumVersion: SecureVersion | null;
  /** OpenSSL's cipher list; null: its default. */
  ciphers: string | null;
}

/** How long a context is used before its CA files are checked for changes, in ms. */
const FRESH_MS = 10_000;

/** The maximum number of contexts kept; the oldest is dropped first. */
const MAX_CONTEXTS = 100;

/** What `tls.connect` takes. */
export interface ConnectOptions {
  rejectUnauthorized: boolean;
  secureContext: SecureContext;
}

interface CachedContext {
  secureContext: SecureContext;
  /** The CA files with their sizes and times of change. */
  files: string;
  /** By the monotonic clock, in milliseconds. */
  checkedAt: number;
}

/**
 * Makes the options for `tls.connect`. Building a context takes up to 70 ms on the event loop (a folder of 150 CAs), so it
 * is done once per settings and state of the CA files, not for each connection. The event loop never waits for the files.
 */
export class TlsContexts {
  readonly #now: () => number;
  readonly #contexts = new Map<string, CachedContext>();
  /** The contexts whose files are being looked at. */
  readonly #looking = new Map<string, Promise<SecureContext>>();
  /** The number of contexts built. */
  built = 0;

  /** @param now the monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Returns the options of a connection; a promise where files have to be looked at first.
   * @throws Error whose message names the invalid setting
   */
  connectOptions(settings: TlsSettings): ConnectOptions | Promise<ConnectOptions> {
    const { verifyCa, minimumVersion, ciphers } = settings;
    const rejectUnauthorized = verifyCa !== false;
    // Without verification a context needs no CA: one serves both.
    const key = JSON.stringify([typeof verifyCa === 'object' ? verifyCa : null, minimumVersion, ciphers]);
    const cached = this.#contexts.get(key);
    const ofFiles = typeof verifyCa === 'object' && 'path' in verifyCa;
    if (cached !== undefined && (!ofFiles || this.#now() - cached.checkedAt < FRESH_MS)) {
      return { rejectUnauthorized, secureContext: cached.secureContext };
    }
    if (ofFiles) {
      return this.#look(key, settings, verifyCa).then((secureContext) => ({ rejectUnauthorized, secureContext }));
    }
    const pem = typeof verifyCa === 'object' ? [verifyCa.pem] : null;
    return { rejectUnauthorized, secureContext: this.#build(key, settings, pem, '') };
  }

  /** Returns the context for the CA files as they are now. Callers at the same moment share one look. */
  #look(key: string, settings: TlsSettings, at: Extract<Authorities, { path: string }>): Promise<SecureContext> {
    const looking = this.#looking.get(key);
    if (looking !== undefined) return looking;
    const look = onFileSystem(async () => {
      const found = await findAuthorityFiles(at);
      const state = found.map((file) => file.state).join('\n');
      const cached = this.#contexts.get(key);
      if (cached?.files !== state) return { state, certificates: await readCertificates(found) };
      cached.checkedAt = this.#now();
      return cached.secureContext;
    })
      .then((read) => ('state' in read ? this.#build(key, settings, read.certificates, read.state) : read))
      .finally(() => this.#looking.delete(key));
    this.#looking.set(key, look);
    return look;
  }

  #build(key: string, settings: TlsSettings, certificates: string[] | null, files: string): SecureContext {
    const secureContext = makeContext(settings, certificates);
    this.built += 1;
    this.#contexts.delete(key);
    this.#contexts.set(key, { secureContext, files, checkedAt: this.#now() });
    if (this.#contexts.size > MAX_CONTEXTS) this.#contexts.delete(this.#contexts.keys().next().value as string);
    return secureContext;
  }
}

/** The contexts of this process. */
export const tlsContexts = new TlsContexts();

function makeContext(settings: TlsSettings, certificates: string[] | null): SecureContext {
  const options = contextOptions(settings);
  if (certificates !== null) options.ca = certificates;
  try {
    return createSecureContext(options);
  } catch (error) {
    const fault = describeTlsFailure(error) ?? (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new Error(`redfish_verify_ca: its certificates cannot be used: ${fault}`, { cause: error });
  }
}

/**
 * The curves of keys and certificates at security level 0: OpenSSL's own, and those that it does not offer by default, without
 * which a BMC with a short key fails the handshake.
 */
const CURVES = 'X25519:prime256v1:X448:secp521r1:secp384r1:secp224r1:prime192v1';

function contextOptions({ minimumVersion, ciphers }: TlsSettings): SecureContextOptions {
  const options: SecureContextOptions = {};
  if (minimumVersion !== null) options.minVersion = minimumVersion;
  if (ciphers !== null) options.ciphers = ciphers;
  // OpenSSL 3 supports TLS 1.0 and 1.1 at security level 0 only.
  else if (minimumVersion === 'TLSv1' || minimumVersion === 'TLSv1.1') options.ciphers = LEVEL_0;
  if (options.ciphers?.includes('@SECLEVEL=0')) options.ecdhCurve = CURVES;
  return options;
}

/** The maximum number of cipher lists whose validity is remembered. */
const MAX_CIPHER_LISTS = 100;
/** Longer than the names of all ciphers. */
const MAX_CIPHERS_LENGTH = 8192;
const cipherFaults = new Map<string, string | null>();

/** Returns why `ciphers` is not an OpenSSL cipher list, or null when it is one. */
export function ciphersFault(ciphers: string): string | null {
  if (ciphers.length > MAX_CIPHERS_LENGTH) return `it is longer than ${MAX_CIPHERS_LENGTH} characters`;
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
