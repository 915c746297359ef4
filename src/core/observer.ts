import type { DriverCall, NodeCall, Outcome } from './core.ts';
import { type PassthruError, toPassthruError } from './errors.ts';
import type { Job } from './job.ts';
import type { HttpMethod } from './task.ts';

/** From when to when something took, in milliseconds by the monotonic clock. */
export interface Period {
  from: number;
  to: number;
}

/** One call as far as it has come. What is null was not found, or not come to. */
export interface CallReport {
  readonly call: NodeCall | DriverCall;
  /** When it began, in milliseconds by the monotonic clock. */
  readonly began: number;
  node: { uuid: string; name: string | null } | null;
  /** A hardware type that is loaded. */
  driver: string | null;
  /** The name of a method that is there. */
  method: string | null;
  httpMethod: HttpMethod | null;
  /** The time until the node was this call's, or refused to it. */
  lock: Period | null;
  /** The check of the node and the arguments. */
  validation: Period | null;
}

/** How a call ended. */
export type CallEnd = { outcome: Outcome; error: null } | { outcome: null; error: PassthruError };

/** What the core tells of its work, for figures, traces and the audit. Each is quick and never throws. */
export interface Observer {
  callBegan(report: CallReport): void;
  callEnded(report: CallReport, end: CallEnd): void;
  /** The work of an accepted job begins, in the scope of the request that began it. */
  jobBegan(job: Job): void;
  /** The end of a job that ran here is stored. */
  jobEnded(job: Job): void;
  /** A node that another had was reserved after so many milliseconds. */
  lockTaken(waited: number): void;
  /** Somebody else held the node for as long as the caller would wait. */
  lockRefused(): void;
  /** The lease of this process was lost, and what ran under it aborted. */
  leaseLost(): void;
}

const nothing = () => {};

/** What looks at nothing. */
export const NO_OBSERVER: Observer = {
  callBegan: nothing,
  callEnded: nothing,
  jobBegan: nothing,
  jobEnded: nothing,
  lockTaken: nothing,
  lockRefused: nothing,
  leaseLost: nothing,
};

/** All of `observers` as one, told in their order. */
export function observers(...all: readonly Observer[]): Observer {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  return {
    callBegan(report) {
      for (const each of all) each.callBegan(report);
    },
    callEnded(report, end) {
      for (const each of all) each.callEnded(report, end);
    },
    jobBegan(job) {
      for (const each of all) each.jobBegan(job);
    },
    jobEnded(job) {
      for (const each of all) each.jobEnded(job);
    },
    lockTaken(waited) {
      for (const each of all) each.lockTaken(waited);
    },
    lockRefused() {
      for (const each of all) each.lockRefused();
    },
    leaseLost() {
      for (const each of all) each.leaseLost();
    },
  };
}

/** Carries out `call` by `work`, which fills in the report, and tells `observer` of its beginning and its end. */
export async function reportCall(
  observer: Observer,
  call: NodeCall | DriverCall,
  work: (report: CallReport) => Promise<Outcome>,
): Promise<Outcome> {
  const report: CallReport = {
    call,
    began: performance.now(),
    node: null,
    driver: null,
    method: null,
    httpMethod: null,
    lock: null,
    validation: null,
  };
  observer.callBegan(report);
  try {
    const outcome = await work(report);
    observer.callEnded(report, { outcome, error: null });
    return outcome;
  } catch (thrown) {
    observer.callEnded(report, { outcome: null, error: toPassthruError(thrown) });
    throw thrown;
  }
}
