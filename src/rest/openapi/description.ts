import type { ErrorKind } from '../../core/errors.ts';
import { RECORDINGS } from '../../core/transcript.ts';

/** A JSON Schema (2020-12), as in OpenAPI 3.1. */
export type Schema = Readonly<Record<string, unknown>>;

/** The OpenAPI document's description of a route, besides its path and verbs. */
export interface RouteDescription {
  /** A sentence in the imperative, without a full stop. */
  summary: string;
  /** Query parameters; others are refused. */
  query?: Readonly<Record<string, Schema>>;
  /** Request headers that this route reads, from `REQUEST_HEADERS`. */
  headers?: readonly RequestHeader[];
  /** The schema of the body; absent if the body is ignored. */
  body?: Schema;
  /** Successful responses by status. */
  responses: Readonly<Record<number, ResponseDescription>>;
  /** Kinds of errors, besides those of every route. */
  errors?: readonly ErrorKind[];
}

/** A response. */
export interface ResponseDescription {
  description: string;
  /** Absent without a body. */
  schema?: Schema;
  /** Default `application/json`. */
  mediaType?: string;
  /** Response headers, from `RESPONSE_HEADERS`. */
  headers?: readonly ResponseHeader[];
}

const text = { type: 'string' };

/** Request headers that routes refer to. */
export const REQUEST_HEADERS = {
  'Idempotency-Key': {
    description:
      'Makes the call idempotent: repeated with the same key within a day, it runs once and returns the first outcome.',
    schema: { type: 'string', pattern: '^[!-~]([ -~]{0,253}[!-~])?$' },
  },
  'Passthru-Lock-Wait': {
    description: 'Maximum wait for a locked node, in seconds; 0 fails immediately.',
    schema: { type: 'string', pattern: '^[0-9]{1,9}(\\.[0-9]{1,9})?$' },
  },
  'Passthru-Reservation-Key': {
    description: 'The key of a lock: the request is made within that lock.',
    schema: { type: 'string', pattern: '^passthru_rsv_[A-Za-z0-9_-]{32}$' },
  },
  'Passthru-Recorder': {
    description:
      'Whether the transcript of the call is kept: never, when it fails or is cancelled, or always. When absent, as configured.',
    schema: { enum: RECORDINGS },
  },
  'Last-Event-ID': {
    description: 'The id of the event to resume after; browsers send it on reconnecting.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{0,64}$' },
  },
} as const;
type RequestHeader = keyof typeof REQUEST_HEADERS;

/** Response headers that routes refer to. */
export const RESPONSE_HEADERS = {
  'Cache-Control': { description: 'Always no-store.', schema: text },
  Location: { description: 'URL of the created resource.', schema: text },
  'Passthru-Job-Id': {
    description: 'ID of the job that the call started.',
    schema: { type: 'string', format: 'uuid' },
  },
  'Passthru-Transcript': {
    description: 'URL of the transcript of a synchronous call, if one was kept.',
    schema: text,
  },
  'Retry-After': { description: 'Seconds to wait before retrying.', schema: { type: 'string', pattern: '^[0-9]+$' } },
  'WWW-Authenticate': { description: 'The required authentication.', schema: text },
  'Content-Disposition': { description: 'The file name of an attachment.', schema: text },
  'X-OpenStack-Ironic-API-Minimum-Version': { description: 'The lowest API version.', schema: text },
  'X-OpenStack-Ironic-API-Maximum-Version': { description: 'The highest API version.', schema: text },
  'X-OpenStack-Ironic-API-Version': { description: 'The API version of this response.', schema: text },
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;
