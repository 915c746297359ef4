import { readFileSync } from 'node:fs';

/** Returns the process ids of the workers of a service, in the order of their numbers at its start. Linux only. */
export function workersOf(pid: number): number[] {
  try {
    return (readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? []).map(Number);
  } catch {
    // It has ended.
    return [];
  }
}

/** Whether a process runs. */
export function isAlive(pid: number): boolean {
  try {
    // One that nobody has waited for yet does not.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
