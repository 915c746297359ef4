import { create, toBinary } from '@bufbuild/protobuf';
import {
  type BmcError,
  BmcErrorSchema,
  type ErrorDetail,
  ErrorDetailSchema,
  FieldViolationSchema,
} from '../../gen/passthru/v1/error_pb.ts';
import { cutText } from '../core/bounds.ts';
import type { ErrorRecord, PassthruError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { ERROR_MAPPINGS } from './errorMapping.ts';
import { reservationToMessage } from './node.ts';
import { jsonToStruct } from './value.ts';

/** The limit of an encoded status detail, in bytes: longer trailers break gRPC clients. */
export const STATUS_DETAIL_BYTES = 4096;

/**
 * The maximum length of a status message, in bytes of UTF-8. It is sent three times (percent-encoded grpc-message,
 * status, detail) and must fit with the detail into the 8 KiB of headers that clients allow.
 */
export const STATUS_MESSAGE_BYTES = 512;

const SHORT_TEXT_BYTES = 256;

/** Returns the full detail of `error`, as jobs and REST responses hold it. */
export function errorDetail(error: PassthruError | ErrorRecord): ErrorDetail {
  return create(ErrorDetailSchema, {
    reason: ERROR_MAPPINGS[error.kind].reason,
    message: error.message,
    violations: error.violations,
    lock: error.lock ? reservationToMessage(error.lock) : undefined,
    bmc: error.bmc
      ? { status: error.bmc.status, extendedInfo: error.bmc.extendedInfo.map((entry) => jsonToStruct(entry)) }
      : undefined,
    truncated: error.truncated,
    transcriptId: 'transcriptId' in error ? error.transcriptId : undefined,
  });
}

/**
 * Returns the detail of `error` for a gRPC or Connect status, under 4 KiB when encoded. A longer one is truncated:
 * texts are cut, and violations and ExtendedInfo entries are kept from the first on while they fit.
 */
export function trimmedDetail(error: PassthruError): ErrorDetail {
  const whole = errorDetail(error);
  if (!isSurelyLong(error) && fits(whole) && cutText(error.message, STATUS_MESSAGE_BYTES) === error.message)
    return whole;

  const trimmed = create(ErrorDetailSchema, {
    reason: whole.reason,
    message: cutText(whole.message, STATUS_MESSAGE_BYTES),
    truncated: true,
    transcriptId: whole.transcriptId,
  });
  if (whole.lock) {
    const { holder, method, requestedBy, job } = whole.lock;
    trimmed.lock = {
      ...whole.lock,
      holder: cutText(holder, SHORT_TEXT_BYTES),
      method: cutText(method, SHORT_TEXT_BYTES),
      requestedBy: cutText(requestedBy, SHORT_TEXT_BYTES),
      job: cutText(job, SHORT_TEXT_BYTES),
    };
  }
  if (whole.bmc) trimmed.bmc = create(BmcErrorSchema, { status: whole.bmc.status });

  for (const { field, description } of whole.violations) {
    const violation = create(FieldViolationSchema, {
      field: cutText(field, SHORT_TEXT_BYTES),
      description: cutText(description, SHORT_TEXT_BYTES),
    });
    if (!keepWhileItFits(trimmed, trimmed.violations, violation)) break;
  }
  if (whole.bmc && trimmed.bmc) addExtendedInfo(trimmed, trimmed.bmc, whole.bmc);
  return trimmed;
}

/** Adds entries in full while they fit, then only the members that DSP0266 defines for users. */
function addExtendedInfo(trimmed: ErrorDetail, into: BmcError, from: BmcError): void {
  for (const entry of from.extendedInfo) {
    if (keepWhileItFits(trimmed, into.extendedInfo, entry)) continue;
    if (!keepWhileItFits(trimmed, into.extendedInfo, shortEntry(entry as JsonObject))) return;
  }
}

function shortEntry(entry: JsonObject): JsonObject {
  const short: JsonObject = {};
  for (const key of ['MessageId', 'Message', 'Severity', 'MessageSeverity', 'Resolution']) {
    const text: Json | undefined = entry[key];
    if (typeof text === 'string') short[key] = cutText(text, SHORT_TEXT_BYTES);
  }
  return short;
}

function keepWhileItFits<T>(detail: ErrorDetail, list: T[], item: T): boolean {
  list.push(item);
  if (fits(detail)) return true;
  list.pop();
  return false;
}

/** Avoids encoding megabytes only to find them too long. */
function isSurelyLong(error: PassthruError): boolean {
  return error.message.length >= STATUS_DETAIL_BYTES || error.violations.length >= STATUS_DETAIL_BYTES;
}

function fits(detail: ErrorDetail): boolean {
  return toBinary(ErrorDetailSchema, detail).byteLength < STATUS_DETAIL_BYTES;
}
