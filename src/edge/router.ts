// The edge: what happens to every request before REST or RPC serves it.
import type { IncomingHttpHeaders } from 'node:http';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import { PassthruError } from '../core/errors.ts';
import { type HttpHandler, type HttpResponse, requestAuthority, type StreamHandler } from '../http/message.ts';
import { isLocalAuthority } from '../net/listenAddress.ts';
import { openScope, type Protocol, requestScope } from './requestScope.ts';

/** The RPC API, as the router sees it. */
export interface RpcApi {
  /** The path prefixes of its services. */
  readonly pathPrefixes: readonly string[];
  readonly handle: HttpHandler;
  /** Serves some requests over HTTP/2, faster than `handle`. */
  readonly handleStream: StreamHandler;
  protocolOf(headers: IncomingHttpHeaders): Protocol;
  /** Returns the action of the method at `path`; undefined when there is no such method. */
  actionOf(path: string): Action | undefined;
}

/** The paths of the console. */
const CONSOLE = /^\/console(?:[/?]|$)/;

interface RouterOptions {
  rpc: RpcApi;
  /** Serves every path outside `rpc.pathPrefixes` and `console`. */
  rest: HttpHandler;
  /** Serves `/console` and the paths below it; null without a console. */
  console: HttpHandler | null;
  /** Audits refused requests. */
  access: Access;
  /** Whether to refuse requests that address the service by another name than localhost; see `isLocalAuthority`. */
  localNamesOnly: boolean;
}

interface Router {
  /** Serves any request. */
  readonly handle: HttpHandler;
  /** As `RpcApi.handleStream`. */
  readonly handleStream: StreamHandler;
}

/** Returns handlers that pass each request to RPC, REST or the console, by its path alone. */
export function routeRequests({ rpc, rest, console, access, localNamesOnly }: RouterOptions): Router {
  const foreignName = new PassthruError(
    'permission_denied',
    'Without authentication (auth.type: none) the service must be addressed as localhost, 127.0.0.1 or [::1]',
  );
  // Clients address the service by one name: parsing it each time would cost a twentieth of a short request.
  let lastLocal: string | undefined;
  const isLocal = (authority: string | undefined) => {
    if (authority === lastLocal) return true;
    if (!isLocalAuthority(authority)) return false;
    lastLocal = authority;
    return true;
  };
  const handle: HttpHandler = (request, response) => {
    const { url: path = '', headers } = request;
    const isRpc = rpc.pathPrefixes.some((prefix) => path.startsWith(prefix));
    if (localNamesOnly && !isLocal(requestAuthority(request))) {
      const scope = openScope(request, isRpc ? rpc.protocolOf(headers) : 'rest');
      requestScope.run(scope, () => access.refuse(isRpc ? rpc.actionOf(path) : undefined, foreignName));
      sendForbidden(response, foreignName);
    } else if (isRpc) rpc.handle(request, response);
    else if (console !== null && CONSOLE.test(path)) console(request, response);
    else rest(request, response);
  };
  return {
    handle,
    // A refusal is left to `handle`.
    handleStream: (request) => (!localNamesOnly || isLocal(requestAuthority(request))) && rpc.handleStream(request),
  };
}

/** Sends a 403 whose body is both Connect's JSON error and Ironic's: at this point the client's protocol is a guess. */
export function sendForbidden(response: HttpResponse, { message }: PassthruError): void {
  const fault = { faultcode: 'Client', faultstring: message, debuginfo: null };
  response.statusCode = 403;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ code: 'permission_denied', message, error_message: JSON.stringify(fault) }));
}
