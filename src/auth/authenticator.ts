import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';

/** The credentials of a request, over any protocol. */
export interface Credentials {
  /** The header `Authorization`; null when absent. */
  authorization: string | null;
  /** The header `X-Auth-Token`; null when absent. */
  authToken: string | null;
  /** Null without TLS, without a client certificate, or if none of `tls.client_ca_file` signed it. */
  certificate: ClientCertificate | null;
}

/** The names in a client certificate. */
export interface ClientCertificate {
  /** The subject's common name; null when it has none. */
  commonName: string | null;
  /** The subject alternative names of types DNS, email and URI, in the certificate's order. */
  alternativeNames: readonly string[];
}

/** Authenticates callers by one `auth.type`. */
export interface Authenticator {
  /**
   * Returns the caller with `credentials`.
   * @throws kind `unauthenticated` when they are missing or invalid, `identity_unavailable` when they cannot be checked
   *   now, `rate_limited` when too many wait to be checked
   */
  authenticate(credentials: Credentials): Caller | Promise<Caller>;
  /** The value of `WWW-Authenticate` (RFC 9110, 11.6.1); null when no HTTP scheme applies. */
  readonly challenge: string | null;
  /** Stops threads and file watches. */
  close(): Promise<void>;
}

/** Whether `name` can be a caller's: a text of 1 to 255 characters, none a control character. */
export function isCallerName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= 255 && !/\p{Cc}/u.test(name);
}

/** Returns the error for a request without credentials of the `required` kind. */
export function noCredentials(required: string): PassthruError {
  return new PassthruError('unauthenticated', `Authorization required: ${required}`);
}

/** Returns the error for invalid credentials; `message` must not say which part is wrong, nor repeat any. */
export function wrongCredentials(message: string): PassthruError {
  return new PassthruError('unauthenticated', message);
}

/**
 * Returns the credentials of `scheme` from an Authorization header (RFC 9110, 11.4).
 * @throws kind `unauthenticated` when the header is absent, malformed or of another scheme
 */
export function schemeCredentials(authorization: string | null, scheme: 'Basic' | 'Bearer', required: string): string {
  const [, given, value] = /^\s*(\S+) +(\S+)\s*$/.exec(authorization ?? '') ?? [];
  if (given === undefined || value === undefined || given.toLowerCase() !== scheme.toLowerCase()) {
    throw noCredentials(required);
  }
  return value;
}
