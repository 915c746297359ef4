import { isJsonObject } from '../../core/json.ts';
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { locationPath } from '../links.ts';
import { deliver, type RequestLimits, type Transport } from '../wire/delivery.ts';
import type { RawAnswer } from '../wire/request.ts';
import { answerError, readAnswer } from '../wire/response.ts';
import type { Account, Authorization, SendWith } from './account.ts';
import { BasicLogIn, basicCredentials } from './basicLogin.ts';
import { type AccountLogIns, inForce, type Refusal, refusalNow, refusedError, wrongPassword } from './loginCache.ts';
import { ASIDE_LIMITS, OpenSession } from './openSession.ts';
import { LostLogIns } from './orphanedSessions.ts';

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

/** All that closing may take, whatever the BMC does. */
const CLOSE_TIMEOUT_MS = 5000;
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
  readonly #basic: BasicLogIn;
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
    this.#basic = new BasicLogIn(transport.connections.origin, account, logIns);
    this.#findSessions = findSessions;
    this.#basicOnly = account.authType === 'basic';
  }

  /** What must not show in an error: the BMC may quote it. */
  get secrets(): string[] {
    const { username, password } = this.#account;
    return [password, username === null ? '' : basicCredentials(this.#account), this.#open?.token ?? ''];
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
    if (this.#open !== null) return this.#open.authorization;
    this.#throwIfRefused();
    if (this.#basicOnly) return this.#basic.authorization(null);
    if (this.#closed) throw new RedfishError('unreachable', CLOSED);
    if (this.#loggingIn === null) {
      this.#loggingIn = this.#logIn(limits).finally(() => {
        this.#loggingIn = null;
      });
      // When all who wait have left, nobody hears of its failure.
      this.#loggingIn.catch(() => undefined);
    }
    return untilAborted(this.#loggingIn, signal);
  }

  /**
   * Sends a request with the account's credentials, and answers what the BMC said; a session that has ended is replaced
   * once.
   * @param open whether the BMC answers this request to anyone, so that the answer says nothing of a password
   * @throws what `authorize` and `send` throw; kind `auth` where the BMC takes no Basic, which is no wrong password
   */
  async send(open: boolean, send: SendWith, limits: RequestLimits, signal: AbortSignal): Promise<RawAnswer> {
    let authorization = await this.authorize(limits, signal);
    if (authorization.kind === 'session') {
      const raw = await send(authorization);
      if (raw.status !== 401) return raw;
      // A session ends by the BMC's own timeout, by its restart, or by somebody's hand. 401 says that nothing was done.
      this.#expired(authorization.headers['x-auth-token']);
      authorization = await this.authorize(limits, signal);
    }
    if (authorization.kind !== 'basic') return send(authorization);
    return this.#basic.send(authorization, open, send, limits.timeoutMs, signal);
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
    await untilAborted(loggingIn, signal).catch(() => undefined);
    // Only with a session can those be found that lost log-ins have left.
    if (this.#open === null && this.#lostLogIns.some && this.#place !== null && this.#refusal() === null) {
      await this.#openSession(this.#place, ASIDE_LIMITS).catch(() => undefined);
    }
    const open = this.#open;
    this.#open = null;
    await open?.endLost(this.#lostLogIns, signal);
    await open?.end(signal);
  }

  /** The BMC no longer knows `token`: the next `authorize` logs in anew, unless somebody has already. */
  #expired(token: string): void {
    if (this.#open?.token !== token) return;
    this.#open = null;
    this.#lost = true;
    this.#lostLogIns.clear();
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
    const authorization = await this.#logIns.inTurn(logIn, null, signal).catch((error: unknown) => {
      throw notLoggedIn(error);
    });
    await this.#open?.endLost(this.#lostLogIns, signal);
    return authorization;
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
      return this.#basic.authorization(null);
    }
    if (raw.status === 401) {
      const { extendedInfo } = answerError('POST', url, raw, this.secrets);
      const refusal = linked ? wrongPassword(this.#account) : refusalNow(noSessions(url));
      if (linked) this.#logIns.remember(refusal);
      else this.#noSessions = refusal;
      throw new RedfishError('auth', refusal.why, { status: 401, extendedInfo, url });
    }
    const answer = readAnswer(raw);
    const token = answer.headers['x-auth-token'];
    if (raw.status < 300 && token !== undefined && token !== '') {
      const member = isJsonObject(answer.document) ? answer.document['@odata.id'] : undefined;
      const place = answer.headers.location ?? (typeof member === 'string' ? member : undefined);
      const made = { from: begun, to: performance.now() };
      this.#open = new OpenSession(this.#transport, { token, path: locationPath(place), collection: path, made });
      this.#lost = false;
      return this.#open.authorization;
    }
    const noSession =
      raw.status >= 400
        ? answerError('POST', url, raw, this.secrets)
        : new RedfishError('failed', `HTTP POST ${url} opened a session without a token`, { status: raw.status, url });
    if (this.#account.authType === 'session') throw noSession;
    // No session service: Basic from now on. Anything else, such as no session left (503): Basic for this once.
    this.#basicOnly = [404, 405, 501].includes(raw.status);
    return this.#basic.authorization(this.#basicOnly ? null : noSession);
  }

  /** Null when the account may be tried. */
  #refusal(): Refusal | null {
    return inForce(this.#noSessions) ?? this.#logIns.refusal();
  }

  #throwIfRefused(): void {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusedError(refusal, this.#transport.connections.origin);
  }
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
