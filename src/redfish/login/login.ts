import { isJsonObject } from '../../core/json.ts';
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { locationPath } from '../links.ts';
import { deliver, type RequestLimits, type Transport } from '../wire/delivery.ts';
import type { RawAnswer } from '../wire/request.ts';
import { answerError, readAnswer } from '../wire/response.ts';
import type { Account, Authorization } from './account.ts';
import { BasicLogin, basicCredentials } from './basicLogin.ts';
import { type AccountLogins, inForce, type Refusal, refusalNow, refusedError, wrongPassword } from './loginCache.ts';
import { OrphanedSessions, type OwnSession } from './orphanedSessions.ts';

/** The place of the session collection. */
export interface SessionsPlace {
  path: string;
  /** False when the service root shows neither sessions nor a SessionService; then `path` is a guess. */
  linked: boolean;
}

/**
 * Finds the session collection.
 * @param lost whether a session was lost, so that the BMC may be another than before
 */
export type FindSessions = (lost: boolean, limits: RequestLimits, signal: AbortSignal) => Promise<SessionsPlace>;

/** The limit for closing, whatever the BMC does, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;
/** The limits of the requests that tidy up sessions, for which no caller waits long. */
const TIDY_LIMITS = { timeoutMs: 1500, connectionAttempts: 1, connectionRetryIntervalMs: 0 };
const TIDY_TRIES = 3;
const HEADERS = { accept: 'application/json', 'odata-version': '4.0' };
const CLOSED = 'The client of this BMC was closed';

/** A session that the BMC has opened. */
interface OpenSession {
  token: string;
  /** Where to delete it, and when it was made; null when the BMC did not say where. */
  own: OwnSession | null;
  /** The collection in which it was made. */
  collection: string;
}

/** What a login resulted in: an open session, or Basic and why. */
type LoggedIn = { kind: 'session'; session: OpenSession } | { kind: 'basic'; noSession: RedfishError | null };

