import type { ErrorRecord } from './errors.ts';
import { type Json, storableText } from './json.ts';

export type JobState = 'running' | 'succeeded' | 'failed' | 'cancelled';

/** How far a job has come. */
export interface Progress {
  /** From 0 to 1; null when the method cannot tell. */
  fraction: number | null;
  message: string;
}

/** One run of an asynchronous method. Plain data. */
export interface Job {
  /** A UUID of version 7, so that ids sort by the time of acceptance. */
  id: string;
  /** Null for a driver method. */
  nodeUuid: string | null;
  /** The node's name when the job began; null when it had none. */
  nodeName: string | null;
  driver: string;
  method: string;
  state: JobState;
  /** Grows by one with every stored change, from 1. */
  revision: number;
  createTime: Date;
  /** Null while the job runs. */
  endTime: Date | null;
  /** Null until the method reports it. */
  progress: Progress | null;
  /** What the method answered; null until the job has succeeded. */
  result: Json;
  /** Why the job failed or was cancelled; else null. */
  error: ErrorRecord | null;
  requestedBy: string;
}

/** Whether `job` has ended. */
export function isTerminal(job: Job): boolean {
  return job.state !== 'running';
}

/** How Ironic words the failure of an asynchronous call in the node's `last_error`. */
export function lastErrorText(method: string, message: string): string {
  return storableText(`Async execution of ${method} failed with error: ${message}`);
}
