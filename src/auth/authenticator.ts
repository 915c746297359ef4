import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';

/** What a request brings along to prove who makes it, whatever the way in. */
export interface Credentials {
  /** The header `Authorization`; null when absent. */
  authorization: string | null;
  /** The header `X-Auth-Token`; null when absent. */
  authToken: string | null;
  /** Null when there is no TLS, the client gave no certificate, or no authority of `tls.client_ca_file` signed it. */
  certificate: ClientCertificate | null;
}

/** The names that a certificate was issued to. */
export interface ClientCertificate {
  /** The common name of the subject; null when it has none. */
  commonName: string | null;
  /** The subject alternative names of the kinds DNS, e-mail and URI, in the certificate's order. */
  alternativeNames: readonly string[];
}

/** Tells who callers are, in one of the ways of `auth.type`. */
export interface Authenticator {
  /**
   * Who brings `credentials`.
   * @throws kind `unauthenticated` when they prove nobody, `identity_unavailable` when that cannot be told now,
   *   `rate_limited` when too many wait to be told
   */
  authenticate(credentials: Credentials): Caller | Promise<Caller>;
  /** What `WWW-Authenticate` (RFC 9110, 11.6.1) tells the refused; null when there is no scheme of HTTP for it. */
  readonly challenge: string | null;
  /** Ends what runs beside: threads, watches of files. */
  close(): Promise<void>;
}

/** The refusal of a request that brought no credentials of the kind that is asked for. */
export function noCredentials(wanted: string): PassthruError {
  return new PassthruError('unauthenticated', `Authorization required: ${wanted}`);
}

/** The refusal of credentials that prove nobody. Never says which part is wrong, and repeats none. */
export function wrongCredentials(message: string): PassthruError {
  return new PassthruError('unauthenticated', message);
}

/**
 * The credentials of `scheme` in an Authorization header (RFC 9110, 11.4).
 * @throws kind `unauthenticated` when the header is absent, malformed or of another scheme
 */
export function schemeCredentials(authorization: string | null, scheme: 'Basic' | 'Bearer', wanted: string): string {
  const [, given, value] = /^\s*(\S+) +(\S+)\s*$/.exec(authorization ?? '') ?? [];
  if (given === undefined || value === undefined || given.toLowerCase() !== scheme.toLowerCase()) {
    throw noCredentials(wanted);
  }
  return value;
}
