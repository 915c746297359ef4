import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Logger } from '../core/logger.ts';
import { isSecretName } from '../core/secretNames.ts';
import { passwordsIn } from '../core/userInfo.ts';
import { type Config, SETTINGS } from './schema.ts';
import { keyFileOf } from './secretsSettings.ts';
import { readYamlFile } from './yamlFile.ts';

/** What others may not do with a file that holds secrets: read or write it; and its group may not write it. */
const SECRET = 0o027;
/** The same for a file that only decides who is trusted. */
const TRUSTED = 0o022;

/** Warns about files of the configuration that other users of this machine can read or change. */
export function warnOfFileAccess(config: Config, log: Logger): void {
  const { nodes_file, auth, tls, events, drivers } = config;
  const files: (readonly [key: string, file: string | null, forbidden: number, holds: string])[] = [
    ['secrets.key_file', keyFileOf(config), SECRET, 'the keys of the secrets in the store'],
    ['nodes_file', nodes_file, SECRET, 'passwords of BMCs'],
    ['auth.http_basic_auth_user_file', auth.http_basic_auth_user_file, SECRET, 'hashes of passwords'],
    ['tls.key_file', tls.key_file, SECRET, 'the private key of the service'],
    ['tls.cert_file', tls.cert_file, TRUSTED, 'the certificate of the service'],
    ['tls.client_ca_file', tls.client_ca_file, TRUSTED, 'the CAs of callers'],
    ['auth.jwt.jwks_file', auth.jwt.jwks_file, TRUSTED, 'the keys of the token issuer'],
    ['events.tls.key_file', events.tls.key_file, SECRET, 'the private key of the receiver of events'],
    ['events.tls.cert_file', events.tls.cert_file, TRUSTED, 'the certificate of the receiver of events'],
    ['events.webhook.secret_file', events.webhook.secret_file, SECRET, 'the secrets that sign events'],
    // Packages are where npm has put them.
    ...drivers.filter(isAbsolute).map((path) => ['drivers', path, TRUSTED, 'code that the service runs'] as const),
  ];
  for (const [key, file, forbidden, holds] of files) {
    if (file !== null) warnOfMode({ key, file, holds }, forbidden, log);
  }
}

/** Warns about the configuration file itself, which decides who is trusted and may hold secrets. */
export function warnOfConfigAccess(file: string, log: Logger): void {
  const secrets = secretsIn(readYamlFile(file));
  const holds = secrets.length > 0 ? secrets.join(', ') : 'the configuration of the service';
  warnOfMode({ key: '--config', file, holds }, secrets.length > 0 ? SECRET : TRUSTED, log);
}

/** Returns the keys of the settings that hold a secret in `content`. */
function secretsIn(content: unknown): string[] {
  return SETTINGS.filter(({ path }) => {
    const value = path.reduce<unknown>((group, name) => (group as Record<string, unknown> | null)?.[name], content);
    if (typeof value !== 'string') return false;
    return isSecretName(path.at(-1)!) || passwordsIn(value).length > 0 || /[?&](?:ssl)?password=/.test(value);
  }).map(({ key }) => key);
}

function warnOfMode(about: { key: string; file: string; holds: string }, forbidden: number, log: Logger): void {
  // Windows has no such modes.
  if (process.platform === 'win32') return;
  // A missing file is reported where it is read.
  const mode = statSync(about.file, { throwIfNoEntry: false })?.mode;
  if (mode === undefined || (mode & forbidden) === 0) return;
  const advice = forbidden === SECRET ? 'chmod 600' : 'chmod go-w';
  const fields = { ...about, mode: `0${(mode & 0o777).toString(8)}`, advice };
  log.warn(fields, 'other users can read or change a file of the configuration');
}
