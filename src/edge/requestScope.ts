import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { RequestScope, WayIn } from '../core/requestScope.ts';
import { plainAddress } from '../net/peer.ts';

/** The header of an answer that names its request, as Ironic has it; over gRPC the same, in lower case, as metadata. */
export const REQUEST_ID_HEADER = 'OpenStack-Request-Id';

/** What a caller may give as `X-OpenStack-Request-ID` (oslo.middleware, request_id.ID_FORMAT). */
const GIVEN = /^req-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$/;

/** W3C Trace Context, 3.3.1.5, asks for 512 characters at least. */
const MAX_TRACESTATE_LENGTH = 512;

/**
 * The scope of `request`. An id that the caller gives in the right form is the request's, so that the logs of all services
 * that work for one purpose can be read together; any other is dropped, as oslo.middleware does. Where it came from is what
 * the connection says and nothing else: anybody can send an `X-Forwarded-For`.
 */
export function openScope(request: IncomingMessage | Http2ServerRequest, way: WayIn): RequestScope {
  const { 'x-openstack-request-id': given, traceparent, tracestate } = request.headers;
  const { remoteAddress } = request.socket;
  return {
    id: typeof given === 'string' && GIVEN.test(given) ? given : `req-${randomUUID()}`,
    way,
    peer: remoteAddress === undefined ? null : plainAddress(remoteAddress),
    traceparent: typeof traceparent === 'string' ? traceparent : null,
    tracestate: typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE_LENGTH ? tracestate : null,
    span: null,
  };
}

/** By which of the protocols of RPC a request with these headers came. */
export function rpcWay({ 'content-type': type = '' }: IncomingHttpHeaders): WayIn {
  if (!type.startsWith('application/grpc')) return 'connect';
  return type.startsWith('application/grpc-web') ? 'grpc-web' : 'grpc';
}
