/**
 * The exclusive lock on a node: a `call` ends with its call or job; `held` (LockNode, the nodes file) ends by UnlockNode or
 * runs out. Calls with its key run within a held one, one at a time.
 */
export interface Reservation {
  /** The holder's name, which Ironic shows as the node's `reservation`. */
  holder: string;
  kind: 'call' | 'held';
  /** The method that runs under it; null when held and no call runs within it. */
  method: string | null;
  /** The caller on whose behalf it was taken. */
  requestedBy: string;
  /** The job that runs under it; null when none does. */
  job: string | null;
  /** When it was taken. */
  since: Date;
  /** Why it was taken, for people; null when not given, and for a call. */
  reason: string | null;
  /** When a held one ends by itself; null when it does not, and for a call. */
  expireTime: Date | null;
}

/** Returns the reservation that was read from JSON, where times are text; an earlier version stored no reason and no expiry. */
export function fromReservationRecord(record: Reservation): Reservation {
  const { since, reason = null, expireTime = null } = record;
  return { ...record, since: new Date(since), reason, expireTime: expireTime === null ? null : new Date(expireTime) };
}
