import { passwordOf } from '../auth/users.ts';

/** The user's name; the password is the name reversed. */
export const USER = 'cisab-401-rekram';

/** The planted secrets; each names its place in the message of a failure. */
export const MARKERS = {
  basic: passwordOf(USER),
  wrongBasic: 'marker-102-wrong-basic',
  redfish: 'marker-103-redfish',
  leaky: 'marker-104-leaky\'"<&',
  header: 'marker-105-http-header',
  bearer: 'marker-106-bearer',
  discover: 'marker-107-discover',
  query: 'marker-108-query',
  body: 'marker-109-body',
  metadata: 'marker-110-metadata',
  argument: 'marker-111-argument',
  keystone: 'marker-112-keystone',
  postgres: 'marker-113-postgres',
  keyFile: 'marker-114-key-file',
  instance: 'marker-115-instance-info',
  cookie: 'marker-116-cookie',
  wrongRedfish: 'marker-117-wrong-redfish',
  idempotency: 'marker-118-idempotency',
  declared: 'marker-119-declared-by-its-driver',
  userInfo: 'marker-120-user-info',
  imageUser: 'marker-131-image-user',
  imagePassword: 'marker-132-image-password',
} as const;
const { idempotency: _, ...PLANTED } = MARKERS;
const SECRETS: Record<string, string> = { ...PLANTED };

/** Searches for `secret`, which the service made itself, from now on. */
export function searchFor(name: string, secret: string): void {
  SECRETS[name] = secret;
}

/** Returns the secrets in `bytes`, with their form. */
export function found(bytes: string | Buffer): string[] {
  const hay = Buffer.from(bytes);
  return Object.entries(SECRETS).flatMap(([name, secret]) => {
    const forms = {
      plain: secret,
      upper: secret.toUpperCase(),
      within: Buffer.from(`u:${secret}`).toString('base64').slice(4, -4),
      json: JSON.stringify(secret).slice(1, -1),
      url: encodeURIComponent(secret),
      base64: Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      hex: Buffer.from(secret).toString('hex'),
    };
    return Object.entries(forms).flatMap(([form, text]) => {
      const at = hay.indexOf(text);
      return at < 0 ? [] : [`${name} (${form}): …${hay.subarray(Math.max(0, at - 200), at + text.length + 40)}…`];
    });
  });
}
