import { toJson } from '@bufbuild/protobuf';
import { ErrorDetailSchema } from '../../gen/passthru/v1/error_pb.ts';
import { errorDetail } from '../contract/errorDetail.ts';
import { ERROR_FACES, RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import { type PassthruError, toPassthruError } from '../core/errors.ts';
import type { Exchange } from './context.ts';
import { sendJson } from './response.ts';

/** The body of a REST error. Ironic encodes the inner document twice. */
interface ErrorBody {
  error_message: string;
}

/**
 * Sends the response to a thrown error. Defects are logged, and sent without their text. If the response has already
 * begun, the connection (HTTP/2: the stream) is cut, so that the client does not take it for complete.
 */
export function sendFault(exchange: Exchange, thrown: unknown): void {
  const error = toPassthruError(thrown);
  if (error.kind === 'internal') exchange.log.error({ err: error.cause ?? error }, 'REST request failed');
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.kind === 'version_not_acceptable') {
    sendHttpError(exchange, 406, 'Not Acceptable', error.message);
    return;
  }
  const { status } = ERROR_FACES[error.kind];
  const retry = status === 503 || status === 429 ? ['Retry-After', String(RETRY_AFTER_SECONDS)] : [];
  if (error.kind === 'unauthenticated') {
    const { challenge } = exchange.access;
    // Ironic's own HTTP Basic and keystonemiddleware send `error` alone; Ironic's clients read the fault.
    const body = { ...faultBody(error), error: { code: status, title: 'Unauthorized', message: error.message } };
    sendJson(exchange, status, body, challenge === null ? [] : ['WWW-Authenticate', challenge]);
    return;
  }
  sendJson(exchange, status, faultBody(error), retry);
}

/** Sends an error of Ironic's HTTP layer: an unknown path, a wrong verb, an unsupported version. */
export function sendHttpError(
  exchange: Exchange,
  code: number,
  title: string,
  description: string,
  headers: readonly string[] = [],
): void {
  const body: ErrorBody = { error_message: JSON.stringify({ code, title, description }) };
  sendJson(exchange, code, body, headers);
}

/**
 * Returns the body of Ironic's fault. What the fault has no field for (wrong fields, the lock's holder, the BMC's response)
 * is in `detail` of the inner document: openstacksdk takes every member of the outer one for a message.
 */
function faultBody(error: PassthruError): ErrorBody {
  const fault: Record<string, unknown> = {
    faultcode: ERROR_FACES[error.kind].faultcode,
    faultstring: error.message,
    debuginfo: null,
  };
  if (error.violations.length > 0 || error.lock || error.bmc) {
    fault.detail = toJson(ErrorDetailSchema, errorDetail(error), { useProtoFieldName: true });
  }
  return { error_message: JSON.stringify(fault) };
}
