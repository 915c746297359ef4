// The login: sessions and Basic authentication, and the memory of wrong passwords.
import { isJsonObject } from '../../core/json.ts';
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { locationPath } from '../links.ts';
import type { CallTranscript } from '../transcript/callTranscript.ts';
import { deliver, type RequestLimits, type Transport } from '../wire/delivery.ts';
import type { RawResponse } from '../wire/request.ts';
import { readResponse, responseError } from '../wire/response.ts';
import {
  type Account,
  type AccountLogins,
  ANONYMOUS,
  type Authorization,
  type AuthType,
  Refusal,
  wrongPassword,
} from './account.ts';
import { BasicLogin, basicCredentials } from './basicLogin.ts';
import { OrphanedSessions, type OwnSession } from './orphanedSessions.ts';

/** The place of the session collection. */
export interface SessionsPlace {
  path: string;
  /** False when the service root shows neither sessions nor a SessionService; then `path` is a guess. */
  linked: boolean;
}

/**
 * Finds the session collection.
 * @param lost whether a session was lost, so that the BMC may have changed
 */
type FindSessions = (lost: boolean, limits: RequestLimits, signal: AbortSignal) => Promise<SessionsPlace>;

/** Time limit for closing, even with a BMC that hangs, in ms. */
const CLOSE_TIMEOUT_MS = 5000;
/** Limits of the requests that delete sessions, which must not hold up their caller. */
const TIDY_LIMITS = { timeoutMs: 1500, connectionAttempts: 1, connectionRetryIntervalMs: 0 };
const TIDY_TRIES = 3;
const CLOSED = 'The client of this BMC was closed';

