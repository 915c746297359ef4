import type { Outcome } from '../core/core.ts';
import type { JsonObject } from '../core/json.ts';
import type { Method } from '../core/method.ts';
import { sendAttachment } from './attachment.ts';
import { parseObjectBody } from './body.ts';
import { readLockWait, readRecording, readReservationKey } from './callHeaders.ts';
import { clientEnd, type Exchange, enter, enterNode, header } from './context.ts';
import { parseQuery, readQuery, refuseOthers } from './query.ts';
import { sendBody, sendEmpty, sendJson } from './response.ts';
import { transcriptHeader } from './transcriptHeader.ts';

/** The JSON of a list of methods, and the first minor version that has it. */
interface MethodsDocument {
  from: number;
  json: Buffer;
}

const NO_METHODS = Buffer.from('{}');

/** The documents of each list, newest first: the most requested ones. The core keeps a list with its hardware type. */
const methodsDocuments = new WeakMap<readonly Method<never>[], MethodsDocument[]>();

/** GET /v1/nodes/N/vendor_passthru/methods */
export function listNodeMethods(exchange: Exchange): Promise<void> | void {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  const methods = core.listNodeMethods(ident);
  if (!(methods instanceof Promise)) return sendMethods(exchange, methods);
  return methods.then((list) => sendMethods(exchange, list));
}

/** GET /v1/drivers/D/vendor_passthru/methods */
export function listDriverMethods(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  sendMethods(exchange, enter(exchange).listDriverMethods(exchange.params.driver ?? ''));
}

/** Any verb on /v1/nodes/N/vendor_passthru?method=M and /v1/nodes/N/vendor_passthru/M */
export async function callNodeMethod(exchange: Exchange): Promise<void> {
  const call = readArguments(exchange);
  const options = readNodeCallOptions(exchange);
  const { core, ident } = enterNode(exchange);
  const httpMethod = exchange.request.method ?? null;
  sendOutcome(exchange, await core.callNodeMethod(Object.assign(options, call, { httpMethod, node: ident })));
}

/** Any verb on /v1/drivers/D/vendor_passthru?method=M and /v1/drivers/D/vendor_passthru/M */
export async function callDriverMethod(exchange: Exchange): Promise<void> {
  const call = readArguments(exchange);
  const options = readCallOptions(exchange);
  const driver = exchange.params.driver ?? '';
  const httpMethod = exchange.request.method ?? null;
  sendOutcome(exchange, await enter(exchange).callDriverMethod({ ...call, ...options, httpMethod, driver }));
}

function sendMethods(exchange: Exchange, methods: readonly Method<never>[]): void {
  let documents = methodsDocuments.get(methods);
  if (documents === undefined) {
    documents = renderMethods(methods);
    methodsDocuments.set(methods, documents);
  }
  const document = documents.find(({ from }) => exchange.minor >= from);
  sendBody(exchange, 200, 'application/json', document?.json ?? NO_METHODS);
}

function renderMethods(methods: readonly Method<never>[]): MethodsDocument[] {
  const versions = new Set([1, ...methods.flatMap(({ listedFrom }) => listedFrom ?? [])]);
  return [...versions]
    .sort((a, b) => b - a)
    .map((from) => {
      const listed = methods.filter(({ listedFrom }) => listedFrom !== null && listedFrom <= from);
      // Exactly the recorded keys, in the recorded order.
      const entries = listed.map(({ name, httpMethods, async, description, attach, requireExclusiveLock }) => [
        name,
        { http_methods: httpMethods, async, description, attach, require_exclusive_lock: requireExclusiveLock },
      ]);
      return { from, json: Buffer.from(JSON.stringify(Object.fromEntries(entries))) };
    });
}

/** Reads what every call may have, besides its method and arguments. */
function readCallOptions(exchange: Exchange) {
  const { request, caller } = exchange;
  return {
    // Checked by the core.
    idempotencyKey: header(request, 'idempotency-key') ?? null,
    recording: readRecording(request),
    caller,
    signal: clientEnd(exchange),
    deadline: null,
  };
}

/** Reads what a call on a node may have, besides its method and arguments. */
export function readNodeCallOptions(exchange: Exchange) {
  const { request } = exchange;
  return {
    ...readCallOptions(exchange),
    lockWait: readLockWait(request),
    reservationKey: readReservationKey(request),
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
  const named = params.method === undefined ? query.get('method') : undefined;
  const method = params.method ?? named ?? null;

  const fromBody = parseObjectBody(body);
  if (query.size === (named === undefined ? 0 : 1)) return { method, arguments: fromBody };
  const others = [...query].filter(([name]) => params.method !== undefined || name !== 'method');
  const takesQuery = request.method === 'GET' || request.method === 'DELETE';
  if (!takesQuery || Object.keys(fromBody).length > 0) refuseOthers(others.map(([name]) => name));
  return { method, arguments: Object.fromEntries(others) };
}

function sendOutcome(exchange: Exchange, outcome: Outcome): void {
  if (outcome.kind === 'result') sendJson(exchange, 200, outcome.result, transcriptHeader(outcome.transcriptId));
  else if (outcome.kind === 'attachment') {
    sendAttachment(exchange, outcome.attachment, transcriptHeader(outcome.transcriptId));
  } else sendEmpty(exchange, 202, jobHeaders(outcome));
}

/** Returns the headers that name the job that a call has started; none without a job. */
export function jobHeaders(outcome: Outcome): string[] {
  if (outcome.kind !== 'job') return [];
  return ['Location', `/v1/jobs/${outcome.job.id}`, 'Passthru-Job-Id', outcome.job.id];
}
