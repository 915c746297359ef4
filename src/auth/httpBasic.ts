import { readFileSync } from 'node:fs';
import { nearest, showValue } from '../config/problems.ts';
import { readTextFile, watchFiles } from '../config/watchedFile.ts';
import type { Role } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { readFault } from '../core/readFault.ts';
import { type Authenticator, schemeCredentials, wrongCredentials } from './authenticator.ts';
import { BcryptPool } from './bcryptPool.ts';
import { CheckCache } from './checkCache.ts';
import { decoysFor, type Htpasswd, MAX_PASSWORD_BYTES, parseHtpasswd } from './htpasswd.ts';

interface HttpBasicOptions {
  /** The path of the user file. */
  userFile: string;
  /** The users' roles. */
  roles: Readonly<Record<string, Role>>;
  /** The role of users without an entry in `roles`; null for none. */
  defaultRole: Role | null;
  log: Logger;
}

/** How long a valid password is cached, in ms. A change of the file clears the cache. */
const KEEP = 60_000;
/** How long a wrong password is refused without another check, in ms. */
const KEEP_INVALID = 2000;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Creates the authenticator for HTTP Basic (RFC 7617) with a file of bcrypt hashes, as in Ironic standalone (ironic-lib,
 * auth_basic.py). The file is reloaded when it changes: an invalid line is skipped, and while the file cannot be read the
 * users of the last load remain.
 * @throws kind `failed_precondition` when the file cannot be read or has an invalid line, or `roles` names no user of it
 */
export function createHttpBasicAuthenticator({ userFile, roles, defaultRole, log }: HttpBasicOptions): Authenticator {
  let users = readAtStart(userFile);
  checkRoles(roles, users, userFile);
  if (defaultRole === null && Object.keys(roles).length === 0) {
    log.warn({}, 'no user has a role, so all calls are refused: set auth.roles or auth.default_role');
  }
  const pool = new BcryptPool();
  const cache = new CheckCache({ keep: KEEP, keepInvalid: KEEP_INVALID });

  const stopWatching = watchFiles([userFile], () => {
    try {
      users = parseHtpasswd(readFileSync(userFile, 'utf8'));
    } catch (error) {
      log.error(
        { file: userFile, reason: readFault(error) },
        'user file unreadable, keeping the users of the last load',
      );
      return;
    }
    cache.clear();
    log.info({ file: userFile, users: users.hashes.size, faults: users.faults }, 'user file reloaded');
  });

  return {
    // As Ironic's.
    challenge: 'Basic realm="Baremetal API"',
    authenticate({ authorization }) {
      const { user, password } = readBasic(
        schemeCredentials(authorization, 'Basic', 'HTTP Basic, a user and a password'),
      );
      return cache.check([user, password], async (wasValid) => {
        const hash = users.hashes.get(user);
        // An unknown user takes as long as a wrong password, so that names cannot be probed.
        const matches = await pool.compare({ password, hash, decoys: decoysFor(hash, users) }, wasValid);
        if (!matches) throw wrongUser();
        const role = Object.hasOwn(roles, user) ? roles[user] : undefined;
        return { caller: { name: user, role: role ?? defaultRole }, expires: null };
      });
    },
    async close() {
      stopWatching();
      await pool.close();
    },
  };
}

function readAtStart(file: string): Htpasswd {
  const fault = (reason: string) =>
    new PassthruError('failed_precondition', `auth.http_basic_auth_user_file: ${reason}`);
  const users = parseHtpasswd(readTextFile(file, fault));
  const [first] = users.faults;
  if (first !== undefined) throw fault(`${file}: ${first}`);
  if (users.hashes.size === 0) throw fault(`${file} has no users`);
  return users;
}

/**
 * Checks that each of `roles` is the role of a user: with a misspelt name, the user who is meant has another role.
 * @throws kind `failed_precondition`
 */
function checkRoles(roles: HttpBasicOptions['roles'], { hashes }: Htpasswd, file: string): void {
  const faults = Object.keys(roles)
    .filter((name) => !hashes.has(name))
    .map((name) => {
      const meant = nearest(name, [...hashes.keys()]);
      const advice = meant === null ? '' : `; did you mean ${showValue('user', meant)}?`;
      return `auth.roles: ${showValue('user', name)} is not a user of ${file}${advice}`;
    });
  if (faults.length > 0) throw new PassthruError('failed_precondition', faults.join('\n'));
}

/**
 * Parses Basic credentials (RFC 7617, 2): the password may contain a colon, the user may not. Refuses passwords that bcrypt
 * reads in part: up to a NUL, or the first 72 bytes.
 */
function readBasic(text: string): { user: string; password: string } {
  let pair = '';
  try {
    if (/^[A-Za-z0-9+/]*={0,2}$/.test(text)) pair = decoder.decode(Buffer.from(text, 'base64'));
  } catch {
    // Refused below.
  }
  const colon = pair.indexOf(':');
  const password = pair.slice(colon + 1);
  if (colon < 0 || password.includes('\0') || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) throw wrongUser();
  return { user: pair.slice(0, colon), password };
}

/** Worded as Ironic does (recorded). */
function wrongUser(): PassthruError {
  return wrongCredentials('Incorrect username or password');
}
