import { ConnectError } from '@connectrpc/connect';
import { type ErrorDetail, ErrorDetailSchema } from './gen/passthru/v1/error_pb.ts';

/**
 * Returns the detail that the service attached to an error thrown by a call; undefined if the error has none, for
 * example because the service is unreachable.
 */
export function errorDetail(error: unknown): ErrorDetail | undefined {
  return ConnectError.from(error).findDetails(ErrorDetailSchema)[0];
}
