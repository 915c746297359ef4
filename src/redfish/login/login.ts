// The login: sessions and Basic authentication, and the memory of wrong passwords.
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import type { CallTranscript } from '../transcript/callTranscript.ts';
import { deliver, type RequestLimits, type Transport } from '../wire/delivery.ts';
import { loginVerdict, meansEndedSession, meansNoSessionLeft, meansNoSessionService } from '../wire/meaning.ts';
import type { RawResponse } from '../wire/request.ts';
import { readResponse, responseError } from '../wire/response.ts';
import {
  type Account,
  type AccountLogins,
  ANONYMOUS,
  type Authorization,
  type AuthType,
  type CallLogin,
  wrongPassword,
} from './account.ts';
import { BasicLogin, basicCredentials, refusedLogin } from './basicLogin.ts';
import { OrphanedSessions } from './orphanedSessions.ts';
import { deleteSession, endOrphaned, type OpenSession, sessionPaths, TIDY_LIMITS } from './tidySession.ts';

/** The place of the session collection. */
export interface SessionsPlace {
  path: string;
  /** False when the service root shows neither sessions nor a SessionService; then `path` is a guess. */
  linked: boolean;
  /** Whether the service root could not be read now, so that `path` may be wrong. */
  guessed: boolean;
}

/**
 * Finds the session collection.
 * @param lost whether a session was lost, so that the BMC may have changed
 */
type FindSessions = (lost: boolean, limits: RequestLimits, signal: AbortSignal) => Promise<SessionsPlace>;

/** Time limit for closing, even with a BMC that hangs, in ms. */
const CLOSE_TIMEOUT_MS = 5000;
const CLOSED = 'The client of this BMC was closed';

/**
 * Whether the account is logged in: by a session, or each time by Basic. `none`: it has no credentials; `refused`: the BMC has
 * refused them lately; `closed`: it is not.
 */
export type LoginState = 'none' | 'session' | 'basic' | 'refused' | 'closed';

/** The result of a login: an open session, or Basic and why. */
type LoggedIn = { kind: 'session'; session: OpenSession } | { kind: 'basic'; noSession: RedfishError | null };

/**
 * The login of one account at one BMC, shared by all callers: BMCs allow few sessions, which outlive their owner.
 * Redfish DSP0266, "Session login authentication" and "HTTP Basic authentication".
 */
export class Login {
  readonly #transport: Transport;
  readonly #account: Account;
  readonly #logins: AccountLogins;
  readonly #basic: BasicLogin;
  readonly #findSessions: FindSessions;
  readonly #guessed: boolean;
  #open: OpenSession | null = null;
  #loggingIn: Promise<LoggedIn> | null = null;
  /** Set once the BMC has shown that it has no session service, or that it refuses sessions and takes Basic. */
  #basicOnly: boolean;
  /** Whether `#basicOnly` was set because Basic has proved right, and ends when that is refused too. */
  #basicProven = false;
  /** Fires when the login is closed and takes too long. */
  readonly #stop = new AbortController();
  #closed = false;
  /** Set when the BMC no longer knew the session, until the next login. */
  #lost = false;
  readonly #orphaned = new OrphanedSessions();
  /** The place of the last login. */
  #place: SessionsPlace | null = null;

  /** @param guessed whether a caller gave the credentials, rather than a node */
  constructor(
    transport: Transport,
    account: Account,
    logins: AccountLogins,
    guessed: boolean,
    findSessions: FindSessions,
  ) {
    this.#transport = transport;
    this.#account = account;
    this.#logins = logins;
    this.#basic = new BasicLogin(transport.connections.origin, account, logins, guessed);
    this.#guessed = guessed;
    this.#findSessions = findSessions;
    this.#basicOnly = account.authType === 'basic';
  }

