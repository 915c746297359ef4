import { type Job, JobState } from '../../../gen/passthru/v1/job_pb.ts';
import { millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';

/** What the table can be narrowed to, by the name in the address. */
export const STATES = {
  running: JobState.RUNNING,
  succeeded: JobState.SUCCEEDED,
  failed: JobState.FAILED,
  cancelled: JobState.CANCELLED,
} as const satisfies Partial<Record<keyof typeof texts.jobs.states, JobState>>;

/** Returns the state of a name in the address; UNSPECIFIED for another text. */
export function stateOf(name: string): JobState {
  return Object.hasOwn(STATES, name) ? STATES[name as keyof typeof STATES] : JobState.UNSPECIFIED;
}

export function isRunning({ state }: Job): boolean {
  return state === JobState.RUNNING;
}

/** Returns what the job runs on: the node's name when it began, its UUID, or for a method of a driver the driver. */
export function targetOf({ nodeName, nodeUuid, driver }: Job): string {
  return nodeName || nodeUuid || texts.jobs.ofDriver(driver);
}

/** Whether the job runs on a node whose name or UUID contains `text`, in lower case. */
export function isOfNode({ nodeName, nodeUuid }: Job, text: string): boolean {
  return nodeName.toLowerCase().includes(text) || nodeUuid.includes(text);
}

/** Returns the milliseconds from its call to its end, until `now` for one that runs. */
export function tookOf({ createTime, endTime }: Job, now: number): number {
  return (millis(endTime) ?? now) - (millis(createTime) ?? now);
}
