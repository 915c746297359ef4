import type { AuthConfig } from '../config/authSettings.ts';
import { PassthruError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';

/** The service's own account at Keystone: keys of `auth.keystone`, named as in `[keystone_authtoken]`. */
type KeystoneAccount = Record<'auth_url' | 'username' | 'password', string> &
  Pick<AuthConfig['keystone'], 'user_domain_name' | 'project_name' | 'project_domain_name'>;

/** Request timeout in ms. */
const TIMEOUT = 10_000;
/** How long before its expiry the service's own token is renewed, in ms. */
const RENEW_AHEAD = 60_000;

/** Validates tokens by Keystone's Identity API v3, with a token of the service's own that it renews. */
export class KeystoneClient {
  readonly #account: KeystoneAccount;
  readonly #tokens: string;
  #ownToken: { token: string; renewAt: number } | null = null;
  #logIn: Promise<string> | null = null;

  constructor(account: KeystoneAccount) {
    this.#account = account;
    this.#tokens = `${account.auth_url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
  }

  /**
   * Returns the object `token` that Keystone has for `subject` (GET /v3/auth/tokens); null when it is unknown, expired or
   * revoked.
   * @throws kind `identity_unavailable` when Keystone is unreachable, fails, or refuses the service's own account
   */
  async validate(subject: string): Promise<JsonObject | null> {
    for (const renewed of [false, true]) {
      const ownToken = await this.#getOwnToken();
      const response = await this.#send('GET', `${this.#tokens}?nocatalog`, {
        'X-Auth-Token': ownToken,
        'X-Subject-Token': subject,
      });
      if (response.status === 200) return tokenOf(await json(response));
      await discard(response);
      if (response.status === 404) return null;
      // The own token was revoked, or Keystone rotated its keys: retry once with a new one.
      if (response.status !== 401 || renewed) {
        throw unavailable(`Keystone responded ${response.status} to a token validation`);
      }
      if (this.#ownToken?.token === ownToken) this.#ownToken = null;
    }
    throw unavailable('Keystone refused the token of the service');
  }

  #getOwnToken(): Promise<string> | string {
    if (this.#ownToken !== null && Date.now() < this.#ownToken.renewAt) return this.#ownToken.token;
    this.#logIn ??= this.#requestToken().finally(() => {
      this.#logIn = null;
    });
    return this.#logIn;
  }

  async #requestToken(): Promise<string> {
    const { username, password, user_domain_name, project_name, project_domain_name } = this.#account;
    const user = { name: username, domain: { name: user_domain_name }, password };
    const scope =
      project_name === null
        ? { system: { all: true } }
        : { project: { name: project_name, domain: { name: project_domain_name } } };
    const body = { auth: { identity: { methods: ['password'], password: { user } }, scope } };
    const headers = { 'Content-Type': 'application/json' };
    const response = await this.#send('POST', `${this.#tokens}?nocatalog`, headers, JSON.stringify(body));
    const token = response.headers.get('x-subject-token');
    if (response.status !== 201 || token === null) {
      await discard(response);
      throw unavailable(`Keystone responded ${response.status} to the login of the service`);
    }
    this.#ownToken = { token, renewAt: expiryOf(tokenOf(await json(response))) - RENEW_AHEAD };
    return token;
  }

  async #send(method: string, url: string, headers: Record<string, string>, body?: string): Promise<Response> {
    try {
      // A redirect could send the token elsewhere.
      return await fetch(url, { method, headers, body, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
    } catch (error) {
      throw unavailable('Keystone is unreachable', error);
    }
  }
}

/** Returns when a token expires, in ms since the epoch. */
export function expiryOf(token: JsonObject): number {
  const expires = typeof token.expires_at === 'string' ? Date.parse(token.expires_at) : Number.NaN;
  if (Number.isNaN(expires)) throw unavailable('Keystone returned a token without expiry');
  return expires;
}

function tokenOf(response: Json): JsonObject {
  if (isJsonObject(response) && isJsonObject(response.token)) return response.token;
  throw unavailable('Keystone returned no token');
}

async function json(response: Response): Promise<Json> {
  try {
    return (await response.json()) as Json;
  } catch (error) {
    throw unavailable('Keystone returned invalid JSON', error);
  }
}

/** Discards the body, which frees the connection. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

function unavailable(what: string, cause?: unknown): PassthruError {
  return new PassthruError('identity_unavailable', `${what}; callers cannot be authenticated now.`, { cause });
}
