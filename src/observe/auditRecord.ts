import type { Action } from '../auth/actions.ts';
import type { Caller, Role } from '../core/caller.ts';
import type { ErrorKind } from '../core/errors.ts';
import { type Json, type JsonObject, MAX_DEPTH } from '../core/json.ts';
import { maskSecrets } from '../core/secrets.ts';
import { type Protocol, requestScope } from '../edge/requestScope.ts';

/**
 * Who did what, with which outcome. The keys and their order are fixed; null means not applicable or unknown.
 * docs/observability.md describes them to operators.
 */
export interface AuditRecord {
  audit: true;
  /** Null outside a request. */
  request_id: string | null;
  way: Protocol | null;
  /** The address of the connection's other end, possibly a proxy. */
  peer: string | null;
  /** Null when the caller is not authenticated. */
  caller: string | null;
  role: Role | null;
  /** A key of `ACTIONS`; null for a request without an entry there. */
  action: Action | null;
  /** The vendor method that was called. */
  method: string | null;
  http_method: string | null;
  /** The UUID, or the caller's text when no such node was found. */
  node: string | null;
  node_name: string | null;
  driver: string | null;
  job: string | null;
  /** Secrets show as `******`; null when longer than `MAX_ARGUMENTS_LENGTH` or nested too deep. */
  arguments: JsonObject | null;
  /** For calls `result`, `attachment` or `job`, otherwise `done`; the error kind on failure. */
  outcome: 'result' | 'attachment' | 'job' | 'done' | ErrorKind;
  duration_ms: number;
  /** In a summary of refusals: how many more, of the same caller, action and outcome, have no record of their own. */
  more: number | null;
}

/** Receives records. Never throws. */
export type AuditSink = (record: AuditRecord) => void;

/** Maximum length of recorded arguments, in characters of JSON: a record is one line of a log. */
export const MAX_ARGUMENTS_LENGTH = 4096;

/** Maximum length of a text that the caller chooses, such as the name of an unknown method. */
const MAX_TEXT_LENGTH = 255;

/** The input of a record; absent members become null. */
export interface AuditFacts {
  action: Action | null;
  caller: Caller | null;
  method?: string | null;
  httpMethod?: string | null;
  node?: string | null;
  nodeName?: string | null;
  driver?: string | null;
  job?: string | null;
  /** Unmasked. */
  arguments?: JsonObject | null;
  outcome: AuditRecord['outcome'];
  /** Start, in milliseconds of the monotonic clock; now by default. */
  began?: number;
}

/** Returns the record of `facts`, with the id, protocol and peer of the current request. */
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
    arguments: facts.arguments == null || isTooLarge(facts.arguments) ? null : maskSecrets(facts.arguments),
    outcome: facts.outcome,
    duration_ms: Math.round((now - (facts.began ?? now)) * 1000) / 1000,
    more: null,
  };
}

function cut(text: string | null | undefined): string | null {
  return text?.slice(0, MAX_TEXT_LENGTH) ?? null;
}

/** Whether `args` are too long to record, or nest so deep (the core refuses those) that masking would overflow the stack. */
function isTooLarge(args: JsonObject): boolean {
  return lengthOf(args, MAX_ARGUMENTS_LENGTH, MAX_DEPTH) > MAX_ARGUMENTS_LENGTH;
}

/** Returns the approximate length of `value` as JSON, infinite when it nests deeper than `depth`; stops counting beyond `max`. */
function lengthOf(value: Json, max: number, depth: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (depth === 0) return Number.POSITIVE_INFINITY;
  let length = 2;
  for (const [key, member] of Object.entries(value)) {
    length += key.length + 4 + lengthOf(member, max - length, depth - 1);
    if (length > max) break;
  }
  return length;
}
