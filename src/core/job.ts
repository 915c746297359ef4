import type { ErrorRecord } from './errors.ts';
import { type Json, storableText } from './json.ts';

export type JobState = 'running' | 'succeeded' | 'failed' | 'cancelled';

/** The progress of a job. */
export interface Progress {
  /** From 0 to 1; null when unknown. */
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
  /** The method's result; null until the job has succeeded. */
  result: Json;
  /** The reason why the job failed or was cancelled; otherwise null. */
  error: ErrorRecord | null;
  requestedBy: string;
}

/** Whether `job` has ended. */
export function isTerminal(job: Job): boolean {
  return job.state !== 'running';
}

/** Returns the node's `last_error` after a failed asynchronous call, as Ironic words it. */
export function lastErrorText(method: string, message: string): string {
  return storableText(`Async execution of ${method} failed with error: ${message}`);
}
