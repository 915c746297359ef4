import { ConnectError } from '@connectrpc/connect';
import { ErrorDetailSchema } from '../../gen/passthru/v1/error_pb.ts';
import { STATUS_MESSAGE_BYTES, trimmedDetail } from '../contract/errorDetail.ts';
import { ERROR_MAPPINGS } from '../contract/errorMapping.ts';
import { cutText } from '../core/bounds.ts';
import { toPassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/**
 * Returns `error` as the status of a call, with its ErrorDetail kept under 4 KiB. A ConnectError is returned unchanged.
 * Any error but a PassthruError is a defect: it is logged with the call and the RPC, and the caller gets INTERNAL without its text.
 */
export function toConnectError(error: unknown, log: Logger, rpc: string): ConnectError {
  if (error instanceof ConnectError) return error;
  const reported = toPassthruError(error);
  if (reported.kind === 'internal')
    log.error({ err: reported.cause ?? reported, rpc, ...reported.call }, 'call failed by a defect');
  return new ConnectError(
    // Connect percent-encodes it for gRPC, which throws on half of a surrogate pair, such as a BMC may send.
    cutText(reported.message, STATUS_MESSAGE_BYTES).toWellFormed(),
    ERROR_MAPPINGS[reported.kind].code,
    undefined,
    [{ desc: ErrorDetailSchema, value: trimmedDetail(reported) }],
    reported,
  );
}
