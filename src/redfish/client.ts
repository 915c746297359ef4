import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../core/json.ts';
import type { Conversation } from './bmcContext.ts';
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

/**
 * Asks one BMC with one account. Light: what is costly (connections, session, known paths) is its conversation's.
 *
 * Every request throws a RedfishError (`RedfishErrorKind` says which), or the signal's reason.
 */
export class RedfishClient {
  readonly #conversation: Conversation;
  readonly #limits: RequestLimits;

  constructor(conversation: Conversation, limits: RequestLimits) {
    this.#conversation = conversation;
    this.#limits = limits;
  }

  /** `https://bmc.example`. */
  get origin(): string {
    return this.#conversation.transport.connections.origin;
  }

  /** Path of the service root, for example `/redfish/v1/`. */
  get root(): string {
    return this.#conversation.root;
  }

  /** What must not show in an error or a progress: the account's password and the session's token. */
  get secrets(): readonly string[] {
    return this.#conversation.session.secrets;
  }

  get known(): KnownPaths {
    return this.#conversation.known;
  }

  /** Logs in when there is no session; the log-in reads the service root. */
  async logIn(signal: AbortSignal): Promise<void> {
    await this.#conversation.session.authorize(this.#limits, signal);
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
    this.#conversation.active++;
    try {
      for (let tries = 1; ; tries++) {
        const raw = await this.#sendAuthorized(method, path, body, options);
        if (raw.status < 400) return readAnswer(raw);
        const error = answerError(method, url, raw, [...this.secrets, ...(options.secrets ?? [])]);
        if (tries === BUSY_TRIES || !meansBusy(error)) throw error;
        const wait = busyWaitMs(tries, raw.headers);
        await sleep(wait, undefined, { signal: options.signal }).catch(() => options.signal.throwIfAborted());
      }
    } finally {
      this.#conversation.active--;
    }
  }

  /** Sends with the conversation's session, unless as a stranger. */
  #sendAuthorized(
    method: Exchange['method'],
    path: string,
    body: JsonObject | null,
    options: RequestOptions,
  ): Promise<RawAnswer> {
    const { session, root } = this.#conversation;
    if (options.asStranger) return this.#send(method, path, body, options, { kind: 'none', headers: {} });
    const send = (authorization: Authorization, check?: () => void) => {
      if (check === undefined) return this.#send(method, path, body, options, authorization);
      const beforeSend = () => {
        check();
        options.beforeSend?.();
      };
      return this.#send(method, path, body, { ...options, beforeSend }, authorization);
    };
    // The service root is open to everyone (DSP0266, 13.3.3).
    return session.send(path === root, send, this.#limits, options.signal);
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
    const { signal, beforeSend } = options;
    const request = { method, path, headers, body: text };
    return deliver(this.#conversation.transport, request, this.#limits, signal, beforeSend);
  }
}
