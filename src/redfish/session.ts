import { isJsonObject } from '../core/json.ts';
import { answerError, readAnswer } from './answer.ts';
import { RedfishError } from './errors.ts';
import type { RawAnswer } from './exchange.ts';
import { LostLogIns, type Span } from './lostLogIns.ts';
import { locationPath } from './paths.ts';
import { deliver, type RequestLimits, type Transport } from './transport.ts';

/** `auto`: a session, or Basic where the BMC has none to give. */
export type AuthType = 'auto' | 'session' | 'basic';

/** Who asks. */
export interface Account {
  /** Null: without credentials. */
  username: string | null;
  password: string;
  authType: AuthType;
}

/** What goes with one request. */
export interface Authorization {
  readonly kind: 'none' | 'basic' | 'session';
  readonly headers: Record<string, string>;
}

/** Where the session collection is. */
export interface SessionsPlace {
  path: string;
  /** False when the service root shows neither sessions nor a SessionService; then `path` is a guess. */
  linked: boolean;
}

/**
 * Answers where the session collection is.
 * @param lost whether a session was lost, so that the BMC may be another than before
 */
export type FindSessions = (lost: boolean, limits: RequestLimits, signal: AbortSignal) => Promise<SessionsPlace>;

/** A BMC's no to an account. */
export interface Refusal {
  why: string;
  /** Until when the account is not tried again; milliseconds since 1970. */
  until: number;
}

