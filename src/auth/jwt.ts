import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { AuthConfig } from '../config/authSettings.ts';
import { readTextFile, watchFiles } from '../config/watchedFile.ts';
import { type Caller, highestRole, ROLES } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { type Authenticator, isCallerName, schemeCredentials, wrongCredentials } from './authenticator.ts';
import { createThrottledLog } from './throttledLog.ts';

/** The group `auth.jwt`, with the required keys set; one of `jwks_url` and `jwks_file` is null. */
export interface JwtOptions extends Omit<AuthConfig['jwt'], 'issuer'> {
  issuer: string;
  log: Logger;
  /** The monotonic clock, in ms. */
  now?: () => number;
}

/** Timeout for fetching the key set in ms. */
const FETCH_TIMEOUT = 5000;
/** Minimum time between two attempts to fetch the key set after a failure, in ms. */
const RETRY_INTERVAL = 1000;
/** Maximum number of requests that wait for a check, which they do while keys are fetched. */
const MAX_WAITING = 4096;

/** The errors of jose that are about the key set, not the token. */
const KEY_FAULTS: ReadonlySet<string> = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
  errors.JOSEError.code,
]);

/**
 * Creates the authenticator for `Authorization: Bearer` with a signed JWT (RFC 7519, 8725). Checks issuer, audience,
 * time and algorithm. A key set file is reloaded when it changes; a fetched key set when a token names an unknown key, or
 * after ten minutes.
 * @throws kind `failed_precondition` when the file is not a key set
 */
export function createJwtAuthenticator(options: JwtOptions): Authenticator {
  const { issuer, clock_tolerance, name_claim, role_claim, log } = options;
  const source = keySource(options);
  const warn = createThrottledLog(log);
  let waiting = 0;
  const checks = {
    issuer,
    audience: options.audience,
    algorithms: options.algorithms,
    clockTolerance: clock_tolerance / 1000,
    requiredClaims: ['exp'],
  };

  return {
    challenge: 'Bearer realm="passthru"',
    async authenticate({ authorization }) {
      const token = schemeCredentials(authorization, 'Bearer', 'a Bearer token, a signed JWT');
      if (waiting >= MAX_WAITING) {
        throw new PassthruError('rate_limited', 'Too many tokens are waiting to be checked; try again shortly.');
      }
      waiting += 1;
      try {
        const { payload } = await jwtVerify(token, source.keys(), checks);
        return { name: nameOf(payload, name_claim), role: roleOf(payload, role_claim) };
      } catch (error) {
        if (error instanceof PassthruError) throw error;
        if (error instanceof errors.JOSEError && !isKeyFault(error)) throw invalidToken(error);
        warn({ err: error }, 'key set of the token issuer unavailable');
        const message = 'The keys of the token issuer are unavailable; callers cannot be authenticated now.';
        throw new PassthruError('identity_unavailable', message, { cause: error });
      } finally {
        waiting -= 1;
      }
    },
    async close() {
      source.close();
    },
  };
}

function keySource({ jwks_url, jwks_file, log, now = () => performance.now() }: JwtOptions): {
  keys(): JWTVerifyGetKey;
  close(): void;
} {
  if (jwks_file === null) {
    const keys = fetchedKeys(new URL(jwks_url as string), now);
    return { keys: () => keys, close() {} };
  }
  let keys = readKeySet(jwks_file);
  const close = watchFiles([jwks_file], () => {
    try {
      keys = readKeySet(jwks_file);
      log.info({ file: jwks_file }, 'key set reloaded');
    } catch (error) {
      log.error({ reason: (error as Error).message }, 'key set unusable, keeping the keys of the last load');
    }
  });
  return { keys: () => keys, close };
}

/**
 * Returns the keys at `url`. While fetching fails it is retried once a second, however many tokens arrive, and fresh
 * cached keys remain valid.
 */
function fetchedKeys(url: URL, now: () => number): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, { timeoutDuration: FETCH_TIMEOUT });
  let failure: { error: unknown; until: number } | null = null;
  return async (header, token) => {
    if (failure !== null && now() < failure.until) {
      const cached = keys.fresh ? keys.jwks() : undefined;
      if (cached === undefined) throw failure.error;
      return await createLocalJWKSet(cached)(header, token);
    }
    try {
      return await keys(header, token);
    } catch (error) {
      if (isKeyFault(error)) failure = { error, until: now() + RETRY_INTERVAL };
      throw error;
    }
  };
}

/** Whether the key set is at fault, not the token. */
function isKeyFault(error: unknown): boolean {
  return !(error instanceof errors.JOSEError) || KEY_FAULTS.has(error.code);
}

function readKeySet(file: string): JWTVerifyGetKey {
  const fault = (reason: string) => new PassthruError('failed_precondition', `auth.jwt.jwks_file: ${reason}`);
  const text = readTextFile(file, fault);
  try {
    return createLocalJWKSet(JSON.parse(text));
  } catch {
    throw fault(`${file} is not a JSON Web Key Set`);
  }
}

function nameOf(payload: JWTPayload, path: string): string {
  const name = claim(payload, path);
  if (isCallerName(name)) return name;
  throw wrongCredentials(`The token has no caller name (claim ${path})`);
}

function roleOf(payload: JWTPayload, path: string): Caller['role'] {
  const value = claim(payload, path);
  // Space-separated like `scope` (RFC 8693, 4.2), or a list.
  const words = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return highestRole(ROLES.filter((role) => words.includes(role)));
}

/** Returns the claim named `path` (names are often URLs with dots), else the nested claim at `path`. */
function claim(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path];
  return path.split('.').reduce<unknown>((value, part) => {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, part);
    return isObject ? (value as Record<string, unknown>)[part] : undefined;
  }, payload);
}

function invalidToken(cause: errors.JOSEError): PassthruError {
  const expired = cause instanceof errors.JWTExpired;
  return new PassthruError('unauthenticated', expired ? 'The token has expired' : 'The token is not valid', { cause });
}
