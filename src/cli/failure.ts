import { Code, ConnectError } from '@connectrpc/connect';
import {
  type ErrorDetail,
  ErrorDetailSchema,
  ErrorReason,
  type Reservation,
  ReservationKind,
} from '../../gen/passthru/v1/error_pb.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { timeText } from './print/output.ts';
import type { Server } from './server.ts';

/** Converts a failed call to `server` into the error that ends the command; rethrows any other error. */
export function toCommandFailure(error: unknown, server: Server): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (!(error instanceof ConnectError)) throw error;
  const detail = findDetail(error);
  const isLate = error.code === Code.DeadlineExceeded && (detail?.reason ?? TIME_IS_UP) === TIME_IS_UP;
  if (isLate && server.timeout !== undefined) return timedOut(server);
  if (detail !== null) {
    const advice = detail.reason === ErrorReason.UNAUTHENTICATED ? `\n  ${server.advice.credentials}` : '';
    return new CommandFailure(exitStatus(detail.reason), describeDetail(detail) + advice);
  }
  const cause = findCode(error);
  if (cause !== null) return unreachable(server, cause);
  switch (error.code) {
    case Code.Unavailable:
      return cannotReach(server, `${error.rawMessage}${server.advice.address}`);
    // This side never cancels here: the server ended the stream or the connection.
    case Code.Canceled:
      return unreachable(server, 'ECONNRESET');
    case Code.Unimplemented:
      return new CommandFailure(
        EXIT_STATUS.unreachable,
        `${server.url} is not the address of a passthru service (${error.rawMessage}); give scheme, host and port${server.advice.address}`,
      );
    default:
      return new CommandFailure(EXIT_STATUS.failed, `${server.url} responded ${Code[error.code]}: ${error.rawMessage}`);
  }
}

const TIME_IS_UP = ErrorReason.DEADLINE_EXCEEDED;

/** Returns the error for a request that took longer than `--timeout` allows. */
function timedOut({ url, timeout = 0 }: Server): CommandFailure {
  const text = `no response from ${url} within ${timeout / 1000} s (--timeout); what was requested may still be carried out`;
  return new CommandFailure(EXIT_STATUS.timedOut, text);
}

/** Whether a stream that failed with `error` can be resumed: the connection broke, or the service is restarting. */
export function isBroken(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  const detail = findDetail(error);
  if (detail !== null) return exitStatus(detail.reason) === EXIT_STATUS.unreachable;
  const broken = [Code.Unavailable, Code.Aborted, Code.Internal, Code.Unknown, Code.Canceled, Code.DataLoss];
  return broken.includes(error.code);
}

/** Converts `error`, of a request to `server` without a response, into the error that ends the command. */
export function failedRequest(error: Error, server: Server): CommandFailure {
  const code = findCode(new Error('', { cause: error }));
  if (server.timeout !== undefined && /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(code ?? '')) return timedOut(server);
  return code === null ? cannotReach(server, error.message) : unreachable(server, code);
}

/** Formats `detail`: the message, the holder of a locked node, each invalid argument, and how to read the transcript. */
export function describeDetail(detail: ErrorDetail): string {
  const lines = [plainMessage(detail.message)];
  if (detail.lock !== undefined) lines.push(`  ${describeLock(detail.lock)}`, `  ${lockAdvice(detail.lock)}`);
  for (const { field, description } of detail.violations) {
    // Most messages contain their violations.
    if (!detail.message.includes(description)) lines.push(`  ${field}: ${description}`);
  }
  if (detail.transcriptId !== '') lines.push(`  ${transcriptLine(detail.transcriptId)}`);
  return lines.join('\n');
}

/**
 * Returns a message of the service without the words by which Ironic joins the errors of its layers: `Redfish exception
 * occurred. Error: A failed. Error: B` becomes `A failed: B`.
 */
export function plainMessage(message: string): string {
  return message
    .replace(/^Redfish exception occurred\. Error: /, '')
    .replaceAll(/\.? Error: /g, ': ')
    .replace(/\.? See @Message\.ExtendedInfo for more information\.?/, '');
}

function lockAdvice({ kind }: Reservation): string {
  return kind === ReservationKind.HELD
    ? 'release it by passthru node unlock, call with its key by --reservation-key, or wait longer by --lock-wait'
    : 'wait longer by --lock-wait';
}

