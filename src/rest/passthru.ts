import type { Outcome } from '../core/core.ts';
import type { JsonObject } from '../core/json.ts';
import type { Method } from '../core/method.ts';
import { sendAttachment } from './attachment.ts';
import { parseObjectBody } from './body.ts';
import { readLockWait, readRecording, readReservationKey } from './callHeaders.ts';
import { clientSignal, type Exchange, enter, enterNode, header } from './context.ts';
import { parseQuery, readQuery, refuseOthers } from './query.ts';
import { sendBody, sendEmpty, sendJson } from './response.ts';
import { transcriptHeader } from './transcriptHeader.ts';

/** The JSON of each list of methods, the most requested document. The core keeps a list with its hardware type. */
const methodDocuments = new WeakMap<readonly Method<never>[], string>();

/** GET /v1/nodes/N/vendor_passthru/methods */
export async function listNodeMethods(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  sendMethods(exchange, await core.listNodeMethods(ident));
}

/** GET /v1/drivers/D/vendor_passthru/methods */
export function listDriverMethods(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  sendMethods(exchange, enter(exchange).listDriverMethods(exchange.params.driver ?? ''));
}

/** Any verb on /v1/nodes/N/vendor_passthru?method=M and /v1/nodes/N/vendor_passthru/M */
export async function callNodeMethod(exchange: Exchange): Promise<void> {
  const call = readCall(exchange);
  const lockWait = readLockWait(exchange.request);
  const reservationKey = readReservationKey(exchange.request);
  const { core, ident } = enterNode(exchange);
  sendOutcome(exchange, await core.callNodeMethod({ ...call, node: ident, lockWait, reservationKey }));
}

/** Any verb on /v1/drivers/D/vendor_passthru?method=M and /v1/drivers/D/vendor_passthru/M */
export async function callDriverMethod(exchange: Exchange): Promise<void> {
  const call = readCall(exchange);
  const driver = exchange.params.driver ?? '';
  sendOutcome(exchange, await enter(exchange).callDriverMethod({ ...call, driver }));
}

function sendMethods(exchange: Exchange, methods: readonly Method<never>[]): void {
  let document = methodDocuments.get(methods);
  if (document === undefined) {
    // Exactly the recorded keys, in the recorded order.
    const entries = methods.map(({ name, httpMethods, async, description, attach, requireExclusiveLock }) => [
      name,
      { http_methods: httpMethods, async, description, attach, require_exclusive_lock: requireExclusiveLock },
    ]);
    document = JSON.stringify(Object.fromEntries(entries));
    methodDocuments.set(methods, document);
  }
  sendBody(exchange, 200, 'application/json', document);
}

function readCall(exchange: Exchange) {
  const { request, caller } = exchange;
  return {
    ...readArguments(exchange),
    httpMethod: request.method ?? null,
    // Checked by the core.
    idempotencyKey: header(request, 'idempotency-key') ?? null,
    recording: readRecording(request),
    caller,
    signal: clientSignal(exchange),
    deadline: null,
  };
}

/**
 * Reads the method's name, from the path or the query, and its arguments: the body, or the rest of the query for a GET
 * or DELETE without a body. If the path names the method, the whole query is arguments.
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
  if (outcome.kind === 'result') sendJson(exchange, 200, outcome.result, transcriptHeader(outcome.transcriptId));
  else if (outcome.kind === 'attachment') {
    sendAttachment(exchange, outcome.attachment, transcriptHeader(outcome.transcriptId));
  } else sendEmpty(exchange, 202, ['Location', `/v1/jobs/${outcome.job.id}`, 'Passthru-Job-Id', outcome.job.id]);
}
