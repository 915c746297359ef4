import { cutEntries, cutText, ERROR_ENTRIES, MESSAGE_BYTES } from './bounds.ts';
import type { JsonObject } from './json.ts';
import { fromReservationRecord, type Reservation } from './reservation.ts';
import { maskOwnSecrets } from './secrets.ts';

/** The kinds of error. `ERROR_MAPPINGS` in `../contract/errorMapping.ts` alone maps them to REST statuses and gRPC codes. */
const ERROR_KINDS = [
  'invalid_argument',
  'unknown_method',
  'verb_not_allowed',
  'unauthenticated',
  'permission_denied',
  'node_not_found',
  'driver_not_found',
  'job_not_found',
  'transcript_not_found',
  'subscription_not_found',
  'event_source_not_found',
  'already_exists',
  'subscription_exists',
  'node_locked',
  'reservation_ended',
  'too_large',
  'version_not_acceptable',
  'rate_limited',
  'no_free_worker',
  'shutting_down',
  'store_unavailable',
  'identity_unavailable',
  'cancelled',
  'deadline_exceeded',
  'bmc_unreachable',
  'bmc_timeout',
  'bmc_refused',
  'bmc_failed',
  'bmc_busy',
  'bmc_unsupported',
  'bmc_tls_failed',
  'outcome_unknown',
  'driver_not_ready',
  'worker_lost',
  'internal',
  'not_served',
  'failed_precondition',
] as const;

const KNOWN_KINDS: ReadonlySet<string> = new Set(ERROR_KINDS);

/** One of `ERROR_KINDS`. */
export type ErrorKind = (typeof ERROR_KINDS)[number];

/** One wrong field of the caller's input. */
export interface FieldViolation {
  /** Path of the field, for example `arguments.Destination`. */
  field: string;
  /** What is wrong and what is allowed. */
  description: string;
}

/** A BMC's response when it refused or failed. */
export interface BmcAnswer {
  /** The HTTP status; 0 without a response. */
  status: number;
  /** The entries of `@Message.ExtendedInfo` (DSP0266, "Error responses"), as the BMC sent them. */
  extendedInfo: JsonObject[];
}

/** The call in which a defect showed, for the log; null for what was not found. */
export interface FailedCall {
  /** The UUID of the node; null also for a driver method. */
  node: string | null;
  node_name: string | null;
  driver: string | null;
  method: string | null;
}

/** The details of an error beside its kind and message. */
export interface ErrorContext {
  violations?: FieldViolation[];
  /** With `node_locked`: the reservation of the node. */
  lock?: Reservation;
  /** With the `bmc_` kinds and `outcome_unknown`: the BMC's response. */
  bmc?: BmcAnswer;
  /** The id of the transcript of the call that failed. */
  transcriptId?: string;
  /** Whether parts were already left out. */
  truncated?: boolean;
  /** With `internal`: the call that failed. Never shown to callers. */
  call?: FailedCall;
  cause?: unknown;
}

/** The maximum length of a violation's field and of its description, in bytes of UTF-8. */
const VIOLATION_BYTES = 1024;

/**
 * The only type of error that leaves the core. `message` tells the caller what happened, to which field or node, and what
 * to do, without secrets and internal text. Any other error is a defect, which callers get as kind `internal` without its text.
 *
 * A BMC, a driver or a caller decides how long its parts are, so each is cut here, where every error passes.
 */
export class PassthruError extends Error {
  override readonly name = 'PassthruError';
  readonly kind: ErrorKind;
  readonly violations: FieldViolation[];
  readonly lock: Reservation | undefined;
  readonly bmc: BmcAnswer | undefined;
  readonly transcriptId: string | undefined;
  /** Whether parts were left out. */
  readonly truncated: boolean;
  /** Only with `internal`, and not shown to callers. */
  readonly call: FailedCall | undefined;

