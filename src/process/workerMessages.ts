// What the primary process and its workers tell each other; see `workers.ts`.

/** What a worker can be asked to report. */
export type Topic = 'metrics' | 'activity';

/** From the primary to a worker. */
export type ToWorker =
  /** The first message. */
  | { kind: 'start'; number: number; settings: unknown }
  | { kind: 'stop' }
  /** Asks for a report of the worker. */
  | { kind: 'report'; id: number; topic: Topic }
  /** Answers `reports`. */
  | { kind: 'reports'; id: number; reports: WorkerReport[]; dropped: Record<string, number> };

/** From a worker to the primary. */
export type ToPrimary =
  | { kind: 'ready'; url: string }
  /** Why it cannot start, for the operator; it then ends. */
  | { kind: 'failed'; message: string }
  /** Answers `report`. */
  | { kind: 'report'; id: number; content: unknown }
  /** Asks for the reports of all workers. */
  | { kind: 'reports'; id: number; topic: Topic };

/** What a worker reports: its metrics, as its registry gives them, or its activity. */
export interface WorkerReport {
  worker: number;
  content: unknown;
}
