import { RedfishError } from '../errors.ts';
import type { RawResponse } from '../wire/request.ts';
import { responseError } from '../wire/response.ts';
import { type Account, type AccountLogins, type Authorization, Refusal, wrongPassword } from './account.ts';

/** Returns the credentials as they go with a request by HTTP Basic (RFC 7617, in UTF-8). */
export function basicCredentials({ username, password }: Account): string {
  return Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
}

/** HTTP Basic with one account at one BMC (DSP0266, "HTTP Basic authentication"): every request is a login. */
export class BasicLogin {
  readonly #origin: string;
  readonly #account: Account;
  readonly #logins: AccountLogins;

  constructor(origin: string, account: Account, logins: AccountLogins) {
    this.#origin = origin;
    this.#account = account;
    this.#logins = logins;
  }

  /**
   * Authorizes one request. Until the password has proved right, the requests of all clients of this account are sent one at
   * a time: a wrong password must not be tried by all at once.
   * @param noSession see `Authorization.noSession`
   * @param waitMs the longest wait for the turn, in milliseconds
   * @throws kind `auth` when the password was refused; kind `busy` when the turn does not come; `signal.reason` when it fires
   */
  async authorize(noSession: RedfishError | null, waitMs: number, signal: AbortSignal): Promise<Authorization> {
    const logins = this.#logins;
    let release = () => {};
    if (!logins.basicProven) {
      const leave = await logins.turn(waitMs, signal);
      if (logins.basicProven) leave();
      else release = leave;
    }
    // Another request may be refused while this one waits for its turn or for a connection.
    const check = () => this.#throwIfRefused(noSession);
    try {
      check();
    } catch (error) {
      release();
      throw error;
    }
    const headers = { authorization: `Basic ${basicCredentials(this.#account)}` };
    return { kind: 'basic', headers, check, release, noSession };
  }

  /**
   * Evaluates the response to a request. Remembers a wrong password; where Basic is turned off, or replaces a session,
   * a 401 does not mean that the password is wrong, and the account may be used again as soon as the BMC offers a session.
   * @param open whether the request needs no credentials, so that success does not prove the password
   * @throws kind `auth` where the BMC does not accept Basic
   */
  judge({ noSession = null }: Authorization, raw: RawResponse, open: boolean): void {
    if (raw.status < 300 && !open) this.#logins.basicProven = true;
    if (raw.status !== 401) return;
    const offered = raw.headers['www-authenticate'];
    const off = offered !== undefined && !/\bbasic\b/i.test(offered);
    this.#logins.basicProven = false;
    if (noSession === null && !off) {
      this.#logins.refusal = wrongPassword(this.#account, this.#logins.now);
      return;
    }
    const url = this.#origin;
    const secrets = [this.#account.password, basicCredentials(this.#account)];
    const { extendedInfo } = responseError('GET', url, raw, secrets);
    const context = { status: 401, extendedInfo, url, cause: noSession ?? undefined };
    if (noSession === null) {
      const message = `The BMC does not accept Basic authentication (it offers ${offered}); set redfish_auth_type to auto or session`;
      throw new RedfishError('auth', message, context);
    }
    const why = off ? 'Basic authentication is turned off there' : 'it refuses Basic authentication as well';
    this.#logins.basicRefusal = new Refusal(why, this.#logins.now);
    throw new RedfishError('auth', noLogin(noSession, why), context);
  }

  #throwIfRefused(noSession: RedfishError | null): void {
    const { refusal, basicRefusal } = this.#logins;
    if (refusal?.inForce) throw refusal.error(this.#origin);
    if (noSession === null || !basicRefusal?.inForce) return;
    const { status, extendedInfo, url = this.#origin } = noSession;
    throw new RedfishError('auth', noLogin(noSession, basicRefusal.why), {
      status,
      extendedInfo,
      url,
      cause: noSession,
    });
  }
}

function noLogin(noSession: RedfishError, why: string): string {
  return `The BMC opened no session (${noSession.message}), and ${why}. Whether the password is right is unknown; the next call requests a session again`;
}