/** What all log-ins with one user name and password at one BMC share, for the BMC counts them together. */
export interface AccountLogIns {
  /** Null when the password does not count as wrong. */
  refusal(): Refusal | null;
  remember(refusal: Refusal): void;
  /**
   * Runs `logIn` when those before it have ended, so that it can know of their refusal.
   * @throws what `logIn` throws; `signal.reason` when it fires before
   */
  inTurn<T>(logIn: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

interface OpenSession {
  token: string;
  /** Where to delete it; null when the BMC did not say. */
  path: string | null;
  /** The collection in which it was made. */
  collection: string;
  made: Span;
}

/** BMCs lock an account after a few wrong passwords. */
const WRONG_PASSWORD_MS = 5 * 60_000;
/** All that closing may take, whatever the BMC does. */
const CLOSE_TIMEOUT_MS = 5000;
/** For the requests that tidy up sessions, which nobody waits for long. */
const ASIDE_LIMITS = { timeoutMs: 1500, connectionAttempts: 1, connectionRetryIntervalMs: 0 };
const ASIDE_TRIES = 3;
const HEADERS = { accept: 'application/json', 'odata-version': '4.0' };
const CLOSED = 'The conversation with this BMC was closed';

/**
 * The log-in of one account at one BMC, shared by every caller: BMCs hold few sessions, and these outlive their owner.
 * Redfish DSP0266, "Session login authentication" and "HTTP Basic authentication".
 */
export class Session {
  readonly #transport: Transport;
  readonly #account: Account;
  readonly #logIns: AccountLogIns;
  readonly #findSessions: FindSessions;
  #open: OpenSession | null = null;
  #loggingIn: Promise<Authorization> | null = null;
  /** Set once the BMC has shown that it has no session service. */
  #basicOnly: boolean;
  /** Set when the BMC offers no sessions, which says nothing of the password and so does not keep others from Basic. */
  #noSessions: Refusal | null = null;
  /** Fires when the session is closed and its log-in takes too long. */
  readonly #stop = new AbortController();
  #closed = false;
  /** Set when the BMC no longer knew the session, until the next log-in. */
  #lost = false;
  readonly #lostLogIns = new LostLogIns();
  /** Of the newest log-in. */
  #place: SessionsPlace | null = null;

  constructor(transport: Transport, account: Account, logIns: AccountLogIns, findSessions: FindSessions) {
    this.#transport = transport;
    this.#account = account;
    this.#logIns = logIns;
    this.#findSessions = findSessions;
    this.#basicOnly = account.authType === 'basic';
  }

  /** What must not show in an error: the BMC may quote it. */
  get secrets(): string[] {
    return [this.#account.password, this.#open?.token ?? ''];
  }

  /**
   * What to send with a request; logs in when there is no session. One log-in serves all who wait for it.
   * @throws kind `auth` when the password is wrong, or was for anyone within the last five minutes; what `deliver` throws;
   *   `signal.reason` when it fires
   */
  async authorize(limits: RequestLimits, signal: AbortSignal): Promise<Authorization> {
    signal.throwIfAborted();
    if (this.#account.username === null) return { kind: 'none', headers: {} };
    // An open session needs no password.
    if (this.#open !== null) return sessionAuthorization(this.#open);
    this.#throwIfRefused();
    if (this.#basicOnly) return this.#basic();
    if (this.#closed) throw new RedfishError('unreachable', CLOSED);
    if (this.#loggingIn === null) {
      this.#loggingIn = this.#logIn(limits).finally(() => {
        this.#loggingIn = null;
      });
      // When all who wait have left, nobody hears of its failure.
      this.#loggingIn.catch(() => undefined);
    }
    return withSignal(this.#loggingIn, signal);
  }

  /** Called when `authorization` was answered 401: the next `authorize` logs in anew, unless somebody has already. */
  expired(authorization: Authorization): void {
    if (this.#open?.token !== authorization.headers['x-auth-token']) return;
    this.#open = null;
    this.#lost = true;
    this.#lostLogIns.clear();
  }

  /** Called when Basic was answered 401: the password is wrong. Calls fail at once for five minutes. */
  wrongPassword(): void {
    this.#logIns.remember(refusalNow(this.#wrongText()));
  }

  /** `logOut`, for good: a later `authorize` fails. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.logOut();
    this.#stop.abort(new RedfishError('unreachable', CLOSED));
  }

  /** Deletes the session at the BMC, within 5 s; what goes wrong with that is left to the BMC's own timeout. */
  async logOut(): Promise<void> {
    const signal = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
    // A log-in under way makes a session too; but a BMC that hangs must not hold up a shutdown.
    const loggingIn: Promise<unknown> = this.#loggingIn ?? Promise.resolve();
    await withSignal(loggingIn, signal).catch(() => undefined);
    // Only with a session can those be found that lost log-ins have left.
    if (this.#open === null && this.#lostLogIns.some && this.#place !== null && this.#refusal() === null) {
      await this.#openSession(this.#place, ASIDE_LIMITS).catch(() => undefined);
    }
    const open = this.#open;
    this.#open = null;
    if (open === null || open.path === null) return;
    await this.#endLost(open, signal);
    await this.#deleteSession(open.path, open, signal).catch(() => undefined);
  }

  /** Deletes the session at `path` with the help of `own`. */
  async #deleteSession(path: string, own: OpenSession, signal: AbortSignal): Promise<void> {
    await this.#untilAnswered('DELETE', path, own, signal);
  }

  /** Sends a request that can do no harm when it is sent twice, again while the BMC does not answer or fails. */
  async #untilAnswered(
    method: 'GET' | 'DELETE',
    path: string,
    own: OpenSession,
    signal: AbortSignal,
  ): Promise<RawAnswer> {
    const headers = { ...HEADERS, ...sessionAuthorization(own).headers };
    for (let tries = 1; ; tries++) {
      try {
        const raw = await deliver(this.#transport, { method, path, headers, body: null }, ASIDE_LIMITS, signal);
        if (raw.status < 500 || tries === ASIDE_TRIES) return raw;
      } catch (error) {
        const again = error instanceof RedfishError && ['outcome-unknown', 'timeout'].includes(error.kind);
        if (!again || tries === ASIDE_TRIES) throw error;
      }
    }
  }

  /**
   * Runs to its end whoever waits, so that a caller who leaves takes no log-in from the others. A log-in whose answer is
   * lost is tried once more.
   */
  async #logIn(limits: RequestLimits): Promise<Authorization> {
    const { signal } = this.#stop;
    const place = await this.#findSessions(this.#lost, limits, signal);
    this.#place = place;
    const logIn = async () => {
      this.#throwIfRefused();
      return this.#openSession(place, limits).catch((error: unknown) => {
        if (error instanceof RedfishError && error.kind === 'outcome-unknown') return this.#openSession(place, limits);
        throw error;
      });
    };
    const authorization = await this.#logIns.inTurn(logIn, signal).catch((error: unknown) => {
      throw notLoggedIn(error);
    });
    if (this.#open !== null) await this.#endLost(this.#open, signal);
    return authorization;
  }

  /** Ends what log-ins without an answer may have left. When that cannot be done now, it is done at the log-out. */
  async #endLost(own: OpenSession, signal: AbortSignal): Promise<void> {
    const { path, collection, made } = own;
    if (path === null) return;
    const { origin } = this.#transport.connections;
    const read = async (at: string) => {
      const raw = await this.#untilAnswered('GET', at, own, signal);
      const { document } = readAnswer(raw);
      if (raw.status < 300 && document !== null) return document;
      throw answerError('GET', origin + at, raw, this.secrets);
    };
    const remove = (at: string) => this.#deleteSession(at, own, signal);
    await this.#lostLogIns.endSessions(collection, origin, { path, made }, read, remove).catch(() => undefined);
  }

  /** @throws kind `outcome-unknown` when no answer came, so that there may be a session that nobody knows */
  async #openSession({ path, linked }: SessionsPlace, limits: RequestLimits): Promise<Authorization> {
    const { signal } = this.#stop;
    const body = JSON.stringify({ UserName: this.#account.username, Password: this.#account.password });
    const headers = { ...HEADERS, 'content-type': 'application/json' };
    const begun = performance.now();
    const request = { method: 'POST', path, headers, body } as const;
    const raw = await deliver(this.#transport, request, limits, signal).catch((error: unknown) => {
      if (error instanceof RedfishError && error.kind === 'outcome-unknown') this.#lostLogIns.add(begun);
      throw error;
    });
    const url = this.#transport.connections.origin + path;
    // Without sessions a 401 says nothing of the password (sushy-tools' emulator); Basic, tried once, tells.
    if (raw.status === 401 && !linked && this.#account.authType === 'auto') {
      this.#basicOnly = true;
      return this.#basic();
    }
    if (raw.status === 401) {
      const { extendedInfo } = answerError('POST', url, raw, this.secrets);
      const refusal = refusalNow(linked ? this.#wrongText() : noSessions(url));
      if (linked) this.#logIns.remember(refusal);
      else this.#noSessions = refusal;
      throw new RedfishError('auth', refusal.why, { status: 401, extendedInfo, url });
    }
    const answer = readAnswer(raw);
    const token = answer.headers['x-auth-token'];
    if (raw.status < 300 && token !== undefined && token !== '') {
      const member = isJsonObject(answer.document) ? answer.document['@odata.id'] : undefined;
      const place = answer.headers.location ?? (typeof member === 'string' ? member : undefined);
      this.#open = { token, path: locationPath(place), collection: path, made: { from: begun, to: performance.now() } };
      this.#lost = false;
      return sessionAuthorization(this.#open);
    }
    if (this.#account.authType === 'session') {
      if (raw.status >= 400) throw answerError('POST', url, raw, this.secrets);
      throw new RedfishError('failed', `HTTP POST ${url} opened a session without a token`, {
        status: raw.status,
        url,
      });
    }
    // No session service: Basic from now on. Anything else, such as no session left (503): Basic for this once.
    if (raw.status === 404 || raw.status === 405 || raw.status === 501) this.#basicOnly = true;
    return this.#basic();
  }

  /** Null when the account may be tried. */
  #refusal(): Refusal | null {
    const own = this.#noSessions;
    return own !== null && Date.now() < own.until ? own : this.#logIns.refusal();
  }

  #basic(): Authorization {
    const { username, password } = this.#account;
    const credentials = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
    return { kind: 'basic', headers: { authorization: `Basic ${credentials}` } };
  }

  #wrongText(): string {
    return `The BMC refuses the user name or password of account ${this.#account.username}`;
  }

  #throwIfRefused(): void {
    const refusal = this.#refusal();
    if (refusal === null) return;
    const seconds = Math.ceil((refusal.until - Date.now()) / 1000);
    const message = `${refusal.why}; not tried again for ${seconds} s or until the credentials change, for BMCs lock accounts`;
    throw new RedfishError('auth', message, { status: 401, url: this.#transport.connections.origin });
  }
}

/** The promise's outcome, or `signal.reason` when that fires first. */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function refusalNow(why: string): Refusal {
  return { why, until: Date.now() + WRONG_PASSWORD_MS };
}

function sessionAuthorization(open: OpenSession): Authorization {
  return { kind: 'session', headers: { 'x-auth-token': open.token } };
}

/** A log-in without an answer leaves the caller's own request unsent, so its outcome is not unknown. */
function notLoggedIn(error: unknown): unknown {
  if (!(error instanceof RedfishError) || error.kind !== 'outcome-unknown') return error;
  return new RedfishError('timeout', 'No answer to the log-in; the request itself was not sent', {
    url: error.url,
    cause: error,
  });
}

function noSessions(url: string): string {
  return `The BMC offers no sessions: its service root names none, and a log-in at ${url} was answered 401. Use redfish_auth_type auto or basic`;
}
