import type { Outcome } from '../core/core.ts';
import type { JsonObject } from '../core/json.ts';
import { parseObjectBody } from './body.ts';
import { idempotencyKey, lockWait } from './callHeaders.ts';
import { contentDisposition, safeMediaType } from './contentDisposition.ts';
import { clientSignal, type Exchange, enter } from './context.ts';
import { methodsDocument } from './methodsDocument.ts';
import { enterNode } from './nodes/nodeParam.ts';
import { parseQuery, readQuery, refuseOthers } from './query.ts';
import { sendBody, sendEmpty, sendJson } from './response.ts';

/** GET /v1/nodes/N/vendor_passthru/methods */
export async function listNodeMethods(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  const methods = await core.listNodeMethods(ident);
  sendBody(exchange, 200, 'application/json', methodsDocument(methods));
}

/** GET /v1/drivers/D/vendor_passthru/methods */
export function listDriverMethods(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  const methods = enter(exchange).listDriverMethods(exchange.params.driver ?? '');
  sendBody(exchange, 200, 'application/json', methodsDocument(methods));
}

/** Any verb on /v1/nodes/N/vendor_passthru?method=M and /v1/nodes/N/vendor_passthru/M */
export async function callNodeMethod(exchange: Exchange): Promise<void> {
  const call = readCall(exchange);
  const wait = lockWait(exchange.request);
  const { core, ident } = enterNode(exchange);
  sendOutcome(exchange, await core.callNodeMethod({ ...call, node: ident, lockWait: wait }));
}

/** Any verb on /v1/drivers/D/vendor_passthru?method=M and /v1/drivers/D/vendor_passthru/M */
export async function callDriverMethod(exchange: Exchange): Promise<void> {
  const call = readCall(exchange);
  const driver = exchange.params.driver ?? '';
  sendOutcome(exchange, await enter(exchange).callDriverMethod({ ...call, driver }));
}

/** What a call of a node's and of a driver's method have in common. */
function readCall(exchange: Exchange) {
  const { request, caller } = exchange;
  return {
    ...readArguments(exchange),
    httpMethod: request.method ?? null,
    idempotencyKey: idempotencyKey(request),
    caller,
    signal: clientSignal(exchange),
    deadline: null,
  };
}

/**
 * The method's name, from the path or the query, and its arguments: the body, or for a GET or DELETE without one what
 * else the query holds. In the path's form the whole query is arguments.
 */
function readArguments({ request, rawQuery, params, body }: Exchange): {
  method: string | null;
  arguments: JsonObject;
} {
  const query = parseQuery(rawQuery);
  const method = params.method ?? query.get('method') ?? null;
  const others = params.method === undefined ? [...query].filter(([name]) => name !== 'method') : [...query];

  const fromBody = parseObjectBody(body);
  if (others.length === 0) return { method, arguments: fromBody };
  const takesQuery = request.method === 'GET' || request.method === 'DELETE';
  if (!takesQuery || Object.keys(fromBody).length > 0) refuseOthers(others.map(([name]) => name));
  return { method, arguments: Object.fromEntries(others) };
}

function sendOutcome(exchange: Exchange, outcome: Outcome): void {
  switch (outcome.kind) {
    case 'result':
      sendJson(exchange, 200, outcome.result);
      return;
    case 'attachment': {
      const { data, mediaType, fileName } = outcome.attachment;
      sendBody(exchange, 200, safeMediaType(mediaType), data, [
        'Content-Disposition',
        contentDisposition(fileName),
        // The bytes may be a page that a BMC made; it is not to run in the service's origin.
        'X-Content-Type-Options',
        'nosniff',
      ]);
      return;
    }
    case 'job':
      sendEmpty(exchange, 202, ['Location', `/v1/jobs/${outcome.job.id}`, 'Passthru-Job-Id', outcome.job.id]);
  }
}
