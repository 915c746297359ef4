import { randomUUID } from 'node:crypto';
import { cutText, MESSAGE_BYTES } from './bounds.ts';
import type { Role } from './caller.ts';
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
  /** The role that the method required when the job was accepted; null for a job of an earlier version. */
  role: Role | null;
  state: JobState;
  /** Grows by one with every change, from 1. A job that had ended before it was stored is stored as 2 alone. */
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

/**
 * Returns a job that is accepted now.
 * @param node null for a driver method
 */
export function newJob(
  node: { uuid: string; name: string | null } | null,
  about: Pick<Job, 'driver' | 'method' | 'role' | 'requestedBy'>,
): Job {
  return {
    id: newJobId(),
    nodeUuid: node?.uuid ?? null,
    nodeName: node?.name ?? null,
    ...about,
    state: 'running',
    revision: 1,
    createTime: new Date(),
    endTime: null,
    progress: null,
    result: null,
    error: null,
  };
}

/** Whether `job` has ended. */
export function isTerminal(job: Pick<Job, 'state'>): boolean {
  return job.state !== 'running';
}

/** Returns the node's `last_error` after a failed asynchronous call, as Ironic words it. */
export function lastErrorText(method: string, message: string): string {
  return cutText(storableText(`Async execution of ${method} failed with error: ${message}`), MESSAGE_BYTES);
}

let lastTime = 0;
let counter = 0;

/**
 * Returns a UUID of version 7 (RFC 9562, 5.7), which sorts by its time of creation; within one process strictly, since the
 * 12 bits after the time count up within a millisecond (method 1 of 6.2).
 */
export function newJobId(now: number = Date.now()): string {
  if (now > lastTime) {
    lastTime = now;
    counter = 0;
  } else if (++counter > 0xfff) {
    lastTime++;
    counter = 0;
  }
  const time = lastTime.toString(16).padStart(12, '0');
  // The last 64 bits of a version 4 are the variant and random bits too; Node draws those of many at once.
  const tail = randomUUID().slice(19);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${tail}`;
}
