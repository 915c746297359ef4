// The session: who uses the console, and how its requests say so.

/** How a service asks its callers to authenticate (`auth.type`). */
export type Scheme = 'basic' | 'keystone' | 'bearer' | 'certificate';

/** A header with the credentials, as each request sends it. */
export interface Credentials {
  scheme: Exclude<Scheme, 'certificate'>;
  header: 'Authorization' | 'X-Auth-Token';
  value: string;
}

/** Where a reload finds the credentials again. It ends with the tab, and no other tab sees it. */
const KEY = 'passthru.credentials';

export function basicCredentials(user: string, password: string): Credentials {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  const value = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  return { scheme: 'basic', header: 'Authorization', value };
}

export function tokenCredentials(scheme: 'keystone' | 'bearer', token: string): Credentials {
  // A pasted token often ends in a line break, which no header may contain.
  const text = token.trim();
  return scheme === 'keystone'
    ? { scheme, header: 'X-Auth-Token', value: text }
    : { scheme, header: 'Authorization', value: `Bearer ${text}` };
}

/** Returns the scheme that a `WWW-Authenticate` header asks for. Without one, only a client certificate is left. */
export function schemeOf(challenge: string | null): Scheme {
  if (challenge === null) return 'certificate';
  if (/^basic\b/i.test(challenge)) return 'basic';
  return /^keystone\b/i.test(challenge) ? 'keystone' : 'bearer';
}

export function rememberCredentials(credentials: Credentials): void {
  sessionStorage.setItem(KEY, JSON.stringify(credentials));
}

export function forgetCredentials(): void {
  sessionStorage.removeItem(KEY);
}

export function rememberedCredentials(): Credentials | null {
  const text = sessionStorage.getItem(KEY);
  return text === null ? null : (JSON.parse(text) as Credentials);
}
