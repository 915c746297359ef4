// What the primary process and its workers tell each other; see `workers.ts`.

/** From the primary to a worker. */
export type ToWorker =
  /** The first message. */
  | { kind: 'start'; number: number; settings: unknown }
  | { kind: 'stop' }
  /** Asks for the metrics of the worker. */
  | { kind: 'report'; id: number }
  /** Answers `reports`. */
  | { kind: 'reports'; id: number; reports: WorkerReport[]; dropped: Record<string, number> };

/** From a worker to the primary. */
export type ToPrimary =
  | { kind: 'ready'; url: string }
  /** Why it cannot start, for the operator; it then ends. */
  | { kind: 'failed'; message: string }
  /** Answers `report`. */
  | { kind: 'report'; id: number; metrics: unknown }
  /** Asks for the metrics of all workers. */
  | { kind: 'reports'; id: number };

/** The metrics of a worker, as its registry gives them. */
export interface WorkerReport {
  worker: number;
  metrics: unknown;
}
