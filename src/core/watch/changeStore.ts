import type { Job, JobState } from '../job.ts';
import type { Node } from '../node.ts';
import type { Reservation } from '../reservation.ts';

/** The logs of changes. That of events is their table itself. */
export type ChangeKind = 'job' | 'node' | 'event';

/**
 * The bounds of a log of changes. A change gets its position when it is committed; the changes of one job or node have
 * positions in their order, and no change appears below one that was read.
 */
export interface ChangeBounds {
  /** Differs between logs; a position means nothing in another one. */
  log: string;
  /** Changes up to this position may be forgotten. */
  floor: number;
  /** The position of the last change. */
  last: number;
}

/** A change of a job. */
export interface JobChange {
  position: number;
  /** About the size of the job's result and error. */
  bytes: number;
  /** The job after the change; null when it was removed since. */
  job: Job | null;
}

/** The parts of a node that change separately; `existence` is the whole node, when it is enrolled or removed. */
export type NodePart = 'existence' | 'content' | 'last_error' | 'reservation';

/** A change of a part of a node. What follows is found from the node as it is now. */
export interface NodeChange {
  /** Null while the change has none. */
  position: number | null;
  /** Grows with the changes of a node. */
  order: number;
  nodeUuid: string;
  part: NodePart;
  /**
   * The part before the change; null when the node did not exist. `driverInfo` is masked, and `attributes` are left out.
   */
  before: Partial<Node> | null;
  /** About the size of `before`. */
  bytes: number;
}

/** Selects nodes to read in the order of enrolment, or some by their UUIDs, also while some are removed. */
export interface NodeScan {
  /** Only those after this place (`Scanned.place`); '' for the first ones. */
  after: string;
  limit: number;
  uuids?: readonly string[];
  driver?: string;
}

/** Selects jobs to read from the oldest on. */
export interface JobScan {
  /** Only those after this place (`Scanned.place`); '' for the oldest ones. */
  after: string;
  limit: number;
  nodeUuids?: readonly string[];
  driver?: string;
  state?: JobState;
  requestedBy?: string;
}

/** An item of a scan, with about how many bytes it takes. */
export interface Scanned {
  key: string;
  place: string;
  size: number;
}

/** The part of `Store` that watches of many jobs and nodes read. */
export interface ChangeStore {
  /** Returns the bounds of a log, after every change that is committed by now has a position. */
  changeBounds(kind: ChangeKind): Promise<ChangeBounds>;
  /** Returns the position up to which changes are forgotten by now. */
  changeFloor(kind: ChangeKind): Promise<number>;
  /** Returns the first changes above `after`, at most `limit` and about `PAGE_BYTES`. */
  jobChanges(after: number, limit: number): Promise<JobChange[]>;
  /** Returns which of these jobs have changes above `after`, or without a position. */
  jobsChangedSince(ids: readonly string[], after: number): Promise<Set<string>>;
  /** Returns the ids of the next jobs of a scan, the oldest first. */
  scanJobs(scan: JobScan): Promise<Scanned[]>;
  /** Returns those of these jobs that exist, the oldest first. */
  jobsById(ids: readonly string[]): Promise<Job[]>;
  /** Returns the first changes above `after`, at most `limit` and about `PAGE_BYTES`. */
  nodeChanges(after: number, limit: number): Promise<NodeChange[]>;
  /**
   * Returns, for each node in `changes` and each part, the first change that follows them, if any. Includes every change that
   * a node shows that was read before. Null when they are of more than one node and larger than `PAGE_BYTES` together.
   */
  nextNodeChanges(changes: readonly NodeChange[]): Promise<NodeChange[] | null>;
  /** As `jobsChangedSince`, for UUIDs of nodes. */
  nodesChangedSince(uuids: readonly string[], after: number): Promise<Set<string>>;
  /** Returns the UUIDs of the next nodes of a scan. */
  scanNodes(scan: NodeScan): Promise<Scanned[]>;
  /**
   * Removes the oldest changes: those before `notBefore`, and all but the newest `count`; at most `limit`. Returns their
   * number.
   */
  removeChanges(kind: ChangeKind, notBefore: Date, count: number, limit: number): Promise<number>;
  /** Calls `listener` when this process may have changed jobs or nodes. */
  onOwnChange(listener: () => void): void;
  /**
   * Logs that the reservation of a node has changed. For `LocalReservations`: the log of a store that is
   * not shared is in memory and ends with the process.
   */
  noteReservation(nodeUuid: string, before: Reservation | null, after: Reservation | null): void;
}
