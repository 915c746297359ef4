import type { JsonObject } from '../core/json.ts';
import { pause } from '../core/waiting.ts';
import type { BmcContext } from './bmcContext.ts';
import type { Discovered } from './discovered.ts';
import { RedfishError } from './errors.ts';
import type { Authorization } from './login/account.ts';
import { BUSY_TRIES, busyWaitMs, meansBusy } from './wire/busy.ts';
import { deliver, type RequestLimits } from './wire/delivery.ts';
import type { BmcRequest, RawResponse } from './wire/request.ts';
import { type RedfishResponse, readResponse, responseError } from './wire/response.ts';

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
}

const ANONYMOUS: Authorization = { kind: 'none', headers: {}, release: () => {} };

/**
 * Sends requests to one BMC with one account. Cheap to make: connections, login and discovered paths are its context's.
 *
 * Every request throws a RedfishError (see `RedfishErrorKind`) or the signal's reason.
 */
export class RedfishClient {
  readonly #context: BmcContext;
  readonly #limits: RequestLimits;

  constructor(context: BmcContext, limits: RequestLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  /** `https://bmc.example`. */
  get origin(): string {
    return this.#context.transport.connections.origin;
  }

  /** Path of the service root, for example `/redfish/v1/`. */
  get root(): string {
    return this.#context.root;
  }

  /** The account's password and the session's token, to redact in errors and progress. */
  get secrets(): readonly string[] {
    return this.#context.login.secrets;
  }

  get discovered(): Discovered {
    return this.#context.discovered;
  }

  /** Logs in when there is no session, which reads the service root. */
  async logIn(signal: AbortSignal): Promise<void> {
    await this.#context.login.logIn(this.#limits, signal);
  }

  /**
   * Returns the document at `path`.
   * @throws kind `failed` when the response has none
   */
  async get(path: string, options: RequestOptions): Promise<JsonObject> {
    return (await this.getResponse(path, options)).document;
  }

  /** Does the same as `get`, with the headers: `If-Match` needs the ETag. */
  async getResponse(path: string, options: RequestOptions): Promise<RedfishResponse & { document: JsonObject }> {
    const response = await this.#request('GET', path, null, options);
    if (response.document !== null) return { ...response, document: response.document };
    const url = this.origin + path;
    const type = response.headers['content-type'] ?? 'no content type';
    const message = `HTTP GET ${url} returned ${response.status} without a JSON document (${type})`;
    throw new RedfishError('failed', message, { status: response.status, url });
  }

  /** Gets a task monitor, whose response may have any form. */
  getMonitor(path: string, options: RequestOptions): Promise<RedfishResponse> {
    return this.#request('GET', path, null, options);
  }

  /** @param body null sends none */
  post(path: string, body: JsonObject | null, options: RequestOptions): Promise<RedfishResponse> {
    return this.#request('POST', path, body, options);
  }

  patch(path: string, body: JsonObject, options: RequestOptions): Promise<RedfishResponse> {
    return this.#request('PATCH', path, body, options);
  }

  delete(path: string, options: RequestOptions): Promise<RedfishResponse> {
    return this.#request('DELETE', path, null, options);
  }

  async #request(
    method: BmcRequest['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
  ): Promise<RedfishResponse> {
    const url = this.origin + path;
    this.#context.active++;
    try {
      for (let tries = 1; ; tries++) {
        const raw = await this.#sendAuthorized(method, path, body, options);
        if (raw.status < 400) return readResponse(raw);
        const error = responseError(method, url, raw, [...this.secrets, ...(options.secrets ?? [])]);
        if (tries === BUSY_TRIES || !meansBusy(error)) throw error;
        const wait = busyWaitMs(tries, raw.headers);
        await pause(wait, options.signal);
      }
    } finally {
      this.#context.active--;
    }
  }

  /** Sends with the account's credentials unless `anonymous`; replaces a session that has ended, once. */
  async #sendAuthorized(
    method: BmcRequest['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
  ): Promise<RawResponse> {
    const { login, root } = this.#context;
    if (options.anonymous) return this.#send(method, path, body, options, ANONYMOUS);
    // The service root needs no credentials (DSP0266, 13.3.3).
    const isOpen = path === root;
    for (let tries = 1; ; tries++) {
      const authorization = await login.authorize(this.#limits, options.signal);
      try {
        const raw = await this.#send(method, path, body, options, authorization);
        const hadEnded = login.judge(authorization, raw, isOpen);
        if (!hadEnded || tries === 2) return raw;
      } finally {
        authorization.release();
      }
    }
  }

  #send(
    method: BmcRequest['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
    authorization: Authorization,
  ): Promise<RawResponse> {
    const headers: Record<string, string> = {
      accept: 'application/json',
      'odata-version': '4.0',
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
      ...authorization.headers,
    };
    const text = body === null ? null : JSON.stringify(body);
    const beforeSend = () => {
      authorization.check?.();
      options.beforeSend?.();
    };
    const request = { method, path, headers, body: text };
    return deliver(this.#context.transport, request, this.#limits, options.signal, beforeSend);
  }
}
