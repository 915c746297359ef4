// The contract: converts values of the core to messages of proto/, and maps errors to REST and gRPC.

import { Code } from '@connectrpc/connect';
import { ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import type { ErrorKind } from '../core/errors.ts';

/** The REST and gRPC forms of an error kind. */
interface ErrorMapping {
  /** HTTP status over REST. */
  status: number;
  /** The side at fault, as Ironic reports it. */
  faultcode: 'Client' | 'Server';
  /** Status code over gRPC, gRPC-Web and Connect. */
  code: Code;
  reason: ErrorReason;
}

/** The value of Retry-After with 429 and 503, in seconds. */
export const RETRY_AFTER_SECONDS = 1;

/** The one table that maps the kinds of error to REST and gRPC. */
export const ERROR_MAPPINGS: Readonly<Record<ErrorKind, ErrorMapping>> = {
  invalid_argument: client(400, Code.InvalidArgument, ErrorReason.INVALID_ARGUMENT),
  unknown_method: client(400, Code.InvalidArgument, ErrorReason.UNKNOWN_METHOD),
  verb_not_allowed: client(400, Code.InvalidArgument, ErrorReason.VERB_NOT_ALLOWED),
  unauthenticated: client(401, Code.Unauthenticated, ErrorReason.UNAUTHENTICATED),
  permission_denied: client(403, Code.PermissionDenied, ErrorReason.PERMISSION_DENIED),
  node_not_found: client(404, Code.NotFound, ErrorReason.NODE_NOT_FOUND),
  driver_not_found: client(404, Code.NotFound, ErrorReason.DRIVER_NOT_FOUND),
  job_not_found: client(404, Code.NotFound, ErrorReason.JOB_NOT_FOUND),
  transcript_not_found: client(404, Code.NotFound, ErrorReason.TRANSCRIPT_NOT_FOUND),
  subscription_not_found: client(404, Code.NotFound, ErrorReason.SUBSCRIPTION_NOT_FOUND),
  event_source_not_found: client(404, Code.NotFound, ErrorReason.EVENT_SOURCE_NOT_FOUND),
  already_exists: client(409, Code.AlreadyExists, ErrorReason.ALREADY_EXISTS),
  // Not 409: Ironic's clients retry a 409, which means a locked node to them.
  subscription_exists: client(400, Code.AlreadyExists, ErrorReason.SUBSCRIPTION_EXISTS),
  // Not 409 either: the caller must take a new reservation.
  reservation_ended: client(400, Code.FailedPrecondition, ErrorReason.RESERVATION_ENDED),
  node_locked: client(409, Code.Aborted, ErrorReason.NODE_LOCKED),
  too_large: client(413, Code.ResourceExhausted, ErrorReason.TOO_LARGE),
  version_not_acceptable: client(406, Code.InvalidArgument, ErrorReason.VERSION_NOT_ACCEPTABLE),
  rate_limited: client(429, Code.ResourceExhausted, ErrorReason.RATE_LIMITED),
  no_free_worker: server(503, Code.ResourceExhausted, ErrorReason.NO_FREE_WORKER),
  shutting_down: server(503, Code.Unavailable, ErrorReason.SHUTTING_DOWN),
  store_unavailable: server(503, Code.Unavailable, ErrorReason.STORE_UNAVAILABLE),
  identity_unavailable: server(503, Code.Unavailable, ErrorReason.IDENTITY_UNAVAILABLE),
  // The caller has disconnected; only the log shows the status (nginx's 499).
  cancelled: client(499, Code.Canceled, ErrorReason.CANCELLED),
  deadline_exceeded: server(504, Code.DeadlineExceeded, ErrorReason.DEADLINE_EXCEEDED),
  bmc_unreachable: server(500, Code.Unavailable, ErrorReason.BMC_UNREACHABLE),
  bmc_timeout: server(500, Code.DeadlineExceeded, ErrorReason.BMC_TIMEOUT),
  bmc_refused: server(500, Code.FailedPrecondition, ErrorReason.BMC_REFUSED),
  bmc_failed: server(500, Code.Internal, ErrorReason.BMC_FAILED),
  // Nothing was sent, and the BMC may have room soon, so that clients should retry.
  bmc_busy: server(503, Code.Unavailable, ErrorReason.BMC_BUSY),
  // Permanent until the BMC or the node is changed. Neither 409 nor UNAVAILABLE, which clients retry.
  bmc_unsupported: server(500, Code.FailedPrecondition, ErrorReason.BMC_UNSUPPORTED),
  bmc_tls_failed: server(500, Code.FailedPrecondition, ErrorReason.BMC_TLS_FAILED),
  // Not UNAVAILABLE, which clients retry: the request may have been executed.
  outcome_unknown: server(500, Code.DeadlineExceeded, ErrorReason.OUTCOME_UNKNOWN),
  driver_not_ready: server(500, Code.FailedPrecondition, ErrorReason.DRIVER_NOT_READY),
  worker_lost: server(500, Code.Internal, ErrorReason.WORKER_LOST),
  internal: server(500, Code.Internal, ErrorReason.INTERNAL),
  not_served: client(400, Code.Unimplemented, ErrorReason.NOT_SERVED),
  failed_precondition: client(409, Code.FailedPrecondition, ErrorReason.FAILED_PRECONDITION),
};

function client(status: number, code: Code, reason: ErrorReason): ErrorMapping {
  return { status, faultcode: 'Client', code, reason };
}

function server(status: number, code: Code, reason: ErrorReason): ErrorMapping {
  return { status, faultcode: 'Server', code, reason };
}
