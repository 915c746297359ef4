import { RedfishError } from '../errors.ts';
import type { RawAnswer } from '../wire/request.ts';
import { answerError } from '../wire/response.ts';
import type { Account, Authorization } from './account.ts';
import { type AccountLogins, refusalNow, refusedError, wrongPassword } from './loginCache.ts';

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
   * Authorizes one request. Until the password has proved right, one is under way at a time, of whatever client of this
   * account: a wrong one must not be tried by all at once.
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
    // It may have been refused to another while this request waited for its turn, or waits for a connection.
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
   * Learns from the response to a request. A wrong password, which is remembered, is told apart from Basic that is turned
   * off or a mere stand-in for a session: there a 401 says nothing of the password, and the account may be used again as
   * soon as the BMC has a session to give.
   * @param open whether the BMC serves this request to anyone, so that a success says nothing of the password
   * @throws kind `auth` where the BMC takes no Basic
   */
  judge({ noSession = null }: Authorization, raw: RawAnswer, open: boolean): void {
    if (raw.status < 300 && !open && !this.#logins.basicProven) this.#logins.basicProven = true;
    if (raw.status !== 401) return;
    const offered = raw.headers['www-authenticate'];
    const off = offered !== undefined && !/\bbasic\b/i.test(offered);
    if (noSession === null && !off) {
      this.#logins.remember(wrongPassword(this.#account));
      return;
    }
    const url = this.#origin;
    const { password } = this.#account;
    const { extendedInfo } = answerError('GET', url, raw, [password, basicCredentials(this.#account)]);
    const context = { status: 401, extendedInfo, url, cause: noSession ?? undefined };
    if (noSession === null) {
      const message = `The BMC does not accept Basic authentication (it offers ${offered}); set redfish_auth_type to auto or session`;
      throw new RedfishError('auth', message, context);
    }
    const why = off ? 'Basic authentication is turned off there' : 'it refuses Basic authentication as well';
    this.#logins.rememberBasic(refusalNow(why));
    throw new RedfishError('auth', noLogin(noSession, why), context);
  }

  #throwIfRefused(noSession: RedfishError | null): void {
    const wrong = this.#logins.refusal();
    if (wrong !== null) throw refusedError(wrong, this.#origin);
    const refusal = this.#logins.basicRefusal();
    if (noSession === null || refusal === null) return;
    const { status, extendedInfo, url = this.#origin } = noSession;
    throw new RedfishError('auth', noLogin(noSession, refusal.why), { status, extendedInfo, url, cause: noSession });
  }
}

function noLogin(noSession: RedfishError, why: string): string {
  return `The BMC opened no session (${noSession.message}), and ${why}. Whether the password is right is unknown; the next call requests a session again`;
}
