import type { JsonObject } from '../../core/json.ts';
import { RedfishError } from '../errors.ts';
import { deliver, type Transport } from '../wire/delivery.ts';
import type { RawAnswer } from '../wire/request.ts';
import { answerError, readAnswer } from '../wire/response.ts';
import type { Authorization } from './account.ts';
import type { LostLogIns, Span } from './orphanedSessions.ts';

/** For the requests that tidy up sessions, which nobody waits for long. */
export const ASIDE_LIMITS = { timeoutMs: 1500, connectionAttempts: 1, connectionRetryIntervalMs: 0 };
const ASIDE_TRIES = 3;
const HEADERS = { accept: 'application/json', 'odata-version': '4.0' };

/** What a log-in gave. */
export interface OpenSessionInit {
  token: string;
  /** Where to delete it; null when the BMC did not say. */
  path: string | null;
  /** The collection in which it was made. */
  collection: string;
  made: Span;
}

/** A session that a BMC has opened, and what can be done with it alone: read and delete sessions, its own too. */
export class OpenSession {
  readonly token: string;
  readonly authorization: Authorization;
  readonly #transport: Transport;
  readonly #init: OpenSessionInit;

  constructor(transport: Transport, init: OpenSessionInit) {
    this.token = init.token;
    this.authorization = { kind: 'session', headers: { 'x-auth-token': init.token } };
    this.#transport = transport;
    this.#init = init;
  }

  /** Ends what `lost` log-ins may have left. When that cannot be done now, they are still remembered. */
  async endLost(lost: LostLogIns, signal: AbortSignal): Promise<void> {
    const { path, collection, made } = this.#init;
    if (path === null) return;
    const read = (at: string) => this.#read(at, signal);
    const remove = (at: string) => this.#delete(at, signal);
    const { origin } = this.#transport.connections;
    await lost.endSessions(collection, origin, { path, made }, read, remove).catch(() => undefined);
  }

  /** Deletes the session at the BMC; what goes wrong with that is left to the BMC's own timeout. */
  async end(signal: AbortSignal): Promise<void> {
    const { path } = this.#init;
    if (path !== null) await this.#delete(path, signal).catch(() => undefined);
  }

  async #read(at: string, signal: AbortSignal): Promise<JsonObject> {
    const raw = await this.#untilAnswered('GET', at, signal);
    const { document } = readAnswer(raw);
    if (raw.status < 300 && document !== null) return document;
    throw answerError('GET', this.#transport.connections.origin + at, raw, [this.token]);
  }

  async #delete(at: string, signal: AbortSignal): Promise<void> {
    await this.#untilAnswered('DELETE', at, signal);
  }

  /** Sends a request that can do no harm when it is sent twice, again while the BMC does not answer or fails. */
  async #untilAnswered(method: 'GET' | 'DELETE', path: string, signal: AbortSignal): Promise<RawAnswer> {
    const headers = { ...HEADERS, ...this.authorization.headers };
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
}
