import { PassthruError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';

/** The service's own account at Keystone, under the names of `[keystone_authtoken]`. */
export interface KeystoneAccount {
  /** For example `https://keystone.example:5000`, with or without `/v3`. */
  auth_url: string;
  username: string;
  password: string;
  user_domain_name: string;
  /** Null for a token of the system's scope. */
  project_name: string | null;
  project_domain_name: string;
}

/** How long Keystone may take to answer, in milliseconds. */
const TIMEOUT = 10_000;
/** A token of the service's own is renewed so long before it ends, in milliseconds. */
const RENEW_AHEAD = 60_000;

/** Asks Keystone's Identity API v3 whose a token is, with a token of its own that it renews. */
export class KeystoneClient {
  readonly #account: KeystoneAccount;
  readonly #tokens: string;
  #own: { token: string; renewAt: number } | null = null;
  #signingOn: Promise<string> | null = null;

  constructor(account: KeystoneAccount) {
    this.#account = account;
    this.#tokens = `${account.auth_url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
  }

  /**
   * What Keystone says of `subject` (GET /v3/auth/tokens): the object `token`; null when it is none, has ended or was
   * revoked.
   * @throws kind `identity_unavailable` when Keystone cannot be reached, fails, or refuses the service's own account
   */
  async validate(subject: string): Promise<JsonObject | null> {
    for (const renewed of [false, true]) {
      const own = await this.#ownToken();
      const answer = await this.#send('GET', `${this.#tokens}?nocatalog`, {
        'X-Auth-Token': own,
        'X-Subject-Token': subject,
      });
      if (answer.status === 200) return tokenOf(await json(answer));
      await discard(answer);
      if (answer.status === 404) return null;
      // Revoked, or of a Keystone that has changed its keys: once more with another.
      if (answer.status !== 401 || renewed) {
        throw unavailable(`Keystone answered ${answer.status} to the check of a token`);
      }
      if (this.#own?.token === own) this.#own = null;
    }
    throw unavailable('Keystone refuses the tokens of the service');
  }

  #ownToken(): Promise<string> | string {
    if (this.#own !== null && Date.now() < this.#own.renewAt) return this.#own.token;
    this.#signingOn ??= this.#signOn().finally(() => {
      this.#signingOn = null;
    });
    return this.#signingOn;
  }

  async #signOn(): Promise<string> {
    const { username, password, user_domain_name, project_name, project_domain_name } = this.#account;
    const user = { name: username, domain: { name: user_domain_name }, password };
    const scope =
      project_name === null
        ? { system: { all: true } }
        : { project: { name: project_name, domain: { name: project_domain_name } } };
    const body = { auth: { identity: { methods: ['password'], password: { user } }, scope } };
    const headers = { 'Content-Type': 'application/json' };
    const answer = await this.#send('POST', `${this.#tokens}?nocatalog`, headers, JSON.stringify(body));
    const token = answer.headers.get('x-subject-token');
    if (answer.status !== 201 || token === null) {
      await discard(answer);
      throw unavailable(`Keystone answered ${answer.status} to the sign-on of the service`);
    }
    this.#own = { token, renewAt: expiryOf(tokenOf(await json(answer))) - RENEW_AHEAD };
    return token;
  }

  async #send(method: string, url: string, headers: Record<string, string>, body?: string): Promise<Response> {
    try {
      // A token is not to follow a redirect to somewhere else.
      return await fetch(url, { method, headers, body, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
    } catch (error) {
      throw unavailable('Keystone cannot be reached', error);
    }
  }
}

/** When a token ends, in milliseconds since the epoch. */
export function expiryOf(token: JsonObject): number {
  const expires = typeof token.expires_at === 'string' ? Date.parse(token.expires_at) : Number.NaN;
  if (Number.isNaN(expires)) throw unavailable('Keystone answered a token without an end');
  return expires;
}

function tokenOf(answer: Json): JsonObject {
  if (isJsonObject(answer) && isJsonObject(answer.token)) return answer.token;
  throw unavailable('Keystone answered what is no token');
}

async function json(answer: Response): Promise<Json> {
  try {
    return (await answer.json()) as Json;
  } catch (error) {
    throw unavailable('Keystone answered what is no JSON', error);
  }
}

/** Frees the connection of an answer that nobody reads. */
async function discard(answer: Response): Promise<void> {
  await answer.body?.cancel().catch(() => {});
}

function unavailable(what: string, cause?: unknown): PassthruError {
  return new PassthruError('identity_unavailable', `${what}; who calls cannot be told now.`, { cause });
}
