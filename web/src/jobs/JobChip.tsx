// Jobs: the list of all, one job, and what it exchanged with its machine.
import { JobState } from '../../../gen/passthru/v1/job_pb.ts';
import { texts } from '../texts.ts';

export type StateName = keyof typeof texts.jobs.states;

const NAMES: Readonly<Record<JobState, StateName>> = {
  [JobState.UNSPECIFIED]: 'running',
  [JobState.RUNNING]: 'running',
  [JobState.SUCCEEDED]: 'succeeded',
  [JobState.FAILED]: 'failed',
  [JobState.CANCELLED]: 'cancelled',
};

export function stateName(state: JobState): StateName {
  return NAMES[state] ?? 'running';
}

export function JobChip({ state }: { state: JobState }) {
  const name = stateName(state);
  return <span className={`chip ${name}`}>{texts.jobs.states[name]}</span>;
}
