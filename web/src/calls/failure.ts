import { ConnectError } from '@connectrpc/connect';
import { type ErrorDetail, ErrorDetailSchema } from '../../../gen/passthru/v1/error_pb.ts';
import type { Fault } from '../schemaForm/check.ts';

/** Why a request failed, as the service tells it. */
export interface Failure {
  message: string;
  /** Null when the service did not answer, or another server did. */
  detail: ErrorDetail | null;
}

export function failureOf(thrown: unknown): Failure {
  const error = ConnectError.from(thrown);
  const [detail] = error.findDetails(ErrorDetailSchema);
  return { message: error.rawMessage, detail: detail ?? null };
}

/** Returns what the service found wrong with the fields below `prefix`, such as `arguments`. */
export function violationsOf({ detail }: Failure, prefix: string): Fault[] {
  return (detail?.violations ?? [])
    .filter(({ field }) => field.startsWith(`${prefix}.`))
    .map(({ field, description }) => ({ path: field.slice(prefix.length + 1).split('.'), text: description }));
}
