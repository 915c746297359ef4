import type { AllReports } from '../process/primary.ts';
import type { Topic } from '../process/workerMessages.ts';

/** The workers that share an address, of which any may be asked about all. */
export interface WorkerReports {
  /** Has `report` called for what this worker reports of `topic`. */
  onReport(topic: Topic, report: () => Promise<unknown>): void;
  collectReports(topic: Topic): Promise<AllReports>;
}
