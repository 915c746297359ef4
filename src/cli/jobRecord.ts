import { toJson } from '@bufbuild/protobuf';
import { type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { type Job, type JobProgress, JobState } from '../../gen/passthru/v1/job_pb.ts';
import type { Json } from '../core/json.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { describeDetail, plainMessage } from './failure.ts';
import { Cell, type Listing, type OutputOptions, orNull, type PrintedRecord, timeOrNull } from './print/output.ts';

/** The states by the names used in options and output. */
export const JOB_STATES: Readonly<Record<string, JobState>> = {
  running: JobState.RUNNING,
  succeeded: JobState.SUCCEEDED,
  failed: JobState.FAILED,
  cancelled: JobState.CANCELLED,
};

/** Returns `jobs` as a listing. */
export function jobListing(jobs: readonly Job[], empty: string): Listing {
  return {
    columns: ['ID', 'Node', 'Driver', 'Method', 'State', 'Progress', 'Requested By', 'Created At', 'Ended At', 'Error'],
    narrow: ['ID', 'Method', 'State', 'Node', 'Progress', 'Error', 'Driver', 'Created At', 'Requested By'],
    empty,
    rows: jobs.map((job) => [
      job.id,
      orNull(job.nodeName) ?? orNull(job.nodeUuid),
      job.driver,
      job.method,
      stateText(job),
      progressCell(job),
      job.requestedBy,
      timeOrNull(job.createTime),
      timeOrNull(job.endTime),
      errorCell(job),
    ]),
  };
}

/** Returns all fields of `job`. */
export function jobRecord(job: Job): PrintedRecord {
  return {
    created_at: timeOrNull(job.createTime),
    driver: job.driver,
    ended_at: timeOrNull(job.endTime),
    error: errorCell(job),
    error_reason: job.error === undefined ? null : reasonName(job.error.reason),
    id: job.id,
    method: job.method,
    node_name: orNull(job.nodeName),
    node_uuid: orNull(job.nodeUuid),
    progress: progressCell(job),
    requested_by: job.requestedBy,
    required_role: orNull(job.requiredRole),
    result: valueToJson(job.result),
    revision: Number(job.revision),
    state: stateText(job),
  };
}

/**
 * Ends a command that followed `job` and printed it.
 * @throws CommandFailure unless the job succeeded or is still running; with its error if `column` left that out
 */
export function endWithJob(job: Job, { column }: Pick<OutputOptions, 'column'>): void {
  if (job.state === JobState.SUCCEEDED || job.state === JobState.RUNNING) return;
  const printed = column?.some((name) => name.toLowerCase() === 'error') ?? true;
  const why = job.error === undefined || printed ? '' : `: ${withName(job, describeDetail(job.error))}`;
  // Its transcript is stored after its end, so that the job cannot say whether there is one.
  const lost = job.error?.reason === ErrorReason.WORKER_LOST;
  const hint = lost ? '' : `\n  transcript, if one was kept: passthru job transcript ${job.id}`;
  throw new CommandFailure(EXIT_STATUS.failed, `job ${job.id} ${stateText(job)}${why}${hint}`);
}

/** In tables an error has the node's name; in JSON it is as the service has it. */
function errorCell(job: Job): Json | Cell {
  if (job.error === undefined) return null;
  return new Cell(withName(job, plainMessage(job.error.message)), job.error.message);
}

/** Returns `text` with the name of the job's node in place of its UUID. */
function withName({ nodeName, nodeUuid }: Job, text: string): string {
  return nodeName === '' || nodeUuid === '' ? text : text.replaceAll(nodeUuid, nodeName);
}

/** Returns the name of the node, or of the driver of a driver's method. */
export function jobTarget({ nodeName, nodeUuid, driver }: Job): string {
  return nodeName || nodeUuid || `driver ${driver}`;
}

/** Returns the time of the end of `job`; null while it is running. */
export function endTime({ endTime: time }: Job): Date | null {
  return time === undefined ? null : new Date(Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6));
}

/** Whether `job` has ended. */
export function hasEnded(job: Job): boolean {
  return job.state !== JobState.RUNNING;
}

/** Returns one line about the status of `job`: `eject_vmedia running 40% ejecting`. */
export function jobLine(job: Job): string {
  const progress = hasEnded(job) ? '' : ` ${progressText(job.progress)}`;
  return `${job.method} ${stateText(job)}${progress}`.trimEnd();
}

/** Converts a protobuf value to JSON; null when absent. */
export function valueToJson(value: Value | undefined): Json {
  return value === undefined ? null : (toJson(ValueSchema, value) as Json);
}

/** Returns the state by its name in options and output. */
export function stateText({ state }: Job): string {
  return Object.keys(JOB_STATES).find((name) => JOB_STATES[name] === state) ?? 'unknown';
}

function reasonName(reason: ErrorReason): string | null {
  return Object.entries(ErrorReason).find(([, value]) => value === reason)?.[0] ?? null;
}

/** In tables a job that succeeded is complete, whatever its driver reported last; in JSON it is what the driver reported. */
function progressCell({ progress, state }: Job): Json | Cell {
  const text = state === JobState.SUCCEEDED ? '100%' : progressText(progress);
  if (progress === undefined) return state === JobState.SUCCEEDED ? new Cell(text, null) : null;
  return new Cell(text, { fraction: progress.fraction ?? null, message: progress.message });
}

function progressText(progress: JobProgress | undefined): string {
  const fraction = progress?.fraction;
  return [fraction === undefined ? '' : `${Math.round(fraction * 100)}%`, progress?.message ?? ''].join(' ').trim();
}
