import type { JsonObject } from '../core/json.ts';
import type { Recorder } from '../core/transcript.ts';
import { pause } from '../core/waiting.ts';
import type { BmcContext } from './bmcContext.ts';
import type { Discovered } from './discovered.ts';
import { RedfishError } from './errors.ts';
import { ANONYMOUS, type Authorization, type AuthType, type CallLogin } from './login/account.ts';
import type { LoginState } from './login/login.ts';
import { deliver, type RequestLimits } from './wire/delivery.ts';
import { isError, type RequestMode } from './wire/meaning.ts';
import { Repeats } from './wire/repeat.ts';
import type { BmcRequest, RawResponse } from './wire/request.ts';
import { type RedfishResponse, readResponse, responseError } from './wire/response.ts';
import { openStream, type ResponseStream } from './wire/stream.ts';

/** The options shared by all requests of one call. */
export interface RequestOptions {
  /**
   * Aborts the request, which throws its reason: at once, but after a POST, PATCH or DELETE was written only when the BMC has not
   * responded in time. A response is returned as ever; the next request throws.
   */
  signal: AbortSignal;
  /**
   * Called in the tick in which each try of a request is written. When it throws, nothing is sent, and the request throws
   * the same. Not called for a login, which serves all callers.
   */
  beforeSend?: () => void;
  headers?: Record<string, string>;
  /** Whether to send no credentials. Default false. */
  anonymous?: boolean;
  /** Parts of the request to redact in errors. */
  secrets?: readonly string[];
  /** Records the requests of the call; null or not given for a call that is not recorded. */
  recorder?: Recorder | null;
  /** The maximum time for which a request is repeated in all, in ms; short for parts that are optional. Default 30 s. */
  patienceMs?: number;
  /** The maximum time limit for one try, in ms. Default: that of the target. */
  timeoutMs?: number;
}

/**
 * Sends the requests of one call to one BMC with one account. Cheap to make: connections, login and discovered paths are its
 * context's.
 *
 * Every request throws a RedfishError (see `RedfishErrorKind`) or the signal's reason.
 */
export class RedfishClient {
  readonly #context: BmcContext;
  readonly #limits: RequestLimits;
  readonly #options: RequestOptions;
  readonly #call: CallLogin;

  constructor(context: BmcContext, limits: RequestLimits, options: RequestOptions, call?: CallLogin) {
    this.#context = context;
    this.#limits = limits;
    this.#options = options;
    this.#call = call ?? { noSession: null };
  }

