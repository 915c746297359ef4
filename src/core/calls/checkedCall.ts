import { checkRole } from '../caller.ts';
import type { DriverCall, NodeCall } from '../core.ts';
import { type ErrorKind, invalidArgument, PassthruError } from '../errors.ts';
import { type JsonObject, MAX_DEPTH, nestsDeeperThan } from '../json.ts';
import type { Method } from '../method.ts';
import type { CallReport } from '../observer.ts';
import type { StoredNode } from '../store.ts';
import { CALL_ROLE } from './callRules.ts';
import type { CalledMethod } from './runMethod.ts';

/** A call that has passed its checks, down to the free worker. */
export interface CheckedCall extends CalledMethod {
  /** What the call is about, for an idempotency key. */
  target: string;
  /** Null for a driver method. */
  node: StoredNode | null;
  /** The UUID or name by which the caller named the node; empty for a driver method. */
  ident: string;
  /** The fence after which the node's content was final; see `KnownNode`. */
  fence: number | null;
  /** Whether the node was not read for this call. */
  remembered: boolean;
  /** Milliseconds. */
  lockWait: number;
  /** Whether the method may have acted. */
  begun: boolean;
  /** Whether the outcome is kept under an idempotency key, so that the call goes on without its caller. */
  kept: boolean;
  report: CallReport;
}

/** Maps a shutdown or a lost lease during a call that had begun to act to `outcome_unknown`. */
export function ifCutShort(error: unknown): unknown {
  if (!(error instanceof PassthruError)) return error;
  const why = CUT_SHORT[error.kind];
  if (why === undefined) return error;
  // Not `shutting_down`, which callers repeat by themselves.
  return new PassthruError(
    'outcome_unknown',
    `${why} while the call ran; whether it was carried out is not known. Look at the machine before you repeat it.`,
  );
}

const CUT_SHORT: Partial<Record<ErrorKind, string>> = {
  shutting_down: 'The service was shut down',
  worker_lost: 'The process that ran the call could not renew its lease on the node',
};

/** Throws kind `permission_denied`. Another rule for the node's later driver makes another method, which is refused. */
export function checkRule({ caller }: NodeCall | DriverCall, driver: string, method: Method<never>): void {
  checkRole(caller, method.role ?? CALL_ROLE, `call ${driver}.${method.name}`);
}

export function checkDepth(args: JsonObject): void {
  if (!nestsDeeperThan(args)) return;
  throw invalidArgument('arguments', `arguments nest deeper than ${MAX_DEPTH} levels`);
}
