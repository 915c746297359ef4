import { Code, ConnectError } from '@connectrpc/connect';
import { type ErrorDetail, ErrorDetailSchema, ErrorReason, type Reservation } from '../../gen/passthru/v1/error_pb.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { timeText } from './print/time.ts';
import type { Server } from './server.ts';

/**
 * `error` as the end of a command: an exit status and what to print. Anything but a failure of a call to `server` is
 * thrown again.
 */
export function toCommandFailure(error: unknown, server: Server): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (!(error instanceof ConnectError)) throw error;
  const detail = findDetail(error);
  if (detail !== null) {
    const advice = detail.reason === ErrorReason.UNAUTHENTICATED ? `\n  ${server.advice.signOn}` : '';
    return new CommandFailure(exitStatus(detail.reason), describeDetail(detail) + advice);
  }
  const cause = findCode(error);
  if (cause !== null) return unreachable(server, cause);
  switch (error.code) {
    case Code.Unavailable:
      return new CommandFailure(
        EXIT_STATUS.unreachable,
        `cannot reach ${server.url}: ${error.rawMessage}${server.advice.address}`,
      );
    // Nothing is cancelled by this side without a detail: the other one ended the stream, or the connection.
    case Code.Canceled:
      return unreachable(server, 'ECONNRESET');
    case Code.Unimplemented:
      return new CommandFailure(
        EXIT_STATUS.unreachable,
        `${server.url} is not where the service is (${error.rawMessage}): it takes scheme, host and port${server.advice.address}`,
      );
    default:
      return new CommandFailure(EXIT_STATUS.failed, `${server.url} answered ${Code[error.code]}: ${error.rawMessage}`);
  }
}

/** Whether a stream that ended with `error` may be taken up again: its connection broke, or the service restarts. */
export function isBroken(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  const detail = findDetail(error);
  if (detail !== null) {
    return NOT_NOW.has(detail.reason);
  }
  const broken = [Code.Unavailable, Code.Aborted, Code.Internal, Code.Unknown, Code.Canceled, Code.DataLoss];
  return broken.includes(error.code);
}

/** The service, or what it depends on, is not there now. */
const NOT_NOW: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.SHUTTING_DOWN,
  ErrorReason.STORE_UNAVAILABLE,
  ErrorReason.IDENTITY_UNAVAILABLE,
]);

/** `error`, of a request to `server` that got no answer, as the end of a command. */
export function unansweredRequest(error: Error, server: Server): CommandFailure {
  const code = findCode(new Error('', { cause: error }));
  if (code !== null) return unreachable(server, code);
  return new CommandFailure(EXIT_STATUS.unreachable, `cannot reach ${server.url}: ${error.message}`);
}

/** What `detail` tells a person: the message, who holds the node, and what was wrong with each argument. */
export function describeDetail(detail: ErrorDetail): string {
  const lines = [detail.message];
  if (detail.lock !== undefined) lines.push(`  ${describeLock(detail.lock)}`);
  for (const { field, description } of detail.violations) {
    // Most messages are made of their violations already.
    if (!detail.message.includes(description)) lines.push(`  ${field}: ${description}`);
  }
  return lines.join('\n');
}

function describeLock({ holder, method, job, requestedBy, since }: Reservation): string {
  const parts = [`held by ${holder}`];
  if (since !== undefined) parts.push(`since ${timeText(since)}`);
  if (method !== '') parts.push(`for ${method}${job === '' ? '' : ` (job ${job})`}`);
  if (requestedBy !== '') parts.push(`requested by ${requestedBy}`);
  return parts.join(', ');
}

function findDetail(error: ConnectError): ErrorDetail | null {
  return error.findDetails(ErrorDetailSchema)[0] ?? null;
}

function exitStatus(reason: ErrorReason): number {
  switch (reason) {
    case ErrorReason.NODE_NOT_FOUND:
    case ErrorReason.DRIVER_NOT_FOUND:
    case ErrorReason.JOB_NOT_FOUND:
    case ErrorReason.SUBSCRIPTION_NOT_FOUND:
      return EXIT_STATUS.notFound;
    case ErrorReason.NODE_LOCKED:
      return EXIT_STATUS.locked;
    case ErrorReason.SHUTTING_DOWN:
    case ErrorReason.STORE_UNAVAILABLE:
    case ErrorReason.IDENTITY_UNAVAILABLE:
      return EXIT_STATUS.unreachable;
    default:
      return EXIT_STATUS.failed;
  }
}

/** The faults of a connection that was not made, or was cut. */
const CONNECTION_FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be resolved now',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the host',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it does not answer',
  ERR_HTTP2_ERROR: 'it does not speak HTTP/2',
};

const UNTRUSTED = 'its certificate is not trusted';

/** The faults of a connection that TLS was not agreed on. */
const TLS_FAULTS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; http:// may be meant',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS; http:// may be meant',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a client certificate',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
};

/** The end of a command whose connection to `server` failed with the system's `code`. */
function unreachable({ url, advice }: Server, code: string): CommandFailure {
  let why = TLS_FAULTS[code] ?? `${CONNECTION_FAULTS[code] ?? code}${advice.address}`;
  if (why === UNTRUSTED) why += `; ${advice.authorities} names more authorities`;
  // A listener of TLS cuts what is none.
  if (CONNECTION_FAULTS[code] === CONNECTION_FAULTS.ECONNRESET && url.startsWith('http:')) {
    why = `${CONNECTION_FAULTS[code]}; https:// may be meant${advice.address}`;
  }
  return new CommandFailure(EXIT_STATUS.unreachable, `cannot reach ${url}: ${why}`);
}

/** The code of the system error behind `error`; null when there is none. */
function findCode(error: Error): string | null {
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    if (cause instanceof AggregateError && cause.errors[0] instanceof Error)
      return findCode(new Error('', { cause: cause.errors[0] }));
  }
  return null;
}
