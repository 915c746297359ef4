import type { ErrorKind } from '../../core/errors.ts';

/** A JSON Schema (2020-12), as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** What the OpenAPI document tells of a route beside its path and verbs. */
export interface RouteDescription {
  /** What the route does, in a sentence without an end. */
  summary: string;
  /** The parameters of the query; one that is not here is refused. */
  query?: Readonly<Record<string, Schema>>;
  /** The headers of a request that mean something to this route, of `REQUEST_HEADERS`. */
  headers?: readonly RequestHeader[];
  /** What the body has to be; absent when it is not looked at. */
  body?: Schema;
  /** What is answered when nothing is wrong, by status. */
  answers: Readonly<Record<number, AnswerDescription>>;
  /** What can be wrong beside what can be on every route. */
  errors?: readonly ErrorKind[];
}

/** An answer. */
export interface AnswerDescription {
  description: string;
  /** Absent when there is no body. */
  schema?: Schema;
  /** Default `application/json`. */
  mediaType?: string;
  /** What it carries, of `ANSWER_HEADERS`. */
  headers?: readonly AnswerHeader[];
}

const text = { type: 'string' };

/** The headers of requests, which a route's description names. */
export const REQUEST_HEADERS = {
  'Idempotency-Key': {
    description: 'The same call with the same key within a day runs once and is answered with the first outcome.',
    schema: { type: 'string', pattern: '^[!-~]([ -~]{0,253}[!-~])?$' },
  },
  'Passthru-Lock-Wait': {
    description: 'Seconds to wait for a locked node; 0 fails at once.',
    schema: { type: 'string', pattern: '^[0-9]{1,9}(\\.[0-9]{1,9})?$' },
  },
  'Last-Event-ID': {
    description: 'The revision after which to go on; a browser sends it by itself.',
    schema: { type: 'string', pattern: '^[0-9]{1,15}$' },
  },
} as const;
export type RequestHeader = keyof typeof REQUEST_HEADERS;

/** The headers of answers, which a description names. */
export const ANSWER_HEADERS = {
  Location: { description: 'Where what was made is.', schema: text },
  'Passthru-Job-Id': { description: 'The job that the call started.', schema: { type: 'string', format: 'uuid' } },
  'Retry-After': { description: 'Seconds after which to try again.', schema: { type: 'string', pattern: '^[0-9]+$' } },
  'WWW-Authenticate': { description: 'How to prove who calls.', schema: text },
  'Content-Disposition': { description: 'The name to save an attachment under.', schema: text },
  'X-OpenStack-Ironic-API-Minimum-Version': { description: 'The lowest API version.', schema: text },
  'X-OpenStack-Ironic-API-Maximum-Version': { description: 'The highest API version.', schema: text },
  'X-OpenStack-Ironic-API-Version': { description: 'The API version of this answer.', schema: text },
} as const;
export type AnswerHeader = keyof typeof ANSWER_HEADERS;
