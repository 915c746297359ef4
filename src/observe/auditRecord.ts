import type { Action } from '../auth/actions.ts';
import type { Caller, Role } from '../core/caller.ts';
import type { ErrorKind } from '../core/errors.ts';
import { type Json, type JsonObject, nestsDeeperThan } from '../core/json.ts';
import { maskSecrets } from '../core/secrets.ts';
import { type Protocol, requestScope } from '../edge/requestScope.ts';

/**
 * Who did what, and what came of it. Its keys are always these, in this order; null is for what does not apply or was not
 * found out. docs/observability.md tells them to operators.
 */
export interface AuditRecord {
  audit: true;
  /** Null outside a request. */
  request_id: string | null;
  way: Protocol | null;
  /** The address that the request came from, be it a proxy's. */
  peer: string | null;
  /** Null for one who did not prove who they are. */
  caller: string | null;
  role: Role | null;
  /** As the roles have it (`ACTIONS`); null for what has no entry there. */
  action: Action | null;
  /** The vendor method that was asked for. */
  method: string | null;
  http_method: string | null;
  /** UUID, or what the caller gave when no such node was found. */
  node: string | null;
  node_name: string | null;
  driver: string | null;
  job: string | null;
  /** Secrets as `******`; null when they are longer than `MAX_ARGUMENTS_LENGTH` or nest too deep. */
  arguments: JsonObject | null;
  /** What a call came to (`result`, `attachment`, `job`), `done` for all else, or the kind of the error. */
  outcome: 'result' | 'attachment' | 'job' | 'done' | ErrorKind;
  duration_ms: number;
  /** Of those who were not let in: so many more of the same caller, action and outcome have no record of their own. */
  more: number | null;
}

/** Takes records. It never throws. */
export type AuditSink = (record: AuditRecord) => void;

/** The longest arguments, in characters of JSON, that are recorded: a record is one line of a log. */
export const MAX_ARGUMENTS_LENGTH = 4096;

/** The longest text of a caller's own choice, such as the name of a method that is not there. */
const MAX_TEXT_LENGTH = 255;

/** What a record is made of; what is left out is null. */
export interface AuditFacts {
  action: Action | null;
  caller: Caller | null;
  method?: string | null;
  httpMethod?: string | null;
  node?: string | null;
  nodeName?: string | null;
  driver?: string | null;
  job?: string | null;
  /** With their secrets. */
  arguments?: JsonObject | null;
  outcome: AuditRecord['outcome'];
  /** Milliseconds by the monotonic clock; now when left out. */
  began?: number;
}

/** The record of `facts`, for the request that is served. */
export function auditRecord(facts: AuditFacts): AuditRecord {
  const scope = requestScope.getStore();
  const now = performance.now();
  return {
    audit: true,
    request_id: scope?.id ?? null,
    way: scope?.protocol ?? null,
    peer: scope?.peer ?? null,
    caller: facts.caller?.name ?? null,
    role: facts.caller?.role ?? null,
    action: facts.action,
    method: cut(facts.method),
    http_method: cut(facts.httpMethod),
    node: cut(facts.node),
    node_name: cut(facts.nodeName),
    driver: cut(facts.driver),
    job: cut(facts.job),
    arguments: facts.arguments == null || isTooMuch(facts.arguments) ? null : maskSecrets(facts.arguments),
    outcome: facts.outcome,
    duration_ms: Math.round((now - (facts.began ?? now)) * 1000) / 1000,
    more: null,
  };
}

function cut(text: string | null | undefined): string | null {
  return text?.slice(0, MAX_TEXT_LENGTH) ?? null;
}

/** What nests too deep is refused by the core; here it would take all of the stack. */
function isTooMuch(args: JsonObject): boolean {
  return nestsDeeperThan(args) || lengthOf(args, MAX_ARGUMENTS_LENGTH) > MAX_ARGUMENTS_LENGTH;
}

/** About how long `value` is as JSON. Stops counting past `most`. */
function lengthOf(value: Json, most: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  let length = 2;
  for (const [key, member] of Object.entries(value)) {
    length += key.length + 4 + lengthOf(member, most - length);
    if (length > most) break;
  }
  return length;
}
