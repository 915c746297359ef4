import type { JsonObject } from '../core/json.ts';
import type { Recorder } from '../core/transcript.ts';
import { pause } from '../core/waiting.ts';
import type { BmcContext } from './bmcContext.ts';
import type { Discovered } from './discovered.ts';
import { RedfishError } from './errors.ts';
import { ANONYMOUS, type Authorization, type AuthType } from './login/account.ts';
import type { LoginState } from './login/login.ts';
import { deliver, type RequestLimits } from './wire/delivery.ts';
import type { BmcRequest, RawResponse } from './wire/request.ts';
import {
  BUSY_TRIES,
  busyWaitMs,
  meansBusy,
  type RedfishResponse,
  readResponse,
  responseError,
} from './wire/response.ts';

/** The options shared by all requests of one call. */
export interface RequestOptions {
  /** Aborts the request, which throws its reason. */
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

  constructor(context: BmcContext, limits: RequestLimits, options: RequestOptions) {
    this.#context = context;
    this.#limits = limits;
    this.#options = options;
  }

  /** Returns a client with other options; `headers` and `beforeSend` are added to those of this one. */
  with(change: Partial<RequestOptions>): RedfishClient {
    const { headers, beforeSend } = this.#options;
    if (change.secrets !== undefined) this.#limits.transcript?.hide(change.secrets);
    return new RedfishClient(this.#context, this.#limits, {
      ...this.#options,
      ...change,
      headers: { ...headers, ...change.headers },
      beforeSend() {
        beforeSend?.();
        change.beforeSend?.();
      },
    });
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
    await this.#context.login.logIn(this.#limits, this.signal);
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
    const response = await this.#request('GET', path);
    if (response.document !== null) return { ...response, document: response.document };
    const url = this.origin + path;
    const type = response.headers['content-type'] ?? 'no content type';
    const message = `HTTP GET ${url} returned ${response.status} without a JSON document (${type})`;
    throw new RedfishError('failed', message, { status: response.status, url });
  }

  /** Gets a task monitor, whose response may have any form. */
  getMonitor(path: string): Promise<RedfishResponse> {
    return this.#request('GET', path);
  }

  /** @param body null sends none */
  post(path: string, body: JsonObject | null): Promise<RedfishResponse> {
    return this.#request('POST', path, body);
  }

  patch(path: string, body: JsonObject): Promise<RedfishResponse> {
    return this.#request('PATCH', path, body);
  }

  delete(path: string): Promise<RedfishResponse> {
    return this.#request('DELETE', path);
  }

  async #request(method: BmcRequest['method'], path: string, body: JsonObject | null = null): Promise<RedfishResponse> {
    const text = body === null ? null : JSON.stringify(body);
    const request = { method, path, headers: this.#options.headers ?? {}, body: text };
    this.#context.active++;
    try {
      for (let tries = 1; ; tries++) {
        const raw = await this.#sendAuthorized(request);
        if (raw.status < 400) return readResponse(raw);
        const error = responseError(method, this.origin + path, raw, this.secrets);
        if (tries === BUSY_TRIES || !meansBusy(error)) throw error;
        await pause(busyWaitMs(tries, raw.headers), this.signal);
      }
    } finally {
      this.#context.active--;
    }
  }

  /** Sends with the account's credentials unless `anonymous`; replaces a session that has ended, once. */
  async #sendAuthorized(request: BmcRequest): Promise<RawResponse> {
    const { login, root } = this.#context;
    if (this.#options.anonymous) return this.#send(request, ANONYMOUS);
    // The service root needs no credentials (DSP0266, 13.3.3).
    const isOpen = request.path === root;
    for (let tries = 1; ; tries++) {
      const authorization = await login.authorize(this.#limits, this.signal);
      try {
        const raw = await this.#send(request, authorization);
        const hadEnded = login.judge(authorization, raw, isOpen);
        if (!hadEnded || tries === 2) return raw;
      } finally {
        authorization.release();
      }
    }
  }

  #send(request: BmcRequest, authorization: Authorization): Promise<RawResponse> {
    const headers = { ...request.headers, ...authorization.headers };
    const beforeSend = () => {
      authorization.check?.();
      this.#options.beforeSend?.();
    };
    const options = { limits: this.#limits, signal: this.signal, beforeSend };
    return deliver(this.#context.transport, { ...request, headers }, options);
  }
}
