import { toJson } from '@bufbuild/protobuf';
import { ErrorDetailSchema } from '../../gen/passthru/v1/error_pb.ts';
import { errorDetail } from '../contract/errorDetail.ts';
import { ERROR_MAPPINGS, RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import { toPassthruError } from '../core/errors.ts';
import type { Exchange } from './context.ts';
import { sendJson } from './response.ts';
import { transcriptHeader } from './transcriptHeader.ts';

/**
 * Sends the response to a thrown error: Ironic's fault, which it encodes twice. Defects are logged, and sent without
 * their text. If the response has already begun, the connection (HTTP/2: the stream) is cut, so that the client does
 * not take it for complete.
 */
export function sendFault(exchange: Exchange, thrown: unknown): void {
  const error = toPassthruError(thrown);
  if (error.kind === 'internal')
    exchange.log.error({ err: error.cause ?? error, ...error.call }, 'REST request failed');
  const { response, access } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // A version that does not exist is refused by Ironic's HTTP layer, one that lacks a field or parameter by its API.
  if (error.kind === 'version_not_acceptable' && error.violations.length === 0) {
    sendHttpError(exchange, 406, 'Not Acceptable', error.message);
    return;
  }
  const { status, faultcode } = ERROR_MAPPINGS[error.kind];
  const fault: Record<string, unknown> = { faultcode, faultstring: error.message, debuginfo: null };
  // In the inner document: openstacksdk takes every member of the outer one for a message.
  if (error.violations.length > 0 || error.lock || error.bmc) {
    fault.detail = toJson(ErrorDetailSchema, errorDetail(error), { useProtoFieldName: true });
  }
  const body: Record<string, unknown> = { error_message: JSON.stringify(fault) };
  const headers = [...transcriptHeader(error.transcriptId)];
  if (status === 503 || status === 429) headers.push('Retry-After', String(RETRY_AFTER_SECONDS));
  if (error.kind === 'unauthenticated') {
    // Ironic's own HTTP Basic and keystonemiddleware send `error` alone; Ironic's clients read the fault.
    body.error = { code: status, title: 'Unauthorized', message: error.message };
    if (access.challenge !== null) headers.push('WWW-Authenticate', access.challenge);
  }
  sendJson(exchange, status, body, headers);
}

/** Sends an error of Ironic's HTTP layer: an unknown path, a wrong verb, an unsupported version. */
export function sendHttpError(
  exchange: Exchange,
  code: number,
  title: string,
  description: string,
  headers: readonly string[] = [],
): void {
  sendJson(exchange, code, { error_message: JSON.stringify({ code, title, description }) }, headers);
}
