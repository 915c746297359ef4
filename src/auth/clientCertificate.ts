import type { Role } from '../core/caller.ts';
import { type Authenticator, noCredentials, wrongCredentials } from './authenticator.ts';

/** The longest name of a caller, in characters. */
const MAX_NAME = 255;

/**
 * `auth.type: client_certificate`: whoever has a certificate of an authority in `tls.client_ca_file`. The caller is
 * called by the first of its names that `roles` lists, looked for among the subject alternative names and then the common
 * name; one of which no name is listed has no role and is called by the first.
 */
export function createClientCertificateAuthenticator(roles: Readonly<Record<string, Role>>): Authenticator {
  return {
    challenge: null,
    authenticate({ certificate }) {
      if (certificate === null) throw noCredentials('a client certificate of a trusted authority');
      const names = [...certificate.alternativeNames, certificate.commonName].filter(isName);
      const name = names.find((known) => Object.hasOwn(roles, known)) ?? names[0];
      if (name === undefined) throw wrongCredentials('The client certificate has no name: no SAN and no subject CN');
      return { name, role: Object.hasOwn(roles, name) ? (roles[name] ?? null) : null };
    },
    close: async () => {},
  };
}

function isName(name: string | null): name is string {
  return name !== null && name !== '' && name.length <= MAX_NAME && !/\p{Cc}/u.test(name);
}
