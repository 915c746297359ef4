/** The exclusive lock on a node: a `call` ends with its call or job, `held` (LockNode, the nodes file) by UnlockNode. */
export interface Reservation {
  /** The holder's name, which Ironic shows as the node's `reservation`. */
  holder: string;
  kind: 'call' | 'held';
  /** The method that runs under it; null when held. */
  method: string | null;
  /** The caller on whose behalf it was taken. */
  requestedBy: string;
  /** The job that runs under it; null when none does. */
  job: string | null;
  /** When it was taken. */
  since: Date;
}
