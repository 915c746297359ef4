import type { JsonObject } from '../core/json.ts';
import { pause } from '../core/waiting.ts';
import type { BmcContext } from './bmcContext.ts';
import type { KnownPaths } from './discovered.ts';
import { RedfishError } from './errors.ts';
import type { Authorization } from './login/account.ts';
import { BUSY_TRIES, busyWaitMs, meansBusy } from './wire/busy.ts';
import { deliver, type RequestLimits } from './wire/delivery.ts';
import type { Exchange, RawAnswer } from './wire/request.ts';
import { type Answer, answerError, readAnswer } from './wire/response.ts';

export interface RequestOptions {
  /** Fires when the caller wants no more; then its reason is thrown. */
  signal: AbortSignal;
  /**
   * Called in the very tick in which a request is written, of each request and each try of it anew. When it throws, nothing
   * is sent, and the caller gets what it threw. A log-in, which is everybody's, does not call it.
   */
  beforeSend?: () => void;
  headers?: Record<string, string>;
  /** Whether it is sent without credentials. Default false. */
  asStranger?: boolean;
  /** What the request holds that must not show in an error. */
  secrets?: readonly string[];
}

const STRANGER: Authorization = { kind: 'none', headers: {}, release: () => {} };

/**
 * Sends requests to one BMC with one account. Light: what is costly (connections, login, known paths) is its context's.
 *
 * Every request throws a RedfishError (`RedfishErrorKind` says which), or the signal's reason.
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

  /** What must not show in an error or a progress: the account's password and the session's token. */
  get secrets(): readonly string[] {
    return this.#context.login.secrets;
  }

  get known(): KnownPaths {
    return this.#context.known;
  }

  /** Logs in when there is no session; the log-in reads the service root. */
  async logIn(signal: AbortSignal): Promise<void> {
    await this.#context.login.logIn(this.#limits, signal);
  }

  /** The document at `path`. An answer that holds none is an error of kind `failed`. */
  async get(path: string, options: RequestOptions): Promise<JsonObject> {
    return (await this.getAnswer(path, options)).document;
  }

  /** `get`, with the headers: `If-Match` needs the ETag. */
  async getAnswer(path: string, options: RequestOptions): Promise<Answer & { document: JsonObject }> {
    const answer = await this.#request('GET', path, null, options);
    if (answer.document !== null) return { ...answer, document: answer.document };
    const url = this.origin + path;
    const type = answer.headers['content-type'] ?? 'no content type';
    throw new RedfishError(
      'failed',
      `HTTP GET ${url} was answered ${answer.status} without a JSON document (${type})`,
      {
        status: answer.status,
        url,
      },
    );
  }

  /** A GET whose answer may have any form, as a task monitor's has. */
  getTaskAnswer(path: string, options: RequestOptions): Promise<Answer> {
    return this.#request('GET', path, null, options);
  }

  /** @param body null sends none */
  post(path: string, body: JsonObject | null, options: RequestOptions): Promise<Answer> {
    return this.#request('POST', path, body, options);
  }

  patch(path: string, body: JsonObject, options: RequestOptions): Promise<Answer> {
    return this.#request('PATCH', path, body, options);
  }

  delete(path: string, options: RequestOptions): Promise<Answer> {
    return this.#request('DELETE', path, null, options);
  }

  async #request(
    method: Exchange['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
  ): Promise<Answer> {
    const url = this.origin + path;
    this.#context.active++;
    try {
      for (let tries = 1; ; tries++) {
        const raw = await this.#sendAuthorized(method, path, body, options);
        if (raw.status < 400) return readAnswer(raw);
        const error = answerError(method, url, raw, [...this.secrets, ...(options.secrets ?? [])]);
        if (tries === BUSY_TRIES || !meansBusy(error)) throw error;
        const wait = busyWaitMs(tries, raw.headers);
        await pause(wait, options.signal);
      }
    } finally {
      this.#context.active--;
    }
  }

  /** Sends with the account's credentials, unless as a stranger; a session that has ended is replaced once. */
  async #sendAuthorized(
    method: Exchange['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
  ): Promise<RawAnswer> {
    const { login, root } = this.#context;
    if (options.asStranger) return this.#send(method, path, body, options, STRANGER);
    // The service root is open to everyone (DSP0266, 13.3.3).
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
    method: Exchange['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
    authorization: Authorization,
  ): Promise<RawAnswer> {
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