/** A session that the BMC has opened. */
interface OpenSession {
  token: string;
  /** The path and the time of creation; null when the BMC sent no path. */
  resource: OwnSession | null;
  /** The collection in which it was made. */
  collection: string;
}

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
  #open: OpenSession | null = null;
  #loggingIn: Promise<LoggedIn> | null = null;
  /** Set once the BMC has shown that it has no session service. */
  #basicOnly: boolean;
  /** Set when the BMC offers no sessions. That says nothing about the password, so others may still use Basic. */
  #noSessions: Refusal | null = null;
  /** Fires when the login is closed and takes too long. */
  readonly #stop = new AbortController();
  #closed = false;
  /** Set when the BMC no longer knew the session, until the next login. */
  #lost = false;
  readonly #orphaned = new OrphanedSessions();
  /** The place of the last login. */
  #place: SessionsPlace | null = null;

  constructor(transport: Transport, account: Account, logins: AccountLogins, findSessions: FindSessions) {
    this.#transport = transport;
    this.#account = account;
    this.#logins = logins;
    this.#basic = new BasicLogin(transport.connections.origin, account, logins);
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
    if (this.#refusal) return 'refused';
    return this.#basicOnly ? 'basic' : 'closed';
  }

  /**
   * Logs in when there is no session. Concurrent callers share one login.
   * @throws kind `auth` when the password is wrong, or was wrong for any caller within the last five minutes; whatever
   *   `deliver` throws; `signal.reason` when it fires
   */
  async logIn(limits: RequestLimits, signal: AbortSignal): Promise<void> {
    if (this.#account.username !== null) await this.#loggedIn(limits, signal);
  }

  /**
   * Authorizes one request; logs in when there is no session. Judge the response, then release the authorization.
   * @throws whatever `logIn` and `BasicLogin.authorize` throw
   */
  async authorize(limits: RequestLimits, signal: AbortSignal): Promise<Authorization> {
    signal.throwIfAborted();
    if (this.#account.username === null) return ANONYMOUS;
    const loggedIn = await this.#loggedIn(limits, signal);
    if (loggedIn.kind === 'basic') return this.#basic.authorize(loggedIn.noSession, limits.timeoutMs, signal);
    return { ...ANONYMOUS, kind: 'session', headers: { 'x-auth-token': loggedIn.session.token } };
  }

  /**
   * Evaluates the response to a request: drops a session that has ended, remembers a wrong password.
   * @param open whether the request needs no credentials
   * @returns whether the session had ended, so that nothing was done and the request may be repeated
   * @throws kind `auth` where the BMC does not accept Basic, which is not a wrong password
   */
  judge(authorization: Authorization, raw: RawResponse, open: boolean): boolean {
    if (authorization.kind === 'basic') this.#basic.judge(authorization, raw, open);
    // A session ends by the BMC's timeout, by its restart, or because someone deletes it. After a 401 nothing was done.
    if (authorization.kind !== 'session' || raw.status !== 401) return false;
    // Unless another caller has logged in again already.
    if (this.#open?.token === authorization.headers['x-auth-token']) {
      this.#open = null;
      this.#lost = true;
      this.#orphaned.clear();
    }
    return true;
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
    // Finding orphaned sessions takes a session.
    if (this.#open === null && this.#orphaned.some && this.#place !== null && !this.#refusal) {
      await this.#postSession(this.#place, limits).catch(() => undefined);
    }
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    await this.#endOrphaned(open, limits, signal);
    if (open.resource === null) return;
    await this.#tidy('DELETE', open.resource.path, open, limits, signal).catch(() => undefined);
  }

  /** Deletes the sessions that lost logins may have left; if that fails, they are still remembered. */
  async #endOrphaned(open: OpenSession, limits: RequestLimits, signal: AbortSignal): Promise<void> {
    if (open.resource === null) return;
    const { origin } = this.#transport.connections;
    const read = async (path: string) => {
      const raw = await this.#tidy('GET', path, open, limits, signal);
      const { document } = readResponse(raw);
      if (raw.status < 300 && document !== null) return document;
      throw responseError('GET', origin + path, raw, [open.token]);
    };
    const remove = async (path: string) => void (await this.#tidy('DELETE', path, open, limits, signal));
    await this.#orphaned.endSessions(open.collection, origin, open.resource, read, remove).catch(() => undefined);
  }

  /** Sends a request that is safe to repeat, and repeats it when the BMC fails or does not respond. */
  async #tidy(
    method: 'GET' | 'DELETE',
    path: string,
    open: OpenSession,
    limits: RequestLimits,
    signal: AbortSignal,
  ): Promise<RawResponse> {
    const request = { method, path, headers: { 'x-auth-token': open.token }, body: null };
    for (let tries = 1; ; tries++) {
      try {
        const raw = await deliver(this.#transport, request, { limits, signal });
        if (raw.status < 500 || tries === TIDY_TRIES) return raw;
      } catch (error) {
        const retry = error instanceof RedfishError && ['outcome-unknown', 'timeout'].includes(error.kind);
        if (!retry || tries === TIDY_TRIES) throw error;
      }
    }
  }

  async #loggedIn(limits: RequestLimits, signal: AbortSignal): Promise<LoggedIn> {
    signal.throwIfAborted();
    // An open session needs no password.
    if (this.#open !== null) return { kind: 'session', session: this.#open };
    this.#throwIfRefused();
    if (this.#basicOnly) return { kind: 'basic', noSession: null };
    if (this.#closed) throw new RedfishError('unreachable', CLOSED);
    if (this.#loggingIn === null) {
      this.#loggingIn = this.#openSession(limits).finally(() => {
        this.#loggingIn = null;
      });
      // Otherwise a failure is unhandled when all callers have aborted.
      this.#loggingIn.catch(() => undefined);
    }
    return untilAborted(this.#loggingIn, signal);
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
      const leave = await this.#logins.turn(null, signal);
      try {
        this.#throwIfRefused();
        const loggedIn = await this.#postSession(place, limits).catch((error: unknown) => {
          if (error instanceof RedfishError && error.kind === 'outcome-unknown')
            return this.#postSession(place, limits);
          throw error;
        });
        if (loggedIn.kind === 'session') {
          await this.#endOrphaned(loggedIn.session, { ...TIDY_LIMITS, transcript: limits.transcript }, signal);
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
  async #postSession({ path, linked }: SessionsPlace, limits: RequestLimits): Promise<LoggedIn> {
    const body = JSON.stringify({ UserName: this.#account.username, Password: this.#account.password });
    const request = { method: 'POST', path, headers: {}, body } as const;
    const from = performance.now();
    const { signal } = this.#stop;
    const raw = await deliver(this.#transport, request, { limits, signal }).catch((error: unknown) => {
      if (error instanceof RedfishError && error.kind === 'outcome-unknown') this.#orphaned.add(from);
      throw error;
    });
    const url = this.#transport.connections.origin + path;
    // Without sessions a 401 says nothing about the password (sushy-tools' emulator); one try of Basic does.
    if (raw.status === 401 && !linked && this.#account.authType === 'auto') {
      this.#basicOnly = true;
      return { kind: 'basic', noSession: null };
    }
    if (raw.status === 401) throw this.#refuse(url, raw, linked);
    const { document, headers: responseHeaders } = readResponse(raw);
    const token = responseHeaders['x-auth-token'];
    if (raw.status < 300 && token !== undefined && token !== '') {
      const member = isJsonObject(document) ? document['@odata.id'] : undefined;
      const place = responseHeaders.location ?? (typeof member === 'string' ? member : undefined);
      const at = locationPath(place);
      const resource = at === null ? null : { path: at, made: { from, to: performance.now() } };
      this.#open = { token, resource, collection: path };
      this.#lost = false;
      return { kind: 'session', session: this.#open };
    }
    const noSession =
      raw.status >= 400
        ? responseError('POST', url, raw, this.secrets)
        : new RedfishError('failed', `HTTP POST ${url} opened a session without a token`, { status: raw.status, url });
    if (this.#account.authType === 'session') throw noSession;
    // Without a session service: Basic from now on. Otherwise, such as with no session left (503): Basic only this time.
    this.#basicOnly = [404, 405, 501].includes(raw.status);
    return { kind: 'basic', noSession: this.#basicOnly ? null : noSession };
  }

  /** Remembers that the BMC refused the login, and returns the error. */
  #refuse(url: string, raw: RawResponse, linked: boolean): RedfishError {
    const { extendedInfo } = responseError('POST', url, raw, this.secrets);
    const { now } = this.#logins;
    const refusal = linked ? wrongPassword(this.#account, now) : new Refusal(noSessions(url), now);
    if (linked) {
      this.#logins.refusal = refusal;
      this.#logins.basicProven = false;
    } else this.#noSessions = refusal;
    return new RedfishError('auth', refusal.why, { status: 401, extendedInfo, url });
  }

  /** Why the account must not be tried; undefined when it may. */
  get #refusal(): Refusal | null | undefined {
    return [this.#noSessions, this.#logins.refusal].find((refusal) => refusal?.inForce);
  }

  #throwIfRefused(): void {
    const refusal = this.#refusal;
    if (refusal) throw refusal.error(this.#transport.connections.origin);
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
