import type { CallReport } from '../observer.ts';
import type { StoredNode } from '../store.ts';
import type { CalledMethod } from './runMethod.ts';

/** A call that has passed the checks before the free worker. */
export interface CheckedCall extends CalledMethod {
  /** Null for a driver method. */
  node: StoredNode | null;
  /** See `NodeSnapshot`. */
  fence: number | null;
  /** Whether the node comes from the cache. */
  cached: boolean;
  /** Milliseconds. */
  lockWait: number;
  /** The digest of the key of the hold to run within; null for none. */
  key: string | null;
  /** Whether the method may have acted. */
  begun: boolean;
  /** Whether the call continues without its caller: its outcome is stored under an idempotency key. */
  detached: boolean;
  report: CallReport;
}
