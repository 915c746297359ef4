import { z } from 'zod';
import { PassthruError } from '../core/errors.ts';
import type { RedfishResponse } from './bmc.ts';
import type { Message } from './messages.ts';
import { errorBody } from './messages.ts';

/** The longest timer of Node, in milliseconds. */
export const MAX_DELAY = 2 ** 31 - 1;

/** A time in milliseconds. */
export const MILLISECONDS = z.number().min(0).max(MAX_DELAY);

/** The requests to select; a missing member selects all. */
const REQUEST_MATCH = z.strictObject({
  /** In any case. GET does not include HEAD. */
  method: z.string().optional(),
  /** The path without query and trailing slash; in a string `*` stands for any characters. */
  path: z.union([z.string(), z.instanceof(RegExp)]).optional(),
});

/** The members that every fault may have. */
const SELECTION = {
  match: REQUEST_MATCH.optional(),
  /** The number of requests that it affects; unlimited by default. */
  times: z.int().min(1).optional(),
  /** The share of matching requests that it affects, 1 by default. The same seed selects the same requests. */
  probability: z.number().min(0).max(1).optional(),
};

const HEADERS = z.record(z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/));

/** A fault of a BMC. With `afterRead` the request is performed, and the client gets no response. */
export const FAULT = z.discriminatedUnion('kind', [
  /** The response takes `ms` milliseconds longer; other faults still apply. */
  z.strictObject({ kind: z.literal('delay'), ms: MILLISECONDS, ...SELECTION }),
  /** There is no response, and the connection stays open. */
  z.strictObject({ kind: z.literal('hang'), afterRead: z.boolean().optional(), ...SELECTION }),
  /** The connection is reset. */
  z.strictObject({ kind: z.literal('reset'), afterRead: z.boolean().optional(), ...SELECTION }),
  /** The response has this status, and a Redfish error without `body`. The request is not performed. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(200).max(599),
    body: z.string().optional(),
    headers: HEADERS.optional(),
    ...SELECTION,
  }),
  /** The response is 200 with HTML, or with truncated JSON. The request is not performed. */
  z.strictObject({ kind: z.literal('garbage'), form: z.enum(['html', 'broken-json']).optional(), ...SELECTION }),
]);

export type RequestMatch = z.infer<typeof REQUEST_MATCH>;
export type Fault = z.infer<typeof FAULT>;

/** A fault of a `FaultList`. */
interface ActiveFault {
  id: number;
  fault: Fault;
  /** The number of requests that it still affects; null: unlimited. */
  left: number | null;
}

/** The effect of the faults on one request. */
interface FaultEffect {
  /** Milliseconds to wait first. */
  delay: number;
  /** The fault that then replaces the response; null for none. */
  instead: Exclude<Fault, { kind: 'delay' }> | null;
}

/** The faults of one BMC, tried in the order in which they were added. */
export class FaultList {
  readonly #random: () => number;
  #faults: ActiveFault[] = [];
  #lastId = 0;

  /** `seed` decides which requests a fault with a probability affects. */
  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  /** Adds a fault and returns its ID. Throws `invalid_argument` for an invalid one. */
  add(fault: Fault): number {
    const { times } = validated(FAULT, fault);
    this.#lastId++;
    this.#faults.push({ id: this.#lastId, fault, left: times ?? null });
    return this.#lastId;
  }

  /** Removes a fault. Returns false when there is no such fault. */
  remove(id: number): boolean {
    const before = this.#faults.length;
    this.#faults = this.#faults.filter((active) => active.id !== id);
    return this.#faults.length < before;
  }

  clear(): void {
    this.#faults = [];
  }

  list(): ActiveFault[] {
    return this.#faults.map((active) => ({ ...active }));
  }

  /** Returns the effect on a request: the sum of the matching delays, and the first other fault that matches. */
  apply(method: string, path: string): FaultEffect {
    const effect: FaultEffect = { delay: 0, instead: null };
    for (const active of this.#faults) {
      const { fault } = active;
      if (fault.kind !== 'delay' && effect.instead) continue;
      if (!matches(fault.match, method, path)) continue;
      if (fault.probability !== undefined && this.#random() >= fault.probability) continue;
      if (active.left !== null) active.left--;
      if (fault.kind === 'delay') effect.delay += fault.ms;
      else effect.instead = fault;
    }
    this.#faults = this.#faults.filter((active) => active.left !== 0);
    return effect;
  }
}

/** Returns `value` as `schema` parses it. Throws `invalid_argument` when it does not match. */
export function validated<T>(schema: z.ZodType<T>, value: unknown): T {
  const { success, data, error } = schema.safeParse(value);
  if (!success) throw new PassthruError('invalid_argument', z.prettifyError(error));
  return data;
}

/** Whether `match` selects a request. */
export function matches(match: RequestMatch | undefined, method: string, path: string): boolean {
  if (match?.method !== undefined && match.method.toUpperCase() !== method) return false;
  if (match?.path === undefined) return true;
  if (typeof match.path === 'string') return wildcard(match.path).test(path);
  // A RegExp with the flag g or y starts at its last match.
  match.path.lastIndex = 0;
  return match.path.test(path);
}

function wildcard(path: string): RegExp {
  const literals = path.replace(/(?<!\/)\/+$/, '').replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literals.replaceAll('*', '.*')}$`, 's');
}

/** The error page of a BMC's web server while its Redfish service is down. */
const HTML = '<html><head><title>Error</title></head><body><h1>The service is starting</h1></body></html>';

/** Returns the response of a fault; null when it has none. */
export function faultResponse(fault: NonNullable<FaultEffect['instead']>, path: string): RedfishResponse | null {
  if (fault.kind === 'garbage') {
    return fault.form === 'broken-json'
      ? { status: 200, headers: { 'Content-Type': 'application/json' }, body: `{"@odata.id": "${path}", "Name": ` }
      : { status: 200, headers: { 'Content-Type': 'text/html' }, body: HTML };
  }
  if (fault.kind !== 'status') return null;
  const { status, headers = {}, body } = fault;
  // 204 and 304 have no body (RFC 9110, section 6.4.1).
  if (status === 204 || status === 304) return { status, headers, body: null };
  return {
    status,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: body ?? redfishError(status, headers),
  };
}

function redfishError(status: number, headers: Record<string, string>): string {
  const retryAfter = Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
  const message: Message =
    status === 503
      ? { name: 'ServiceTemporarilyUnavailable', args: [retryAfter ?? '5'] }
      : { name: 'GeneralError', args: [] };
  return errorBody([message]);
}

/** A random number generator with a seed, which Math.random does not take. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
