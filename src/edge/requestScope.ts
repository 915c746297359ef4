import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHead } from '../http/message.ts';
import { plainAddress } from '../net/networks.ts';

/** The API and wire protocol of a request. */
export type Protocol = 'rest' | 'grpc' | 'grpc-web' | 'connect';

/** The request on whose behalf work is done. */
export interface RequestScope {
  /** `req-` and a UUID; on every log line of the request and in its response. */
  readonly id: string;
  readonly protocol: Protocol;
  /** The address of the connection's other end, possibly a proxy; null once the connection has closed. */
  readonly peer: string | null;
  /** The caller's `traceparent` header (W3C Trace Context, 3.2), not validated; null when absent. */
  readonly traceparent: string | null;
  /** The caller's `tracestate` header (W3C Trace Context, 3.3); null when absent or too long. */
  readonly tracestate: string | null;
  /** The current span: that of the call, then that of its job. Opaque to all but observe/. */
  span: unknown;
}

/**
 * The request that the current work belongs to; undefined for the service's own chores. It follows every await and the
 * job that a call starts. Not a child logger passed along: drivers, including third-party ones, and the BMC client log
 * and send requests without knowing about requests, and one BMC connection serves many.
 */
export const requestScope = new AsyncLocalStorage<RequestScope>();

/** The response header with the request's id, as in Ironic; gRPC carries it as metadata, in lower case. */
export const REQUEST_ID_HEADER = 'OpenStack-Request-Id';

/** The same header by the name that all OpenStack services use, which Ironic sends too since 2025.2. */
export const X_REQUEST_ID_HEADER = 'X-OpenStack-Request-Id';

/** The accepted form of `X-OpenStack-Request-ID` (oslo.middleware, request_id.ID_FORMAT). */
const CALLER_ID = /^req-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$/;

/** W3C Trace Context, 3.3.1.5, requires at least 512 characters. */
const MAX_TRACESTATE_LENGTH = 512;

/**
 * Returns a new scope for `request`. A well-formed id given by the caller is kept, so that the logs of cooperating
 * services can be correlated; a malformed one is replaced, as in oslo.middleware. The peer comes from the connection
 * alone: anyone can send an `X-Forwarded-For`.
 */
export function openScope(request: RequestHead, protocol: Protocol): RequestScope {
  const { 'x-openstack-request-id': callerId, traceparent, tracestate } = request.headers;
  const { remoteAddress } = request.socket;
  return {
    id: typeof callerId === 'string' && CALLER_ID.test(callerId) ? callerId : `req-${randomUUID()}`,
    protocol,
    peer: remoteAddress === undefined ? null : plainAddress(remoteAddress),
    traceparent: typeof traceparent === 'string' ? traceparent : null,
    tracestate: typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE_LENGTH ? tracestate : null,
    span: null,
  };
}

/** Returns which RPC protocol a request with these headers speaks. */
export function rpcProtocol({ 'content-type': type = '' }: IncomingHttpHeaders): Protocol {
  if (!type.startsWith('application/grpc')) return 'connect';
  return type.startsWith('application/grpc-web') ? 'grpc-web' : 'grpc';
}
