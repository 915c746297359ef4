import type { AuthConfig } from '../config/authSettings.ts';
import type { Logger } from '../core/logger.ts';
import { Access, noAuthenticator, type Refusal } from './access.ts';
import type { Authenticator } from './authenticator.ts';

/**
 * Creates the access control that the group `auth` describes; loads the code of that type only.
 * @param auth validated: the keys that its type requires are set
 * @param refused called for each refused request
 * @throws kind `failed_precondition`, with the key and the reason, when a file is unusable
 */
export async function createAccess(
  auth: AuthConfig,
  log: Logger,
  refused?: (refusal: Refusal) => void,
): Promise<Access> {
  return new Access(await createAuthenticator(auth, log), auth.type, refused);
}

async function createAuthenticator(
  { type, roles, default_role: defaultRole, keystone, jwt, ...auth }: AuthConfig,
  log: Logger,
): Promise<Authenticator> {
  switch (type) {
    case 'none':
      return noAuthenticator;
    case 'http_basic': {
      const { createHttpBasicAuthenticator } = await import('./httpBasic.ts');
      return createHttpBasicAuthenticator({
        userFile: auth.http_basic_auth_user_file as string,
        roles,
        defaultRole: defaultRole === 'none' ? null : defaultRole,
        log,
      });
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
