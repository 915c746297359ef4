import { AsyncLocalStorage } from 'node:async_hooks';

/** How a request came in. */
export type WayIn = 'rest' | 'grpc' | 'grpc-web' | 'connect';

/** What is known of the request that work is done for. */
export interface RequestScope {
  /** `req-` and a UUID: on every line of the log and in the answer. */
  readonly id: string;
  readonly way: WayIn;
  /** The address of the other end of the connection, be it a proxy; null when that has closed. */
  readonly peer: string | null;
  /** The caller's trace (W3C Trace Context, 3.2); null when it has none. Not checked. */
  readonly traceparent: string | null;
  /** As `traceparent` (3.3). */
  readonly tracestate: string | null;
  /** The span that what happens now is a part of: a request has one call, and then its job. Only src/tracing looks at it. */
  span: unknown;
}

/**
 * The request that the present work is done for; undefined for what the service does of itself. It follows the work through
 * every await and into the job that a call began. Not a child logger handed on: drivers, others' too, and the client of the
 * BMCs log and make requests without knowing of requests, and the connections of a BMC serve many at a time.
 */
export const requestScope = new AsyncLocalStorage<RequestScope>();
