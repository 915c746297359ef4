import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/** A request as either version of HTTP gives it. */
export type RestRequest = IncomingMessage | Http2ServerRequest;
/** A response as either version of HTTP takes it. */
export type RestResponse = ServerResponse | Http2ServerResponse;

/** One request and all that is needed to answer it. */
export interface Exchange {
  readonly request: RestRequest;
  readonly response: RestResponse;
  readonly core: Core;
  readonly log: Logger;
  readonly caller: Caller;
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

/** A signal that fires, with kind `cancelled`, when the client leaves before it got its answer. */
export function clientSignal({ response }: Exchange): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableEnded) controller.abort(new PassthruError('cancelled', 'The caller went away'));
  });
  return controller.signal;
}

/** A header's value; undefined when it is absent. Only for headers that Node joins when they come twice. */
export function header(request: RestRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
