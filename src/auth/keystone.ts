import { type Caller, highestRole, type Role } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { type Authenticator, noCredentials, wrongCredentials } from './authenticator.ts';
import { CheckCache } from './checkCache.ts';
import { expiryOf, type KeystoneAccount, KeystoneClient } from './keystoneClient.ts';
import { createThrottledLog } from './throttledLog.ts';

export interface KeystoneOptions extends KeystoneAccount {
  /** What callers are told to sign on at. */
  www_authenticate_uri: string;
  /** How long a token is believed before it is looked up again, in milliseconds: a revocation takes as long to tell. */
  token_cache_time: number;
  /** The projects, by id or as `NAME@DOMAIN`, whose roles count as those on the system do; of others admin alone does, when none is named. */
  projects: readonly string[];
  log: Logger;
}

/** How long a token that is none is refused unseen, in milliseconds. */
const KEEP_WRONG = 5000;

/** Keystone's default roles (`keystone-manage bootstrap`) and what they are here. */
const ROLE_OF: ReadonlyMap<Json | undefined, Role> = new Map([
  ['admin', 'admin'],
  ['member', 'operator'],
  ['reader', 'reader'],
]);

/** A token as a header can hold it. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

/**
 * `X-Auth-Token` against Keystone, as keystonemiddleware's auth_token. A token has the highest role that it gives on the
 * system or on a project that is named; one without scope or of a domain has none. Where no project is named, the admin of
 * any is one here, as OpenStack's policies have always had it, and who is less there is nobody here: a tenant of the cloud
 * has no business at its machines.
 */
export function createKeystoneAuthenticator(options: KeystoneOptions): Authenticator {
  const client = new KeystoneClient(options);
  const cache = new CheckCache({ keep: options.token_cache_time, keepWrong: KEEP_WRONG });
  const projects = new Set(options.projects);
  const warn = createThrottledLog(options.log);

  return {
    challenge: `Keystone uri="${options.www_authenticate_uri}"`,
    authenticate({ authToken }) {
      if (authToken === null || authToken === '') throw noCredentials('X-Auth-Token, a token of Keystone');
      if (!TOKEN.test(authToken)) throw invalidToken();
      return cache.check([authToken], async () => {
        const token = await client.validate(authToken).catch((error) => {
          if (error instanceof PassthruError) warn({ why: error.message, err: error.cause }, 'Keystone failed');
          throw error;
        });
        const expires = token === null ? 0 : expiryOf(token);
        if (token === null || expires <= Date.now()) throw invalidToken();
        return { caller: callerOf(token, projects), expires };
      });
    },
    close: async () => {},
  };
}

function callerOf(token: JsonObject, projects: ReadonlySet<string>): Caller {
  const roles = Array.isArray(token.roles) ? token.roles : [];
  const role = highestRole(roles.map((given) => ROLE_OF.get(isJsonObject(given) ? given.name : undefined)));
  return { name: uniqueName(token.user), role: role !== null && counts(role, token, projects) ? role : null };
}

function counts(role: Role, { system, project }: JsonObject, projects: ReadonlySet<string>): boolean {
  if (isJsonObject(system)) return system.all === true;
  if (!isJsonObject(project)) return false;
  if (projects.size === 0) return role === 'admin';
  if (projects.has(String(project.id))) return true;
  return isJsonObject(project.domain) && projects.has(`${project.name}@${project.domain.name}`);
}

/**
 * The user's name, and its domain unless that is Keystone's default one: `alice`, `alice@Partners`. What follows the last
 * @ is the domain, so that no two users have one name.
 */
function uniqueName(user: Json | undefined): string {
  if (!isJsonObject(user) || typeof user.name !== 'string' || !isJsonObject(user.domain)) throw invalidToken();
  if (user.domain.id === 'default' && !user.name.includes('@')) return user.name;
  return `${user.name}@${String(user.domain.name).replaceAll('%', '%25').replaceAll('@', '%40')}`;
}

function invalidToken(): PassthruError {
  return wrongCredentials('The token is not valid, has expired or was revoked');
}
