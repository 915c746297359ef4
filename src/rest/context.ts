import type { Http2ServerResponse } from 'node:http2';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { invalidArgument, PassthruError } from '../core/errors.ts';
import { LazyAbort } from '../core/lazyAbort.ts';
import type { Logger } from '../core/logger.ts';
import { checkNodeIdent, isUuid } from '../core/node.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { NAMES_MINOR } from './apiTable.ts';
import { isNameAt } from './nodes/nodeName.ts';

/** The metrics of the service in Prometheus' text format. */
export interface MetricsPage {
  readonly mediaType: string;
  render(): Promise<string>;
}

/** A request with everything that is needed to respond. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** For `enter` only, which checks the caller's role before it hands the core to a handler. */
  readonly guardedCore: Core;
  readonly access: Access;
  readonly log: Logger;
  /** Null if GET /metrics is not served here. */
  readonly metrics: MetricsPage | null;
  /** Anonymous on routes without authentication. */
  readonly caller: Caller;
  /** The route's action; undefined without a route, which no role allows. */
  readonly action: Action | undefined;
  /** The whole body; not read, hence empty, on routes without authentication. */
  readonly body: Buffer;
  /** The query as sent, without `?`. */
  readonly rawQuery: string;
  /** The path's parameters, percent-decoded. */
  readonly params: Readonly<Record<string, string | undefined>>;
  /** The minor number of the negotiated API version. */
  readonly minor: number;
  /** Whether the suffix `.json` was taken off the path. */
  readonly jsonSuffix: boolean;
  /** Headers of every response to this request: names and values alternate. */
  readonly headers: readonly string[];
}

/** Serves one exchange, or throws an error for `sendFault` to send. */
export type Handler = (exchange: Exchange) => Promise<void> | void;

/**
 * Returns the core if the caller's role allows the route's action. Handlers call it after they have parsed the request,
 * so that malformed requests are refused first.
 * @throws kind `permission_denied`
 */
export function enter(exchange: Exchange): Core {
  exchange.access.check(exchange.caller, exchange.action, exchange);
  return exchange.guardedCore;
}

/**
 * Returns the core, as `enter`, and the node's UUID or name from the path. Before version 1.5 nodes have no names, so
 * names are not found (recorded: "no version header: node name unknown at 1.1").
 * @throws kind `invalid_argument` if it can be neither a UUID nor a name, `permission_denied`, `node_not_found`
 */
export function enterNode(exchange: Exchange): { core: Core; ident: string } {
  const ident = exchange.params.ident ?? '';
  const isName = !isUuid(ident);
  if (isName) checkNodeIdent(ident);
  const core = enter(exchange);
  if (!isName) return { core, ident };
  if (exchange.minor < NAMES_MINOR)
    throw new PassthruError(
      'node_not_found',
      // As recorded; the hint stands beside it.
      `Node ${ident} could not be found.`,
      {
        violations: [
          {
            field: 'node',
            description: `is a name, which needs API version 1.${NAMES_MINOR} or newer; send X-OpenStack-Ironic-API-Version, or the UUID`,
          },
        ],
      },
    );
  if (!isNameAt(exchange.minor, ident)) {
    throw invalidArgument('node', `Expected a logical name or UUID but received ${ident}.`);
  }
  return { core, ident };
}

/** Returns what aborts, with kind `cancelled`, when the client disconnects before the response is complete. */
export function clientEnd({ response }: Exchange): LazyAbort {
  const end = new LazyAbort();
  const onClose = () => {
    if (!response.writableEnded) end.abort(new PassthruError('cancelled', 'The caller disconnected'));
  };
  if (response.destroyed || (response as Http2ServerResponse).stream?.destroyed) onClose();
  else response.on('close', onClose);
  return end;
}

/** The same as a signal. */
export function clientSignal(exchange: Exchange): AbortSignal {
  return clientEnd(exchange).signal;
}

/** Returns a header's value, undefined when absent. Only for headers that Node joins when they are repeated. */
export function header(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
