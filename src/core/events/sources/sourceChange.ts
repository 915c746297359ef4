import type { SourceFault } from './sourceFault.ts';
import type { SourceProgress, StoredSource } from './sourceStore.ts';

/** Whether two URIs are the same but for a slash at the end. */
export function sameUri(one: string, other: string): boolean {
  return one.replace(/\/+$/, '') === other.replace(/\/+$/, '');
}

/** Returns the members that tell a state, with the time of the last change. */
export function stateChange(
  source: StoredSource,
  state: SourceProgress['state'],
  reason: string | null,
  now: Date,
): Pick<SourceProgress, 'state' | 'reason' | 'stateTime'> {
  return { state, reason, stateTime: source.state === state ? source.stateTime : now };
}

/** Returns what is recorded of a source whose pass failed. */
export function faultChange(source: StoredSource, fault: SourceFault, now: Date): Partial<SourceProgress> {
  // That the node is locked says nothing about the source.
  return stateChange(source, fault.state, fault.reason, now);
}