  constructor(kind: ErrorKind, message: string, context: ErrorContext = {}) {
    const whole = maskOwnSecrets(String(message));
    const text = cutText(whole, MESSAGE_BYTES);
    super(text, context.cause === undefined ? undefined : { cause: context.cause });
    // A driver in JavaScript may misspell it, and a job with an unknown kind cannot be shown.
    this.kind = KNOWN_KINDS.has(kind) ? kind : 'internal';
    const given = context.violations ?? [];
    this.violations = given.slice(0, ERROR_ENTRIES).map(cutViolation);
    this.lock = context.lock;
    const info = context.bmc === undefined ? null : cutEntries(context.bmc.extendedInfo ?? []);
    this.bmc = context.bmc && { status: context.bmc.status, extendedInfo: info?.entries ?? [] };
    this.transcriptId = context.transcriptId;
    this.call = context.call;
    this.truncated =
      context.truncated === true ||
      text !== whole ||
      info?.cut === true ||
      given.length > this.violations.length ||
      this.violations.some((violation, at) => violation !== given[at]);
  }
}

/** Returns `violation` itself when it is short enough. */
function cutViolation(violation: FieldViolation): FieldViolation {
  const field = cutText(violation.field, VIOLATION_BYTES);
  const description = cutText(violation.description, VIOLATION_BYTES);
  return field === violation.field && description === violation.description ? violation : { field, description };
}

/** Whether `error` means that the store is unreachable, so that the step may succeed later. */
export function isStoreUnavailable(error: unknown): boolean {
  return error instanceof PassthruError && error.kind === 'store_unavailable';
}

/** Returns the error for work that is refused or ended because the service stops. */
export function shuttingDown(): PassthruError {
  return new PassthruError('shutting_down', 'The service is shutting down; try again shortly.');
}

/**
 * Returns the error of a call that may have been carried out.
 * @param what what happened to the call
 * @param next what the caller may do then
 */
export function outcomeUnknown(what: string, next = ' before you repeat it'): PassthruError {
  const message = `${what}; whether it was carried out is not known. Check the machine${next}.`;
  return new PassthruError('outcome_unknown', message);
}

/**
 * Returns the error of one wrong field.
 * @param description what is wrong with the field and what is allowed
 * @param message the whole sentence for the caller; the description when not given
 */
export function invalidArgument(field: string, description: string, message: string = description): PassthruError {
  return new PassthruError('invalid_argument', message, { violations: [{ field, description }] });
}

/** Returns a copy of `error` that names the transcript of its call. An error may be that of several calls. */
export function withTranscript(error: PassthruError, transcriptId: string): PassthruError {
  return copyWith(error, { transcriptId });
}

/** Returns what `thrown` is for the caller of `call`: a defect becomes kind `internal` that names the call for the log. */
export function inCall(thrown: unknown, call: FailedCall): unknown {
  const error = toPassthruError(thrown);
  return error.kind === 'internal' ? copyWith(error, { call }) : thrown;
}

function copyWith(error: PassthruError, changes: ErrorContext): PassthruError {
  const { kind, message, violations, lock, bmc, transcriptId, truncated, call, cause, stack } = error;
  const given = { violations, lock, bmc, transcriptId, truncated, call, cause };
  const copy = new PassthruError(kind, message, { ...given, ...changes });
  copy.stack = stack;
  return copy;
}

/** An error as plain data, as stored with a job or under an idempotency key. */
export interface ErrorRecord extends Pick<PassthruError, 'kind' | 'message' | 'violations'> {
  lock: Reservation | null;
  bmc: BmcAnswer | null;
  /** Absent when nothing was left out. */
  truncated?: true;
}

/** The message of every error that is a defect of the service itself. */
export const INTERNAL_MESSAGE = 'Internal error; the log of the service has more';

/** Returns `error` when it is a PassthruError; otherwise one of kind `internal`, with `error` as its cause. */
export function toPassthruError(error: unknown): PassthruError {
  if (error instanceof PassthruError) return error;
  return new PassthruError('internal', INTERNAL_MESSAGE, { cause: error });
}

/** Returns `error` as plain data, without its cause. */
export function toErrorRecord({ kind, message, violations, lock, bmc, truncated }: PassthruError): ErrorRecord {
  const record = { kind, message, violations, lock: lock ?? null, bmc: bmc ?? null };
  return truncated ? { ...record, truncated } : record;
}

/** Returns the error that `record` describes. */
export function fromErrorRecord({ kind, message, violations, lock, bmc, truncated }: ErrorRecord): PassthruError {
  return new PassthruError(kind, message, {
    violations,
    lock: lock === null ? undefined : fromReservationRecord(lock),
    bmc: bmc ?? undefined,
    truncated,
  });
}
