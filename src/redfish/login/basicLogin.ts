import { RedfishError } from '../errors.ts';
import type { RawAnswer } from '../wire/request.ts';
import { answerError } from '../wire/response.ts';
import type { Account, BasicAuthorization, SendWith } from './account.ts';
import { type AccountLogIns, refusalNow, refusedError, wrongPassword } from './loginCache.ts';

/** The credentials as they go with a request by HTTP Basic (RFC 7617, in UTF-8). */
export function basicCredentials({ username, password }: Account): string {
  return Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
}

/** HTTP Basic with one account at one BMC (DSP0266, "HTTP Basic authentication"): every request is a log-in. */
export class BasicLogIn {
  readonly #origin: string;
  readonly #account: Account;
  readonly #logIns: AccountLogIns;

  constructor(origin: string, account: Account, logIns: AccountLogIns) {
    this.#origin = origin;
    this.#account = account;
    this.#logIns = logIns;
  }

  /** @param noSession why the BMC opened no session, when Basic stands in for one this once; null when Basic is all there is */
  authorization(noSession: RedfishError | null): BasicAuthorization {
    return { kind: 'basic', headers: { authorization: `Basic ${basicCredentials(this.#account)}` }, noSession };
  }

  /**
   * Sends a request. Until the password has proved right, one goes at a time, with whatever conversation of this account:
   * a wrong one must not be tried by all at once.
   * @param open whether the BMC answers this request to anyone, so that the answer says nothing of the password
   * @param waitMs milliseconds to wait for those before at most
   * @throws what `send` throws; kind `auth` where the BMC takes no Basic, and when the password was refused meanwhile;
   *   kind `busy` when the turn does not come; `signal.reason` when it fires while waiting for the turn
   */
  async send(
    authorization: BasicAuthorization,
    open: boolean,
    send: SendWith,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<RawAnswer> {
    const logIns = this.#logIns;
    // It may have been refused to another while this request waited for its turn or for a connection.
    const check = () => this.#throwIfRefused(authorization);
    const sendOnce = async () => {
      check();
      const raw = await send(authorization, check);
      if (raw.status === 401) this.#judge(authorization, raw);
      else if (raw.status < 300 && !open && !logIns.basicProven) logIns.basicProven = true;
      return raw;
    };
    if (logIns.basicProven) return sendOnce();
    const first = await logIns.inTurn(async () => (logIns.basicProven ? null : sendOnce()), waitMs, signal);
    return first ?? sendOnce();
  }

  /**
   * Tells a wrong password, which is remembered, from Basic that is turned off or is a mere stand-in for a session: there a
   * 401 says nothing of the password, and the account may be used again as soon as the BMC has a session to give.
   * @throws kind `auth` for the latter
   */
  #judge({ noSession }: BasicAuthorization, raw: RawAnswer): void {
    const offered = raw.headers['www-authenticate'];
    const off = offered !== undefined && !/\bbasic\b/i.test(offered);
    if (noSession === null && !off) {
      this.#logIns.remember(wrongPassword(this.#account));
      return;
    }
    const url = this.#origin;
    const { password } = this.#account;
    const { extendedInfo } = answerError('GET', url, raw, [password, basicCredentials(this.#account)]);
    const context = { status: 401, extendedInfo, url, cause: noSession ?? undefined };
    if (noSession === null) {
      const message = `The BMC takes no Basic authentication (it offers ${offered}); set redfish_auth_type to auto or session`;
      throw new RedfishError('auth', message, context);
    }
    const why = off ? 'Basic authentication is turned off there' : 'it refuses Basic authentication as well';
    this.#logIns.rememberBasic(refusalNow(why));
    throw new RedfishError('auth', noWayIn(noSession, why), context);
  }

  #throwIfRefused({ noSession }: BasicAuthorization): void {
    const wrong = this.#logIns.refusal();
    if (wrong !== null) throw refusedError(wrong, this.#origin);
    const refusal = this.#logIns.basicRefusal();
    if (noSession === null || refusal === null) return;
    const { status, extendedInfo, url = this.#origin } = noSession;
    throw new RedfishError('auth', noWayIn(noSession, refusal.why), { status, extendedInfo, url, cause: noSession });
  }
}

function noWayIn(noSession: RedfishError, why: string): string {
  return `The BMC opened no session (${noSession.message}), and ${why}. Whether the password is right is not known; a session is asked for again at the next call`;
}
