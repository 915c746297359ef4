import { readFileSync } from 'node:fs';
import { readFault, watchFiles } from '../config/watchedFile.ts';
import type { Role } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { type Authenticator, schemeCredentials, wrongCredentials } from './authenticator.ts';
import { BcryptPool } from './bcryptPool.ts';
import { CheckCache } from './checkCache.ts';
import { type Htpasswd, parseHtpasswd } from './htpasswd.ts';

export interface HttpBasicOptions {
  /** The path of the user file. */
  userFile: string;
  /** The users' roles. One without an entry is an admin, as everyone is in Ironic standalone. */
  roles: Readonly<Record<string, Role>>;
  log: Logger;
}

/** How long a password is believed, in milliseconds. A change of the file ends it at once. */
const KEEP = 60_000;
/** How long a wrong one is refused unseen, in milliseconds. */
const KEEP_WRONG = 2000;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * HTTP Basic (RFC 7617) against a user file with bcrypt hashes, as Ironic standalone has it (ironic-lib, auth_basic.py).
 * The file is read again when it changes; while it cannot be read, or has a line that makes no sense, what was read
 * before, or the other lines, count on.
 * @throws kind `failed_precondition` when the file cannot be read or has a fault
 */
export function createHttpBasicAuthenticator({ userFile, roles, log }: HttpBasicOptions): Authenticator {
  const key = 'auth.http_basic_auth_user_file';
  let users = readAtStart(key, userFile);
  const pool = new BcryptPool();
  const cache = new CheckCache({ keep: KEEP, keepWrong: KEEP_WRONG });

  const stopWatching = watchFiles([userFile], () => {
    try {
      users = parseHtpasswd(readFileSync(userFile, 'utf8'));
    } catch (error) {
      log.error(
        { file: userFile, why: readFault(error) },
        'the user file cannot be read; what it held before counts on',
      );
      return;
    }
    cache.clear();
    log.info({ file: userFile, users: users.hashes.size, faults: users.faults }, 'the user file was read again');
  });

  return {
    // As Ironic's.
    challenge: 'Basic realm="Baremetal API"',
    authenticate({ authorization }) {
      const { user, password } = readBasic(
        schemeCredentials(authorization, 'Basic', 'HTTP Basic, a user and a password'),
      );
      return cache.check([user, password], async (wereRight) => {
        const hash = users.hashes.get(user);
        // An unknown user takes as long as a wrong password, so that names cannot be found out.
        const matches = await pool.compare(password, hash ?? users.decoy, wereRight);
        if (hash === undefined || !matches) throw wrongUser();
        const role = Object.hasOwn(roles, user) ? roles[user] : undefined;
        return { caller: { name: user, role: role ?? 'admin' }, expires: null };
      });
    },
    async close() {
      stopWatching();
      await pool.close();
    },
  };
}

function readAtStart(key: string, file: string): Htpasswd {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new PassthruError('failed_precondition', `${key}: ${file} cannot be read: ${readFault(error)}`);
  }
  const users = parseHtpasswd(text);
  const [fault] = users.faults;
  if (fault !== undefined) throw new PassthruError('failed_precondition', `${key}: ${file}: ${fault}`);
  if (users.hashes.size === 0) throw new PassthruError('failed_precondition', `${key}: ${file} has no user`);
  return users;
}

/** User and password of Basic credentials (RFC 7617, 2): the password may hold a colon, the user may not. */
function readBasic(text: string): { user: string; password: string } {
  let pair = '';
  try {
    if (/^[A-Za-z0-9+/]*={0,2}$/.test(text)) pair = decoder.decode(Buffer.from(text, 'base64'));
  } catch {
    // Told below.
  }
  const colon = pair.indexOf(':');
  if (colon < 0) throw wrongUser();
  return { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** Worded as Ironic does. */
function wrongUser(): PassthruError {
  return wrongCredentials('Incorrect username or password');
}
