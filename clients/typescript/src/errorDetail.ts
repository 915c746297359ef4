import { ConnectError } from '@connectrpc/connect';
import { type ErrorDetail, ErrorDetailSchema } from './gen/passthru/v1/error_pb.ts';

/**
 * What the service tells of an error that a call threw; undefined when the error carries nothing, for example because
 * the service was not reached.
 */
export function errorDetail(error: unknown): ErrorDetail | undefined {
  return ConnectError.from(error).findDetails(ErrorDetailSchema)[0];
}
