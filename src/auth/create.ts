import type { AuthConfig } from '../config/authSettings.ts';
import { leastCallRole } from '../core/callRules.ts';
import type { Logger } from '../core/logger.ts';
import { Access } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import { createClientCertificateAuthenticator } from './clientCertificate.ts';
import { createHttpBasicAuthenticator } from './httpBasic.ts';
import { createJwtAuthenticator } from './jwt.ts';
import { createKeystoneAuthenticator } from './keystone.ts';
import { noAuthenticator } from './none.ts';

/**
 * What the group `auth` describes.
 * @param auth checked: what its type needs is there
 * @throws kind `failed_precondition`, with the key and the reason, when a file cannot be used
 */
export function createAccess(auth: AuthConfig, log: Logger): Access {
  return new Access(createAuthenticator(auth, log), leastCallRole(auth.rules), auth.type);
}

function createAuthenticator({ type, roles, keystone, jwt, ...auth }: AuthConfig, log: Logger): Authenticator {
  switch (type) {
    case 'none':
      return noAuthenticator;
    case 'http_basic':
      return createHttpBasicAuthenticator({ userFile: auth.http_basic_auth_user_file as string, roles, log });
    case 'keystone':
      return createKeystoneAuthenticator({
        ...keystone,
        auth_url: keystone.auth_url as string,
        username: keystone.username as string,
        password: keystone.password as string,
        www_authenticate_uri: keystone.www_authenticate_uri ?? (keystone.auth_url as string),
        log,
      });
    case 'jwt':
      return createJwtAuthenticator({ ...jwt, issuer: jwt.issuer as string, log });
    case 'client_certificate':
      return createClientCertificateAuthenticator(roles);
  }
}