/**
 * The login of one account at one BMC, shared by every caller: BMCs hold few sessions, and these outlive their owner.
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
  /** Set when the BMC offers no sessions, which says nothing of the password and so does not keep others from Basic. */
  #noSessions: Refusal | null = null;
  /** Fires when the login is closed and takes too long. */
  readonly #stop = new AbortController();
  #closed = false;
  /** Set when the BMC no longer knew the session, until the next login. */
  #lost = false;
  readonly #orphaned = new OrphanedSessions();
  /** Of the newest login. */
  #place: SessionsPlace | null = null;

  constructor(transport: Transport, account: Account, logins: AccountLogins, findSessions: FindSessions) {
    this.#transport = transport;
    this.#account = account;
    this.#logins = logins;
    this.#basic = new BasicLogin(transport.connections.origin, account, logins);
    this.#findSessions = findSessions;
    this.#basicOnly = account.authType === 'basic';
  }

  /** What must not show in an error: the BMC may quote it. */
  get secrets(): string[] {
    const { username, password } = this.#account;
    return [password, username === null ? '' : basicCredentials(this.#account), this.#open?.token ?? ''];
  }

  /**
   * Logs in when there is no session. One login serves all who wait for it.
   * @throws kind `auth` when the password is wrong, or was for any caller within the last five minutes; what `deliver`
   *   throws; `signal.reason` when it fires
   */
  async logIn(limits: RequestLimits, signal: AbortSignal): Promise<void> {
    if (this.#account.username !== null) await this.#loggedIn(limits, signal);
  }

  /**
   * Authorizes one request, after a login when there is no session. The response must be judged, then the authorization
   * released.
   * @throws what `logIn` and `BasicLogin.authorize` throw
   */
  async authorize(limits: RequestLimits, signal: AbortSignal): Promise<Authorization> {
    signal.throwIfAborted();
    const release = () => {};
    if (this.#account.username === null) return { kind: 'none', headers: {}, release };
    const loggedIn = await this.#loggedIn(limits, signal);
    if (loggedIn.kind === 'basic') return this.#basic.authorize(loggedIn.noSession, limits.timeoutMs, signal);
    return { kind: 'session', headers: { 'x-auth-token': loggedIn.session.token }, release };
  }

  /**
   * Learns from the response to a request: a session that has ended is dropped, a wrong password remembered.
   * @param open whether the BMC serves this request to anyone
   * @returns whether the session had ended, so that nothing was done and the request may be sent again
   * @throws kind `auth` where the BMC takes no Basic, which is not a wrong password
   */
  judge(authorization: Authorization, raw: RawAnswer, open: boolean): boolean {
    if (authorization.kind === 'basic') this.#basic.judge(authorization, raw, open);
    // A session ends by the BMC's own timeout, by its restart, or by somebody's hand. 401 says that nothing was done.
    if (authorization.kind !== 'session' || raw.status !== 401) return false;
    // Unless another caller has logged in again already.
    if (this.#open?.token === authorization.headers['x-auth-token']) {
      this.#open = null;
      this.#lost = true;
      this.#orphaned.clear();
    }
    return true;
  }

  /** `logOut`, for good: a later `authorize` fails. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.logOut();
    this.#stop.abort(new RedfishError('unreachable', CLOSED));
  }

  /** Deletes the session at the BMC, within 5 s; a failure is left to the BMC's own timeout. */
  async logOut(): Promise<void> {
    const signal = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
    // A login under way makes a session too; but a BMC that hangs must not hold up a shutdown.
    const loggingIn: Promise<unknown> = this.#loggingIn ?? Promise.resolve();
    await untilAborted(loggingIn, signal).catch(() => undefined);
    // Only with a session can orphaned ones be found.
    if (this.#open === null && this.#orphaned.some && this.#place !== null && this.#refusal() === null) {
      await this.#postSession(this.#place, TIDY_LIMITS).catch(() => undefined);
    }
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    await this.#endOrphaned(open, signal);
    if (open.own !== null) await this.#tidy('DELETE', open.own.path, open, signal).catch(() => undefined);
  }

  /** Deletes the sessions that lost logins may have left; when that fails they are still remembered. */
  async #endOrphaned(open: OpenSession, signal: AbortSignal): Promise<void> {
    if (open.own === null) return;
    const { origin } = this.#transport.connections;
    const read = async (path: string) => {
      const raw = await this.#tidy('GET', path, open, signal);
      const { document } = readAnswer(raw);
      if (raw.status < 300 && document !== null) return document;
      throw answerError('GET', origin + path, raw, [open.token]);
    };
    const remove = async (path: string) => void (await this.#tidy('DELETE', path, open, signal));
    await this.#orphaned.endSessions(open.collection, origin, open.own, read, remove).catch(() => undefined);
  }

  /** Sends a request that may be sent twice; again while the BMC does not respond or fails. */
  async #tidy(method: 'GET' | 'DELETE', path: string, open: OpenSession, signal: AbortSignal): Promise<RawAnswer> {
    const request = { method, path, headers: { ...HEADERS, 'x-auth-token': open.token }, body: null };
    for (let tries = 1; ; tries++) {
      try {
        const raw = await deliver(this.#transport, request, TIDY_LIMITS, signal);
        if (raw.status < 500 || tries === TIDY_TRIES) return raw;
      } catch (error) {
        const again = error instanceof RedfishError && ['outcome-unknown', 'timeout'].includes(error.kind);
        if (!again || tries === TIDY_TRIES) throw error;
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
      // When all who wait have left, its failure concerns no one.
      this.#loggingIn.catch(() => undefined);
    }
    return untilAborted(this.#loggingIn, signal);
  }

  /**
   * Opens a session, in turn with other clients of the account. Runs to its end whether or not a caller still waits, so
   * that one who leaves takes no login from the others. A login whose response is lost is tried once more.
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
        if (loggedIn.kind === 'session') await this.#endOrphaned(loggedIn.session, signal);
        return loggedIn;
      } finally {
        leave();
      }
    } catch (error) {
      throw notLoggedIn(error);
    }
  }

  /** @throws kind `outcome-unknown` when no response came */
  async #postSession({ path, linked }: SessionsPlace, limits: RequestLimits): Promise<LoggedIn> {
    const body = JSON.stringify({ UserName: this.#account.username, Password: this.#account.password });
    const headers = { ...HEADERS, 'content-type': 'application/json' };
    const request = { method: 'POST', path, headers, body } as const;
    const from = performance.now();
    const raw = await deliver(this.#transport, request, limits, this.#stop.signal).catch((error: unknown) => {
      if (error instanceof RedfishError && error.kind === 'outcome-unknown') this.#orphaned.add(from);
      throw error;
    });
    const url = this.#transport.connections.origin + path;
    // Without sessions a 401 says nothing of the password (sushy-tools' emulator); Basic, tried once, tells.
    if (raw.status === 401 && !linked && this.#account.authType === 'auto') {
      this.#basicOnly = true;
      return { kind: 'basic', noSession: null };
    }
    if (raw.status === 401) throw this.#refuse(url, raw, linked);
    const { document, headers: responseHeaders } = readAnswer(raw);
    const token = responseHeaders['x-auth-token'];
    if (raw.status < 300 && token !== undefined && token !== '') {
      const member = isJsonObject(document) ? document['@odata.id'] : undefined;
      const place = responseHeaders.location ?? (typeof member === 'string' ? member : undefined);
      const at = locationPath(place);
      const own = at === null ? null : { path: at, made: { from, to: performance.now() } };
      this.#open = { token, own, collection: path };
      this.#lost = false;
      return { kind: 'session', session: this.#open };
    }
    const noSession =
      raw.status >= 400
        ? answerError('POST', url, raw, this.secrets)
        : new RedfishError('failed', `HTTP POST ${url} opened a session without a token`, { status: raw.status, url });
    if (this.#account.authType === 'session') throw noSession;
    // No session service: Basic from now on. Anything else, such as no session left (503): Basic for this once.
    this.#basicOnly = [404, 405, 501].includes(raw.status);
    return { kind: 'basic', noSession: this.#basicOnly ? null : noSession };
  }

  /** Remembers that the BMC refused the login, and returns the error that says so. */
  #refuse(url: string, raw: RawAnswer, linked: boolean): RedfishError {
    const { extendedInfo } = answerError('POST', url, raw, this.secrets);
    const refusal = linked ? wrongPassword(this.#account) : refusalNow(noSessions(url));
    if (linked) this.#logins.remember(refusal);
    else this.#noSessions = refusal;
    return new RedfishError('auth', refusal.why, { status: 401, extendedInfo, url });
  }

  /** Null when the account may be tried. */
  #refusal(): Refusal | null {
    return inForce(this.#noSessions) ?? this.#logins.refusal();
  }

  #throwIfRefused(): void {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusedError(refusal, this.#transport.connections.origin);
  }
}

/** Maps a login without a response: the caller's own request was not sent, so its outcome is known. */
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
