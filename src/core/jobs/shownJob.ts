import { type Caller, hasRole, type Role } from '../caller.ts';
import type { ErrorRecord } from '../errors.ts';
import type { Job } from '../job.ts';

/** A job as one caller sees it. Only this leaves the core. */
export interface ShownJob extends Omit<Job, 'role'> {
  /**
   * The lowest role that sees what is left out for this caller: the result, the text of the progress, and what an error says
   * beside its kind. Null when nothing is left out.
   */
  requiredRole: Role | null;
}

/** Shows a job to a caller. */
export type ShowJob = (job: Job, caller: Caller) => ShownJob;

/** Returns the whole of `job`, for the caller who started it. */
export function wholeJob({ role: _, ...job }: Job): ShownJob {
  return { ...job, requiredRole: null };
}

/**
 * Returns what `caller` sees of `job`: the whole with the role `required`, and if the caller started it. Others see that it
 * exists, runs and ends.
 */
export function showJob(job: Job, caller: Caller, required: Role): ShownJob {
  const whole = wholeJob(job);
  if (caller.name === job.requestedBy || hasRole(caller, required)) return whole;
  return {
    ...whole,
    requiredRole: required,
    progress: job.progress && { fraction: job.progress.fraction, message: '' },
    result: null,
    error: job.error && withoutDetails(job.error, required),
  };
}

/** The kind stays: it tells those who supervise the service whether a BMC, the service or a caller failed. */
function withoutDetails({ kind }: ErrorRecord, required: Role): ErrorRecord {
  const message = `Role ${required} is required to read what happened.`;
  return { kind, message, violations: [], lock: null, bmc: null, truncated: true };
}
