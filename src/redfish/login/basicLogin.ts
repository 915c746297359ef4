import { redact, redactText } from '../../core/redaction.ts';
import { RedfishError } from '../errors.ts';
import { loginVerdict } from '../wire/meaning.ts';
import { cut, wordsOf } from '../wire/messages.ts';
import type { RawResponse } from '../wire/request.ts';
import { type Account, type AccountLogins, type Authorization, wrongPassword } from './account.ts';

/** Returns the credentials as they go with a request by HTTP Basic (RFC 7617, in UTF-8). */
export function basicCredentials({ username, password }: Account): string {
  return Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
}

/** Returns the error of a refused login, with what the BMC says. */
export function refusedLogin(why: string, url: string, raw: RawResponse, secrets: readonly string[]): RedfishError {
  const { text, extendedInfo } = wordsOf(raw);
  const said = cut(redactText(text, secrets));
  const context = { status: raw.status, extendedInfo: redact(extendedInfo, secrets), url };
  return new RedfishError('auth', said === '' ? why : `${why}: ${said}`, context);
}

/** HTTP Basic with one account at one BMC (DSP0266, "HTTP Basic authentication"): every request is a login. */
export class BasicLogin {
  readonly #origin: string;
  readonly #account: Account;
  readonly #logins: AccountLogins;
  readonly #guessed: boolean;

  constructor(origin: string, account: Account, logins: AccountLogins, guessed: boolean) {
    this.#origin = origin;
    this.#account = account;
    this.#logins = logins;
    this.#guessed = guessed;
  }

  /**
   * Authorizes one request. Until the password has proved right, the requests of all clients of this account are sent one at
   * a time: a wrong password must not be tried by all at once.
   * @param noSession see `Authorization.noSession`
   * @param waitMs the longest wait for the turn, in milliseconds
   * @throws kind `auth` when Basic was refused; kind `busy` when the turn does not come; `signal.reason` when it fires
   */
  async authorize(noSession: RedfishError | null, waitMs: number, signal: AbortSignal): Promise<Authorization> {
    const logins = this.#logins;
    let release = () => {};
    if (!logins.basicProven) {
      const leave = await logins.turn(waitMs, signal, this.#guessed);
      if (logins.basicProven) leave();
      else release = leave;
    }
    // Another request may be refused while this one waits for its turn or for a connection.
    const check = () => this.throwIfRefused(noSession);
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
   * Evaluates the response to a request. Remembers that the BMC refuses Basic; only when it refused a session too, or no
   * session was asked for, does the password count as wrong.
   * @param open whether the request needs no credentials, so that success does not prove the password
   * @throws kind `auth` when Basic was refused
   */
  judge({ noSession = null }: Authorization, raw: RawResponse, open: boolean): void {
    if (raw.status < 300 && !open) this.#logins.basicProven = true;
    if (!this.#isRefused(raw)) return;
    const offered = raw.status === 401 ? raw.headers['www-authenticate'] : undefined;
    const off = offered !== undefined && !/\bbasic\b/i.test(offered);
    const url = this.#origin;
    const secrets = [this.#account.password, basicCredentials(this.#account)];
    const refuse = (why: string) => refusedLogin(this.#logins.refuse('basic', why).why, url, raw, secrets);
    if (this.#logins.refusal('session') !== null) throw refuse(wrongPassword(this.#account, 'session', 'basic'));
    if (noSession === null && !off) throw refuse(wrongPassword(this.#account, 'basic'));
    this.#logins.basicProven = false;
    if (noSession === null) {
      const message = `The BMC does not accept Basic authentication (it offers ${offered}); set redfish_auth_type to auto or session`;
      throw refusedLogin(message, url, raw, secrets);
    }
    const { status, extendedInfo } = refuse(
      `The BMC refuses Basic authentication of account ${this.#account.username}`,
    );
    const context = { status, extendedInfo, url, cause: noSession };
    throw new RedfishError('auth', noLogin(noSession, off ? OFF : REFUSED), context);
  }

  /** Whether the BMC refused the login itself: by 401, or, before Basic has ever proved right, by 400 or 403 in any words. */
  #isRefused(raw: RawResponse): boolean {
    if (raw.status === 401) return true;
    if (this.#logins.basicProven || ![400, 403].includes(raw.status)) return false;
    const verdict = loginVerdict(raw);
    if (verdict === 'accepted') this.#logins.basicProven = true;
    return (
      verdict === 'refused' ||
      verdict === 'silent' ||
      (verdict === 'unclear' && this.#logins.refusal('session') !== null)
    );
  }

  /** @throws kind `auth` while a refusal of Basic is in force */
  throwIfRefused(noSession: RedfishError | null): void {
    const refusal = this.#logins.refusal('basic');
    if (refusal === null) return;
    if (this.#logins.refusal('session') !== null) {
      throw refusal.error(this.#origin, wrongPassword(this.#account, 'session', 'basic'));
    }
    if (noSession === null) throw refusal.error(this.#origin);
    const { status, extendedInfo, url = this.#origin } = noSession;
    const context = { status, extendedInfo, url, cause: noSession };
    throw new RedfishError('auth', noLogin(noSession, REFUSED), context);
  }
}

const REFUSED = 'it refuses Basic authentication as well';
const OFF = 'Basic authentication is turned off there';

function noLogin(noSession: RedfishError, why: string): string {
  return `The BMC opened no session (${noSession.message}), and ${why}. Whether the password is right is unknown; the next call requests a session again`;
}
