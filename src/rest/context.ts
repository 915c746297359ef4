import type { Http2ServerResponse } from 'node:http2';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';

/** The figures of the service as a text for Prometheus. */
export interface MetricsPage {
  readonly mediaType: string;
  render(): Promise<string>;
}

/** One request and all that is needed to answer it. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** Not for handlers, which get it from `enter` once the caller's role will do. */
  readonly guardedCore: Core;
  readonly access: Access;
  readonly log: Logger;
  /** Null when there is none here. */
  readonly metrics: MetricsPage | null;
  /** Who calls; on a route that is open, anonymous. */
  readonly caller: Caller;
  /** What the route does; undefined on one that does not say, which nobody may. */
  readonly action: Action | undefined;
  /** Read whole; empty on a route that is open. */
  readonly body: Buffer;
  /** The query as it was sent, without its `?`. */
  readonly rawQuery: string;
  /** What the path's parameters matched, percent-decoded. */
  readonly params: Readonly<Record<string, string | undefined>>;
  /** The minor number of the negotiated API version. */
  readonly minor: number;
  /** What every answer of this exchange carries: names and values in turn. */
  readonly headers: readonly string[];
}

/** Answers one exchange, or throws what `sendFault` tells the caller. */
export type Handler = (exchange: Exchange) => Promise<void> | void;

/**
 * The core, for a caller whose role allows what the route does. Handlers call it when what they were given is
 * well-formed: that is the order of the checks.
 * @throws kind `permission_denied`
 */
export function enter({ access, caller, action, guardedCore }: Exchange): Core {
  access.check(caller, action);
  return guardedCore;
}

/** A signal that fires, with kind `cancelled`, when the client leaves before it got its answer, or has left. */
export function clientSignal({ response }: Exchange): AbortSignal {
  const controller = new AbortController();
  const leave = () => {
    if (!response.writableEnded) controller.abort(new PassthruError('cancelled', 'The caller went away'));
  };
  if (response.destroyed || (response as Http2ServerResponse).stream?.destroyed) leave();
  else response.once('close', leave);
  return controller.signal;
}

/** A header's value; undefined when it is absent. Only for headers that Node joins when they come twice. */
export function header(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
