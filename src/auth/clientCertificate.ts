import type { Role } from '../core/caller.ts';
import { type Authenticator, isCallerName, noCredentials, wrongCredentials } from './authenticator.ts';

/**
 * Creates the authenticator for `auth.type: client_certificate`, which accepts certificates of `tls.client_ca_file`. The
 * caller's name is the first name in `roles`, from the subject alternative names and then the common name. A certificate
 * without such a name has no role and goes by its first name.
 */
export function createClientCertificateAuthenticator(roles: Readonly<Record<string, Role>>): Authenticator {
  return {
    challenge: null,
    authenticate({ certificate }) {
      if (certificate === null) throw noCredentials('a client certificate of a trusted CA');
      const names = [...certificate.alternativeNames, certificate.commonName].filter(isCallerName);
      const name = names.find((known) => Object.hasOwn(roles, known)) ?? names[0];
      if (name === undefined) throw wrongCredentials('The client certificate has no name: no SAN and no subject CN');
      return { name, role: Object.hasOwn(roles, name) ? (roles[name] ?? null) : null };
    },
    close: async () => {},
  };
}