  /** The credentials and the token, which errors must not show though the BMC may quote them. */
  get secrets(): string[] {
    const { username, password } = this.#account;
    return [password, username === null ? '' : basicCredentials(this.#account), this.#open?.token ?? ''];
  }

  get authType(): AuthType {
    return this.#account.authType;
  }

  get state(): LoginState {
    if (this.#account.username === null) return 'none';
    if (this.#open !== null) return 'session';
    const { authType } = this.#account;
    const noSession = this.#basicOnly || this.#logins.refusal('session') !== null;
    if (noSession && (authType === 'session' || this.#logins.refusal('basic') !== null)) return 'refused';
    return noSession ? 'basic' : 'closed';
  }

  /**
   * Logs in when there is no session. Concurrent callers share one login.
   * @throws kind `auth` when the BMC refuses the login, or has refused it to any caller within the last five minutes, by each
   *   way that `authType` allows; whatever `deliver` throws; `signal.reason` when it fires
   */
  async logIn(limits: RequestLimits, signal: AbortSignal, call: CallLogin): Promise<void> {
    if (this.#account.username !== null) await this.#loggedIn(limits, signal, call);
  }

  /**
   * Authorizes one request; logs in when there is no session. Judge the response, then release the authorization.
   * @throws whatever `logIn` and `BasicLogin.authorize` throw
   */
  async authorize(limits: RequestLimits, signal: AbortSignal, call: CallLogin): Promise<Authorization> {
    signal.throwIfAborted();
    if (this.#account.username === null) return ANONYMOUS;
    const kept = this.#open !== null;
    const loggedIn = await this.#loggedIn(limits, signal, call);
    if (loggedIn.kind === 'basic') return this.#basic.authorize(loggedIn.noSession, limits.timeoutMs, signal);
    return { ...ANONYMOUS, kind: 'session', headers: { 'x-auth-token': loggedIn.session.token }, kept };
  }

  /**
   * Evaluates the response to a request: drops a session that has ended, remembers a refusal of Basic.
   * @param open whether the request needs no credentials
   * @returns whether the session had ended or is in doubt, so that nothing was done and the request may be repeated
   * @throws kind `auth` when the BMC refuses Basic
   */
  judge(authorization: Authorization, raw: RawResponse, open: boolean): boolean {
    if (authorization.kind === 'basic') this.#judgeBasic(authorization, raw, open);
    if (authorization.kind !== 'session') return false;
    const isNew = authorization.kept === false;
    // A session ends by the BMC's timeout, by its restart, or because someone deletes it. Nothing was done then.
    if (meansEndedSession(raw)) {
      // One that was refused as soon as it was opened may still be there.
      if (this.#drop(authorization, isNew)) {
        this.#lost = true;
        this.#orphaned.clear();
      }
      return true;
    }
    // Whether it is the session or the right that is missing, a 403 tells in its body.
    if (raw.status !== 403 || !raw.cut || isNew) return false;
    this.#drop(authorization, true);
    return true;
  }

  /**
   * Drops the session of a request whose connection broke without a status, or that was redirected to a page of the web
   * server, if it was opened for an earlier request: so some BMCs treat a session that they do not know any more.
   * @returns whether the session is in doubt, so that a read, and what was redirected, may be sent once more with a new one
   */
  doubt(authorization: Authorization, error: unknown): boolean {
    if (authorization.kind !== 'session' || authorization.kept === false) return false;
    if (!(error instanceof RedfishError) || !(error.reset || error.strayed)) return false;
    this.#drop(authorization, true);
    return true;
  }

  /** Drops the session of `authorization`. Returns false when another caller has logged in again already. */
  #drop({ headers }: Authorization, mayBeThere: boolean): boolean {
    const open = this.#open;
    if (open === null || open.token !== headers['x-auth-token']) return false;
    this.#open = null;
    if (mayBeThere && open.resource !== null) this.#orphaned.addSession(open.resource.path);
    return true;
  }

  #judgeBasic(authorization: Authorization, raw: RawResponse, open: boolean): void {
    try {
      this.#basic.judge(authorization, raw, open);
    } catch (error) {
      if (this.#basicProven) this.#basicOnly = this.#basicProven = false;
      throw error;
    }
    if (this.#basicOnly || !this.#logins.basicProven || this.#logins.refusal('session') === null) return;
    this.#basicOnly = this.#basicProven = true;
  }

  /** Logs out for good: a later `authorize` fails. */
  async close(transcript?: CallTranscript): Promise<void> {
    this.#closed = true;
    await this.logOut(transcript);
    this.#stop.abort(new RedfishError('unreachable', CLOSED));
  }

  /** Deletes the session at the BMC, within 5 s. If that fails, the BMC ends it by its own timeout. */
  async logOut(transcript?: CallTranscript): Promise<void> {
    const limits = { ...TIDY_LIMITS, transcript };
    const signal = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
    // A login in flight opens a session too; but a BMC that hangs must not hold up a shutdown.
    const loggingIn: Promise<unknown> = this.#loggingIn ?? Promise.resolve();
    await untilAborted(loggingIn, signal).catch(() => undefined);
    // Finding orphaned sessions takes a session; no password that was refused is tried again for that.
    const refused = this.#basicOnly || this.#logins.sessionRefused;
    if (this.#open === null && this.#orphaned.some && this.#place !== null && !refused) {
      await this.#postSession(this.#place, limits).catch(() => undefined);
    }
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    await endOrphaned(this.#transport, this.#orphaned, open, limits, signal);
    await deleteSession(this.#transport, open, limits, signal).catch(() => undefined);
  }

  async #loggedIn(limits: RequestLimits, signal: AbortSignal, call: CallLogin): Promise<LoggedIn> {
    signal.throwIfAborted();
    // An open session needs no password.
    if (this.#open !== null) return { kind: 'session', session: this.#open };
    const basic = this.#replacement();
    if (basic !== null) return basic;
    const { noSession } = call;
    if (noSession !== null && this.#logins.refusal('basic') === null) return { kind: 'basic', noSession };
    if (this.#closed) throw new RedfishError('unreachable', CLOSED);
    if (this.#loggingIn === null) {
      this.#loggingIn = this.#openSession(limits).finally(() => {
        this.#loggingIn = null;
      });
      // Otherwise a failure is unhandled when all callers have aborted.
      this.#loggingIn.catch(() => undefined);
    }
    const loggedIn = await untilAborted(this.#loggingIn, signal);
    if (loggedIn.kind === 'basic') call.noSession = loggedIn.noSession;
    return loggedIn;
  }

  /**
   * Opens a session, in turn with other clients of the account. Completes even if all callers abort, so that none of
   * them ends the login of the others. Repeats a login once if its response is lost.
   */
  async #openSession(limits: RequestLimits): Promise<LoggedIn> {
    const { signal } = this.#stop;
    const place = await this.#findSessions(this.#lost, limits, signal);
    this.#place = place;
    try {
      const leave = await this.#logins.turn(null, signal, this.#guessed);
      try {
        // Another client of the account may have been refused meanwhile.
        const basic = this.#replacement();
        if (basic !== null) return basic;
        const loggedIn = await this.#postSession(place, limits).catch((error: unknown) => {
          if (error instanceof RedfishError && error.kind === 'outcome-unknown')
            return this.#postSession(place, limits);
          throw error;
        });
        if (loggedIn.kind === 'session') {
          const tidyLimits = { ...TIDY_LIMITS, transcript: limits.transcript };
          await endOrphaned(this.#transport, this.#orphaned, loggedIn.session, tidyLimits, signal);
        }
        return loggedIn;
      } finally {
        leave();
      }
    } catch (error) {
      throw notLoggedIn(error);
    }
  }

  /** @throws kind `outcome-unknown` when there was no response */
  async #postSession(place: SessionsPlace, limits: RequestLimits): Promise<LoggedIn> {
    const { path } = place;
    const body = JSON.stringify({ UserName: this.#account.username, Password: this.#account.password });
    const request = { method: 'POST', path, headers: {}, body } as const;
    const from = performance.now();
    const { signal } = this.#stop;
    // Where Basic may replace the session, it is tried before a BMC that is not ready is waited for.
    const only = this.#account.authType === 'session' || this.#logins.refusal('basic') !== null;
    const patience = only ? limits : { ...limits, patienceMs: 0 };
    const raw = await deliver(this.#transport, request, { limits: patience, signal }).catch((error: unknown) => {
      if (error instanceof RedfishError && error.kind === 'outcome-unknown') this.#orphaned.add(from);
      throw error;
    });
    const url = this.#transport.connections.origin + path;
    const token = raw.headers['x-auth-token'];
    if (raw.status < 300 && token !== undefined) {
      const [at, otherPath = null] = sessionPaths(readResponse(raw), path);
      const resource = at === undefined ? null : { path: at, made: { from, to: performance.now() } };
      this.#open = { token, resource, otherPath, collection: path };
      this.#lost = false;
      this.#logins.sessionOpened();
      return { kind: 'session', session: this.#open };
    }
    return this.#withoutSession(raw, url, place);
  }

  /** Returns what replaces a session that was not opened. */
  #withoutSession(raw: RawResponse, url: string, { linked, guessed }: SessionsPlace): LoggedIn {
    const { status } = raw;
    const noSession =
      status >= 400
        ? responseError('POST', url, raw, this.secrets)
        : new RedfishError('failed', `HTTP POST ${url} opened a session without a token`, { status, url });
    const isSession = this.#account.authType === 'session';
    // Without a session service, or when it gives no token: Basic from now on.
    if (status < 300 || meansNoSessionService(raw)) {
      if (isSession) throw noSession;
      if (guessed) return { kind: 'basic', noSession };
      this.#basicOnly = true;
      return { kind: 'basic', noSession: null };
    }
    if ([400, 401, 403].includes(status) && !meansNoSessionLeft(raw)) {
      const error = this.#refuse(noSession, url, raw, linked);
      if (isSession) throw error;
      // One try by Basic shows whether the password is wrong.
      return { kind: 'basic', noSession: null };
    }
    if (isSession) throw noSession;
    // Such as with no session left (503): Basic only this time.
    return { kind: 'basic', noSession };
  }

  /** Remembers that the BMC refused the session, and returns the error. */
  #refuse(noSession: RedfishError, url: string, raw: RawResponse, linked: boolean): RedfishError {
    // Words such as PasswordChangeRequired are not about a wrong password.
    if (raw.status !== 401 && loginVerdict(raw) === 'accepted') {
      this.#logins.refuse('session', noSession.message);
      return noSession;
    }
    const why = linked ? wrongPassword(this.#account, 'session') : noSessions(url);
    this.#logins.refuse('session', why);
    return refusedLogin(why, url, raw, this.secrets);
  }

  /**
   * Returns Basic where it replaces sessions; null when a session may be opened.
   * @throws kind `auth` when the BMC has refused the account by each way that may be used
   */
  #replacement(): LoggedIn | null {
    const { authType } = this.#account;
    const refusal = this.#basicOnly ? null : this.#logins.refusal('session');
    if (refusal !== null && authType === 'session') throw refusal.error(this.#transport.connections.origin);
    if (!this.#basicOnly && refusal === null) return null;
    this.#basic.throwIfRefused(null);
    return { kind: 'basic', noSession: null };
  }
}

/** Maps the error of a login without a response: the caller's own request was not sent, so its outcome is known. */
function notLoggedIn(error: unknown): unknown {
  if (!(error instanceof RedfishError) || error.kind !== 'outcome-unknown') return error;
  return new RedfishError('timeout', 'No response to the login; the request itself was not sent', {
    url: error.url,
    cause: error,
  });
}

function noSessions(url: string): string {
  return `The BMC offers no sessions: its service root names none, and a login at ${url} returned 401. Use redfish_auth_type auto or basic`;
}
