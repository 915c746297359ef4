import type { AuthType } from '../../config/authSettings.ts';
import type { Schema } from './description.ts';

/** How callers prove who they are, as OpenAPI words it, by `auth.type`. */
export const SECURITY_SCHEMES: Readonly<Record<Exclude<AuthType, 'none'>, Readonly<Record<string, Schema>>>> = {
  http_basic: { basic: { type: 'http', scheme: 'basic' } },
  keystone: { keystone: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
  jwt: { jwt: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
  client_certificate: { certificate: { type: 'mutualTLS' } },
};
