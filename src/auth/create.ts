import type { AuthConfig } from '../config/authSettings.ts';
import { leastCallRole } from '../core/calls/callRules.ts';
import type { Logger } from '../core/logger.ts';
import { Access, noAuthenticator, type Refusal } from './access.ts';
import type { Authenticator } from './authenticator.ts';

/**
 * What the group `auth` describes. The code of the one type is loaded, and no other's.
 * @param auth checked: what its type needs is there
 * @param refused told of each who is not let in
 * @throws kind `failed_precondition`, with the key and the reason, when a file cannot be used
 */
export async function createAccess(
  auth: AuthConfig,
  log: Logger,
  refused?: (refusal: Refusal) => void,
): Promise<Access> {
  return new Access(await createAuthenticator(auth, log), leastCallRole(auth.rules), auth.type, refused);
}

async function createAuthenticator(
  { type, roles, keystone, jwt, ...auth }: AuthConfig,
  log: Logger,
): Promise<Authenticator> {
  switch (type) {
    case 'none':
      return noAuthenticator;
    case 'http_basic': {
      const { createHttpBasicAuthenticator } = await import('./httpBasic.ts');
      return createHttpBasicAuthenticator({ userFile: auth.http_basic_auth_user_file as string, roles, log });
    }
    case 'keystone': {
      const { createKeystoneAuthenticator } = await import('./keystone.ts');
      return createKeystoneAuthenticator({
        ...keystone,
        auth_url: keystone.auth_url as string,
        username: keystone.username as string,
        password: keystone.password as string,
        www_authenticate_uri: keystone.www_authenticate_uri ?? (keystone.auth_url as string),
        log,
      });
    }
    case 'jwt': {
      const { createJwtAuthenticator } = await import('./jwt.ts');
      return createJwtAuthenticator({ ...jwt, issuer: jwt.issuer as string, log });
    }
    case 'client_certificate': {
      const { createClientCertificateAuthenticator } = await import('./clientCertificate.ts');
      return createClientCertificateAuthenticator(roles);
    }
  }
}
