import { ConnectError } from '@connectrpc/connect';
import { ErrorDetailSchema } from '../../gen/passthru/v1/error_pb.ts';
import { cutText, STATUS_MESSAGE_BYTES, trimmedDetail } from '../contract/errorDetail.ts';
import { ERROR_FACES } from '../contract/errorMapping.ts';
import { PassthruError, toPassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/**
 * `error` as the status of a call, with its ErrorDetail kept under 4 KiB. A ConnectError stays as it is. What is no
 * PassthruError is a defect: it is logged as `method`'s and reaches the caller as INTERNAL without its text.
 */
export function toConnectError(error: unknown, log: Logger, method: string): ConnectError {
  if (error instanceof ConnectError) return error;
  const known = toPassthruError(error);
  if (known.kind === 'internal') log.error({ err: known.cause ?? known, method }, 'call failed by a defect');
  return new ConnectError(
    // Connect percent-encodes it for gRPC, which half of a surrogate pair, such as a BMC may send, would make fail.
    cutText(known.message, STATUS_MESSAGE_BYTES).toWellFormed(),
    ERROR_FACES[known.kind].code,
    undefined,
    [{ desc: ErrorDetailSchema, value: trimmedDetail(known) }],
    known,
  );
}

/** The refusal of one field of a request: `description` says what is wrong and what is allowed. */
export function refuseField(field: string, description: string): PassthruError {
  return new PassthruError('invalid_argument', `${field} ${description}`, { violations: [{ field, description }] });
}
