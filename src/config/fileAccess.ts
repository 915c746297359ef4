import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Logger } from '../core/logger.ts';
import type { Config } from './schema.ts';

/** What others may not do with a file that holds secrets: read or write it; and its group may not write it. */
const SECRET = 0o027;
/** The same for a file that only decides who is trusted. */
const TRUSTED = 0o022;

/** Warns about files of the configuration that other users of this machine can read or change. */
export function warnOfFileAccess({ nodes_file, secrets, auth, tls, drivers }: Config, log: Logger): void {
  // Windows has no such modes.
  if (process.platform === 'win32') return;
  const files: (readonly [key: string, file: string | null, forbidden: number, holds: string])[] = [
    ['secrets.key_file', secrets.key_file, SECRET, 'the keys of the secrets in the store'],
    ['nodes_file', nodes_file, SECRET, 'passwords of BMCs'],
    ['auth.http_basic_auth_user_file', auth.http_basic_auth_user_file, SECRET, 'hashes of passwords'],
    ['tls.key_file', tls.key_file, SECRET, 'the private key of the service'],
    ['tls.cert_file', tls.cert_file, TRUSTED, 'the certificate of the service'],
    ['tls.client_ca_file', tls.client_ca_file, TRUSTED, 'the CAs of callers'],
    ['auth.jwt.jwks_file', auth.jwt.jwks_file, TRUSTED, 'the keys of the token issuer'],
    // Packages are where npm has put them.
    ...drivers.filter(isAbsolute).map((path) => ['drivers', path, TRUSTED, 'code that the service runs'] as const),
  ];
  for (const [key, file, forbidden, holds] of files) {
    // A missing file is reported where it is read.
    const mode = file === null ? undefined : statSync(file, { throwIfNoEntry: false })?.mode;
    if (mode === undefined || (mode & forbidden) === 0) continue;
    const advice = forbidden === SECRET ? 'chmod 600' : 'chmod go-w';
    const fields = { key, file, mode: `0${(mode & 0o777).toString(8)}`, holds, advice };
    log.warn(fields, 'other users can read or change a file of the configuration');
  }
}
