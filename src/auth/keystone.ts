import type { AuthConfig } from '../config/authSettings.ts';
import { highestRole, type Role } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { type Authenticator, noCredentials, wrongCredentials } from './authenticator.ts';
import { CheckCache } from './checkCache.ts';
import { expiryOf, KeystoneClient } from './keystoneClient.ts';
import { createThrottledLog } from './throttledLog.ts';

type Required = 'auth_url' | 'username' | 'password' | 'www_authenticate_uri';

/** The group `auth.keystone`, with the required keys set. */
export type KeystoneOptions = Omit<AuthConfig['keystone'], Required> & Record<Required, string> & { log: Logger };

/** How long an invalid token is refused without another check, in ms. */
const KEEP_INVALID = 5000;

/**
 * Keystone's default roles (`keystone-manage bootstrap`) as Ironic's default policies have them, where vendor passthru is for
 * admins (`SYSTEM_ADMIN`). Its members and services may do more there than readers, but nothing that does not come with
 * calls here.
 */
const IRONIC_ROLES: Readonly<Record<string, Role>> = {
  admin: 'admin',
  member: 'reader',
  reader: 'reader',
  service: 'reader',
};

/** A token as a header can hold it. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

/**
 * Creates the authenticator for `X-Auth-Token` with Keystone, as keystonemiddleware's auth_token. A caller has the
 * highest role of its token on the system or a configured project; other tokens have none. Ironic admits projects too, but
 * to their own nodes alone, and never to vendor passthru.
 */
export function createKeystoneAuthenticator(options: KeystoneOptions): Authenticator {
  const client = new KeystoneClient(options);
  const cache = new CheckCache({ keep: options.token_cache_time, keepInvalid: KEEP_INVALID });
  const projects = new Set(options.projects);
  const roles = new Map<Json | undefined, Role | 'none'>(Object.entries({ ...IRONIC_ROLES, ...options.roles }));
  const warn = createThrottledLog(options.log);

  return {
    challenge: `Keystone uri="${options.www_authenticate_uri}"`,
    authenticate({ authToken }) {
      if (authToken === null || authToken === '') throw noCredentials('X-Auth-Token, a Keystone token');
      if (!TOKEN.test(authToken)) throw invalidToken();
      return cache.check([authToken], async () => {
        const token = await client.validate(authToken).catch((error) => {
          if (error instanceof PassthruError)
            warn({ reason: error.message, err: error.cause }, 'Keystone check failed');
          throw error;
        });
        const expires = token === null ? 0 : expiryOf(token);
        if (token === null || expires <= Date.now()) throw invalidToken();
        return {
          caller: { name: uniqueName(token.user), role: isHonoured(token, projects) ? roleOf(token, roles) : null },
          expires,
        };
      });
    },
    close: async () => {},
  };
}

function roleOf(token: JsonObject, roles: ReadonlyMap<Json | undefined, Role | 'none'>): Role | null {
  const given = Array.isArray(token.roles) ? token.roles : [];
  const found = given.map((each) => roles.get(isJsonObject(each) ? each.name : undefined));
  return highestRole(found.filter((role) => role !== 'none'));
}

/** Whether the roles of a token count: they are on the system, or on one of `projects`. */
function isHonoured({ system, project }: JsonObject, projects: ReadonlySet<string>): boolean {
  if (isJsonObject(system)) return system.all === true;
  if (!isJsonObject(project)) return false;
  if (projects.has(String(project.id))) return true;
  return isJsonObject(project.domain) && projects.has(`${project.name}@${project.domain.name}`);
}

/**
 * Returns the user's name, with its domain unless that is Keystone's default: `alice`, `alice@Partners`. The domain
 * follows the last @, so names are unique.
 */
function uniqueName(user: Json | undefined): string {
  if (!isJsonObject(user) || typeof user.name !== 'string' || !isJsonObject(user.domain)) throw invalidToken();
  if (user.domain.id === 'default' && !user.name.includes('@')) return user.name;
  return `${user.name}@${String(user.domain.name).replaceAll('%', '%25').replaceAll('@', '%40')}`;
}

function invalidToken(): PassthruError {
  return wrongCredentials('The token is not valid, has expired or was revoked');
}