  /** Returns a client with other options; `headers`, `secrets` and `beforeSend` are added to those of this one. */
  with(change: Partial<RequestOptions>): RedfishClient {
    const { headers, secrets = [], beforeSend } = this.#options;
    if (change.secrets !== undefined) this.#limits.transcript?.hide(change.secrets);
    const options = {
      ...this.#options,
      ...change,
      headers: { ...headers, ...change.headers },
      secrets: [...secrets, ...(change.secrets ?? [])],
      beforeSend() {
        beforeSend?.();
        change.beforeSend?.();
      },
    };
    return new RedfishClient(this.#context, this.#limits, options, this.#call);
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** `https://bmc.example`. */
  get origin(): string {
    return this.#context.transport.connections.origin;
  }

  /** Path of the service root, for example `/redfish/v1/`. */
  get root(): string {
    return this.#context.root;
  }

  /** The account's password, the session's token and the call's secrets, to redact in errors and progress. */
  get secrets(): readonly string[] {
    return [...this.#context.login.secrets, ...(this.#options.secrets ?? [])];
  }

  get discovered(): Discovered {
    return this.#context.discovered;
  }

  get authType(): AuthType {
    return this.#context.login.authType;
  }

  /** Whether the account is logged in, or what is known instead. */
  get loginState(): LoginState {
    return this.#context.login.state;
  }

  /** Logs in when there is no session, which reads the service root. */
  async logIn(): Promise<void> {
    await this.#context.login.logIn(this.#limits, this.signal, this.#call);
  }

  /** Waits `ms` milliseconds. Throws the signal's reason as soon as it fires. */
  pause(ms: number): Promise<void> {
    return (this.#limits.pause ?? pause)(ms, this.signal);
  }

  /**
   * Returns the document at `path`.
   * @throws kind `failed` when the response has none
   */
  async get(path: string): Promise<JsonObject> {
    return (await this.getResponse(path)).document;
  }

  /** Does the same as `get`, with the headers: `If-Match` needs the ETag. */
  async getResponse(path: string): Promise<RedfishResponse & { document: JsonObject }> {
    const response = await this.#request('read', 'GET', path);
    if (response.document !== null) return { ...response, document: response.document };
    const url = this.origin + path;
    const type = response.headers['content-type'] ?? 'no content type';
    const message = `HTTP GET ${url} returned ${response.status} without a JSON document (${type})`;
    throw new RedfishError('failed', message, { status: response.status, url });
  }

  /** Gets a task monitor, whose response is the operation's own: it may have any form, and is repeated only as `concernsPoll`. */
  getMonitor(path: string): Promise<RedfishResponse> {
    return this.#request('monitor', 'GET', path);
  }

  /** Gets `path`, and returns the final response, of any status. */
  getAny(path: string): Promise<RawResponse> {
    return this.#exchange('read', 'GET', path);
  }

  /** @param body null sends none */
  post(path: string, body: JsonObject | null): Promise<RedfishResponse> {
    return this.#request('change', 'POST', path, body);
  }

  patch(path: string, body: JsonObject): Promise<RedfishResponse> {
    return this.#request('change', 'PATCH', path, body);
  }

  delete(path: string): Promise<RedfishResponse> {
    return this.#request('change', 'DELETE', path);
  }

  /**
   * Opens a stream at `path`, as `openStream`, with the account's credentials: a session that has ended is replaced once.
   * @throws the BMC's error for any other status than 200
   */
  async openStream(path: string, headers: Record<string, string>): Promise<ResponseStream> {
    const { transport, login } = this.#context;
    const { timeoutMs } = this.#limits;
    for (let tries = 1; ; tries++) {
      const authorization = await login.authorize(this.#limits, this.signal, this.#call);
      try {
        const sent = { ...this.#options.headers, ...headers, ...authorization.headers };
        const response = await openStream(transport, path, sent, timeoutMs, this.signal);
        if (!('status' in response)) return response;
        const hadEnded = login.judge(authorization, response, false);
        if (!hadEnded || tries === 2) throw responseError('GET', this.origin + path, response, this.secrets);
      } finally {
        authorization.release();
      }
    }
  }

  async #request(
    mode: RequestMode,
    method: BmcRequest['method'],
    path: string,
    body: JsonObject | null = null,
  ): Promise<RedfishResponse> {
    const raw = await this.#exchange(mode, method, path, body);
    if (isError(mode, raw)) throw responseError(method, this.origin + path, raw, this.secrets);
    return readResponse(raw);
  }

  async #exchange(
    mode: RequestMode,
    method: BmcRequest['method'],
    path: string,
    body: JsonObject | null = null,
  ): Promise<RawResponse> {
    const text = body === null ? null : JSON.stringify(body);
    const request = { method, path, headers: this.#options.headers ?? {}, body: text };
    this.#context.active++;
    try {
      const { patienceMs: most } = this.#options;
      const { patienceMs: usual } = this.#limits;
      const patienceMs = most === undefined || usual === undefined ? (most ?? usual) : Math.min(most, usual);
      const repeats = new Repeats(mode, patienceMs, this.#limits.pause);
      return await this.#sendAuthorized(request, mode, repeats);
    } finally {
      this.#context.active--;
    }
  }

  /**
   * Sends with the account's credentials unless `anonymous`. Replaces a session that has ended or is in doubt, once; after a
   * connection that broke, only for a read.
   */
  async #sendAuthorized(request: BmcRequest, mode: RequestMode, repeats: Repeats): Promise<RawResponse> {
    const { login, root } = this.#context;
    if (this.#options.anonymous) return this.#send(request, ANONYMOUS, repeats);
    // The service root needs no credentials (DSP0266, 13.3.3).
    const isOpen = request.path === root;
    for (let tries = 1; ; tries++) {
      const authorization = await login.authorize(this.#limits, this.signal, this.#call);
      try {
        const raw = await this.#send(request, authorization, repeats);
        const hadEnded = login.judge(authorization, raw, isOpen);
        if (!hadEnded || tries === 2) return raw;
      } catch (error) {
        const isDoubtful = login.doubt(authorization, error);
        const strayed = error instanceof RedfishError && error.strayed;
        if (!isDoubtful || (mode !== 'read' && !strayed) || tries === 2) throw error;
        repeats.forgetBreaks();
      } finally {
        authorization.release();
      }
    }
  }

  #send(request: BmcRequest, authorization: Authorization, repeats: Repeats): Promise<RawResponse> {
    const headers = { ...request.headers, ...authorization.headers };
    const beforeSend = () => {
      authorization.check?.();
      this.#options.beforeSend?.();
    };
    const { timeoutMs } = this.#options;
    const limits =
      timeoutMs === undefined || timeoutMs >= this.#limits.timeoutMs ? this.#limits : { ...this.#limits, timeoutMs };
    const options = { limits, signal: this.signal, beforeSend, repeats };
    return deliver(this.#context.transport, { ...request, headers }, options);
  }
}
