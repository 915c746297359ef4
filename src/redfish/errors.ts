import type { JsonObject } from '../core/json.ts';

/**
 * How a request to a BMC failed.
 * - `unreachable`: no connection; the request never left, or it was safe and the connection broke on every try.
 * - `timeout`: the BMC did not answer in time, and nothing can have changed by it.
 * - `busy`: too many requests to this BMC are under way here; this one was not sent.
 * - `tls`: the TLS handshake failed; nothing was sent.
 * - `auth`: the BMC refused the credentials.
 * - `not-found`: what was asked for is not at the BMC, as the BMC itself said.
 * - `unsupported`: the BMC lacks what the call needs, or it is switched off there.
 * - `refused`: the BMC answered 4xx.
 * - `failed`: the BMC answered 5xx, or what is not Redfish.
 * - `outcome-unknown`: a request that may change something was sent and got no answer.
 * - `stopped`: the caller's signal fired, and the message tells how far the work had come; `cause` is the signal's reason.
 * When the caller's signal fires, its `reason` is thrown instead of a RedfishError, where there is nothing more to tell.
 */
export type RedfishErrorKind =
  | 'unreachable'
  | 'timeout'
  | 'busy'
  | 'tls'
  | 'auth'
  | 'not-found'
  | 'unsupported'
  | 'refused'
  | 'failed'
  | 'outcome-unknown'
  | 'stopped';

/** What is known of the failed request beside its kind. */
export interface RedfishErrorContext {
  /** HTTP status of the BMC's answer; 0 when there was none. */
  status?: number;
  /** Entries of `@Message.ExtendedInfo`; empty when the BMC gave none. */
  extendedInfo?: JsonObject[];
  /** The URL that was asked; it holds no credentials. */
  url?: string;
  cause?: unknown;
}

/** What every function of this directory throws about a BMC. `message` holds no secret. */
export class RedfishError extends Error {
  override readonly name = 'RedfishError';
  readonly kind: RedfishErrorKind;
  readonly status: number;
  readonly extendedInfo: JsonObject[];
  readonly url: string | undefined;

  constructor(kind: RedfishErrorKind, message: string, context: RedfishErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.kind = kind;
    this.status = context.status ?? 0;
    this.extendedInfo = context.extendedInfo ?? [];
    this.url = context.url;
  }
}

/** Whether `error` is the BMC's word that a resource is not there (404 or 410). */
export function isNotFound(error: unknown): error is RedfishError {
  return error instanceof RedfishError && (error.status === 404 || error.status === 410);
}

/** Whether the BMC answered `error` with one of `statuses`. */
export function hasStatus(error: unknown, ...statuses: number[]): error is RedfishError {
  return error instanceof RedfishError && statuses.includes(error.status);
}
