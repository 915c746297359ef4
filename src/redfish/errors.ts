import type { JsonObject } from '../core/json.ts';

/**
 * How a request to a BMC failed.
 * - `unreachable`: no connection; the request was never sent, or it was safe and the connection broke on every try.
 * - `timeout`: the BMC did not respond in time, and the request cannot have changed anything.
 * - `busy`: too many requests to this BMC are in flight here; this one was not sent.
 * - `tls`: the TLS handshake failed; nothing was sent.
 * - `auth`: the BMC refused the credentials.
 * - `not-found`: the BMC said that the resource does not exist.
 * - `exists`: the BMC refused a duplicate.
 * - `occupied`: the BMC has no free device.
 * - `unsupported`: the BMC lacks what the call needs, or it is disabled.
 * - `refused`: the BMC returned 4xx.
 * - `failed`: the BMC returned 5xx, an error with a status of success, or a response that is not Redfish.
 * - `outcome-unknown`: a request that may change something was sent and got no response.
 * - `stopped`: the caller's signal fired; the message says how far the work had got, and `cause` is the signal's reason.
 * When the caller's signal fires and there is nothing to add, its `reason` is thrown instead of a RedfishError.
 */
export type RedfishErrorKind =
  | 'unreachable'
  | 'timeout'
  | 'busy'
  | 'tls'
  | 'auth'
  | 'not-found'
  | 'exists'
  | 'occupied'
  | 'unsupported'
  | 'refused'
  | 'failed'
  | 'outcome-unknown'
  | 'stopped';

/** Details of a failed request. */
interface RedfishErrorContext {
  /** HTTP status of the response; 0 when there was none. */
  status?: number;
  /** Entries of `@Message.ExtendedInfo`; empty when there were none. */
  extendedInfo?: JsonObject[];
  /** The requested URL, which contains no credentials. */
  url?: string;
  /** Whether the connection broke after the request was sent and before a status arrived. Default false. */
  reset?: boolean;
  /** Whether the BMC redirected the request to a page of its web server, so that it was not carried out. Default false. */
  strayed?: boolean;
  cause?: unknown;
}

/** A failed request to a BMC. `message` contains no secret. */
export class RedfishError extends Error {
  override readonly name = 'RedfishError';
  readonly kind: RedfishErrorKind;
  readonly status: number;
  readonly extendedInfo: JsonObject[];
  readonly url: string | undefined;
  /** Whether the connection broke after the request was sent and before a status arrived. */
  readonly reset: boolean;
  /** Whether the BMC redirected the request to a page of its web server, so that it was not carried out. */
  readonly strayed: boolean;

  constructor(kind: RedfishErrorKind, message: string, context: RedfishErrorContext = {}) {
    const { status = 0, extendedInfo = [], url, reset = false, strayed = false, cause } = context;
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.status = status;
    this.extendedInfo = extendedInfo;
    this.url = url;
    this.reset = reset;
    this.strayed = strayed;
  }
}

/** Whether the BMC said that a resource does not exist (404 or 410). */
export function isNotFound(error: unknown): error is RedfishError {
  return error instanceof RedfishError && (error.status === 404 || error.status === 410);
}

/** Returns the result of a request; null when the BMC says that the resource does not exist. */
export async function ifFound<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Returns the error of an unknown outcome, with what a check of the BMC has found. */
export function withFinding(error: RedfishError, finding: string): RedfishError {
  const { status, extendedInfo, url } = error;
  return new RedfishError('outcome-unknown', `${error.message}. ${finding}`, {
    status,
    extendedInfo,
    url,
    cause: error,
  });
}

/** Whether the BMC returned one of `statuses`. */
export function hasStatus(error: unknown, ...statuses: number[]): error is RedfishError {
  return error instanceof RedfishError && statuses.includes(error.status);
}
