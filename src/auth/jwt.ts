import { readFileSync } from 'node:fs';
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { readFault, watchFiles } from '../config/watchedFile.ts';
import { type Caller, highestRole, ROLES } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { type Authenticator, schemeCredentials, wrongCredentials } from './authenticator.ts';
import { createThrottledLog } from './throttledLog.ts';

export interface JwtOptions {
  /** Where the issuer publishes its keys (RFC 7517, 5); null when they are in a file. */
  jwks_url: string | null;
  /** The path of a key set; null when it is fetched. */
  jwks_file: string | null;
  issuer: string;
  /** A token is for at least one of them. */
  audience: readonly string[];
  /** The signature algorithms that are taken, by their names in JWS (RFC 7518, 3.1). */
  algorithms: readonly string[];
  /** How far the clocks may be apart, in milliseconds. */
  clock_tolerance: number;
  /** The claim that holds the caller's name. Dots lead into objects. */
  name_claim: string;
  /** The claim that holds the caller's role or roles, among other words. Dots lead into objects. */
  role_claim: string;
  log: Logger;
  /** The monotonic clock, in ms. */
  now?: () => number;
}

/** How long the issuer may take to answer with its keys, in milliseconds. */
const FETCH_TIMEOUT = 5000;
/** How long after they could not be had its keys are asked for again, in milliseconds. */
const FETCH_AGAIN = 1000;
/** So many requests may wait to be checked, which they do while the keys are fetched. */
const MAX_WAITING = 4096;
/** The longest name of a caller, in characters. */
const MAX_NAME = 255;

/** What of jose's errors says that the keys, not the token, are at fault. */
const KEY_FAULTS: ReadonlySet<string> = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
  errors.JOSEError.code,
]);

/**
 * `Authorization: Bearer` with a signed JWT (RFC 7519, 8725): issuer, audience, time, and an algorithm of the list. A
 * key set's file is read again when it changes; a fetched one when a token names a key that it lacks, or after a while.
 * @throws kind `failed_precondition` when the file holds no key set
 */
export function createJwtAuthenticator(options: JwtOptions): Authenticator {
  const { issuer, clock_tolerance, name_claim, role_claim, log } = options;
  const source = keySource(options);
  const warn = createThrottledLog(log);
  let waiting = 0;
  const checks = {
    issuer,
    audience: [...options.audience],
    algorithms: [...options.algorithms],
    clockTolerance: clock_tolerance / 1000,
    requiredClaims: ['exp'],
  };

  return {
    challenge: 'Bearer realm="passthru"',
    async authenticate({ authorization }) {
      const token = schemeCredentials(authorization, 'Bearer', 'a Bearer token, a signed JWT');
      if (waiting >= MAX_WAITING) {
        throw new PassthruError('rate_limited', 'Too many tokens wait to be checked; try again shortly.');
      }
      waiting += 1;
      try {
        const { payload } = await jwtVerify(token, source.keys(), checks);
        return { name: nameOf(payload, name_claim), role: roleOf(payload, role_claim) };
      } catch (error) {
        if (error instanceof PassthruError) throw error;
        if (error instanceof errors.JOSEError && !isKeyFault(error)) throw invalidToken(error);
        warn({ err: error }, 'the key set of the issuer cannot be used');
        const message = 'The keys of the issuer of tokens cannot be had; who calls cannot be told now.';
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
      log.info({ file: jwks_file }, 'the key set was read again');
    } catch (error) {
      log.error({ why: (error as Error).message }, 'the key set cannot be used; what it held before counts on');
    }
  });
  return { keys: () => keys, close };
}

/**
 * The keys at `url`. While they cannot be had they are asked for once a second, however many tokens come, and those that are
 * known and not too old count on.
 */
function fetchedKeys(url: URL, now: () => number): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, { timeoutDuration: FETCH_TIMEOUT });
  let failure: { error: unknown; until: number } | null = null;
  return async (header, token) => {
    if (failure !== null && now() < failure.until) {
      const known = keys.fresh ? keys.jwks() : undefined;
      if (known === undefined) throw failure.error;
      return await createLocalJWKSet(known)(header, token);
    }
    try {
      return await keys(header, token);
    } catch (error) {
      if (isKeyFault(error)) failure = { error, until: now() + FETCH_AGAIN };
      throw error;
    }
  };
}

/** Whether the keys are at fault, not the token. */
function isKeyFault(error: unknown): boolean {
  return !(error instanceof errors.JOSEError) || KEY_FAULTS.has(error.code);
}

function readKeySet(file: string): JWTVerifyGetKey {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new PassthruError('failed_precondition', `auth.jwt.jwks_file: ${file} cannot be read: ${readFault(error)}`);
  }
  try {
    return createLocalJWKSet(JSON.parse(text));
  } catch {
    throw new PassthruError('failed_precondition', `auth.jwt.jwks_file: ${file} is no JSON Web Key Set`);
  }
}

function nameOf(payload: JWTPayload, path: string): string {
  const name = claim(payload, path);
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME && !/\p{Cc}/u.test(name)) return name;
  throw wrongCredentials(`The token has no name of its holder (claim ${path})`);
}

function roleOf(payload: JWTPayload, path: string): Caller['role'] {
  const given = claim(payload, path);
  // As `scope` (RFC 8693, 4.2) several words may stand in one text.
  const words = typeof given === 'string' ? given.split(' ') : Array.isArray(given) ? given : [];
  return highestRole(ROLES.filter((role) => words.includes(role)));
}

/** The claim at `path`: a claim of that very name, for names are often URLs, else the way along its dots. */
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