/** Returns the line that says how to read the transcript of a call. */
export function transcriptLine(id: string): string {
  return `transcript: passthru job transcript ${id}`;
}

function describeLock({ holder, method, job, requestedBy, since, reason, expireTime }: Reservation): string {
  const parts = [`held by ${holder}`];
  if (since !== undefined) parts.push(`since ${timeText(since)}`);
  if (method !== '') parts.push(`for ${method}${job === '' ? '' : ` (job ${job})`}`);
  if (requestedBy !== '') parts.push(`requested by ${requestedBy}`);
  if (expireTime !== undefined) parts.push(`until ${timeText(expireTime)}`);
  if (reason !== '') parts.push(`because: ${reason}`);
  return parts.join(', ');
}

function findDetail(error: ConnectError): ErrorDetail | null {
  return error.findDetails(ErrorDetailSchema)[0] ?? null;
}

function exitStatus(reason: ErrorReason): number {
  return EXIT_STATUSES[reason] ?? EXIT_STATUS.failed;
}

const EXIT_STATUSES: { [reason in ErrorReason]?: number } = {
  [ErrorReason.NODE_NOT_FOUND]: EXIT_STATUS.notFound,
  [ErrorReason.DRIVER_NOT_FOUND]: EXIT_STATUS.notFound,
  [ErrorReason.JOB_NOT_FOUND]: EXIT_STATUS.notFound,
  [ErrorReason.SUBSCRIPTION_NOT_FOUND]: EXIT_STATUS.notFound,
  [ErrorReason.TRANSCRIPT_NOT_FOUND]: EXIT_STATUS.notFound,
  [ErrorReason.EVENT_SOURCE_NOT_FOUND]: EXIT_STATUS.notFound,
  [ErrorReason.NODE_LOCKED]: EXIT_STATUS.locked,
  [ErrorReason.SHUTTING_DOWN]: EXIT_STATUS.unreachable,
  [ErrorReason.STORE_UNAVAILABLE]: EXIT_STATUS.unreachable,
  [ErrorReason.IDENTITY_UNAVAILABLE]: EXIT_STATUS.unreachable,
};

/** The errors of connections that failed or were closed. */
const CONNECTION_FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed by the server',
  UND_ERR_SOCKET: 'connection closed by the server',
  ENOTFOUND: 'unknown host',
  EAI_AGAIN: 'the host name cannot be resolved at the moment',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'no route to host',
  ETIMEDOUT: 'timed out',
  UND_ERR_CONNECT_TIMEOUT: 'timed out',
  UND_ERR_HEADERS_TIMEOUT: 'timed out',
  UND_ERR_BODY_TIMEOUT: 'timed out',
  ERR_HTTP2_ERROR: 'the server does not support HTTP/2',
};

const UNTRUSTED = 'its certificate is not trusted';

/** The errors of TLS handshakes. */
const TLS_FAULTS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not use TLS; try http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server does not use TLS; try http://',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the server requires a client certificate',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for a different name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
};

/** Returns the error for a connection to `server` that failed with the system's `code`. */
function unreachable(server: Server, code: string): CommandFailure {
  const { url, advice } = server;
  let why = TLS_FAULTS[code] ?? `${CONNECTION_FAULTS[code] ?? code}${advice.address}`;
  if (why === UNTRUSTED) why += `; use ${advice.authorities} to trust its CA`;
  // A TLS listener closes a connection that does not begin a handshake.
  if (CONNECTION_FAULTS[code] === CONNECTION_FAULTS.ECONNRESET && url.startsWith('http:')) {
    why = `${CONNECTION_FAULTS[code]}; try https://${advice.address}`;
  }
  return cannotReach(server, why);
}

function cannotReach({ url }: Server, why: string): CommandFailure {
  return new CommandFailure(EXIT_STATUS.unreachable, `cannot reach ${url}: ${why}`);
}

/** Returns the code of the system error in the causes of `error`; null when there is none. */
function findCode(error: Error): string | null {
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    if (cause instanceof AggregateError && cause.errors[0] instanceof Error)
      return findCode(new Error('', { cause: cause.errors[0] }));
  }
  return null;
}
