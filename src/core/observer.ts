import type { DriverCall, NodeCall, Outcome } from './core.ts';
import { inCall, type PassthruError, toPassthruError } from './errors.ts';
import type { StoredEvent } from './events/event.ts';
import type { Job } from './job.ts';
import type { HttpMethod } from './task.ts';

/** A period of time, in milliseconds by the monotonic clock. */
export interface Period {
  from: number;
  to: number;
}

/** The facts of a call as far as it has come; null for what was not found or not reached. */
export interface CallReport {
  readonly call: NodeCall | DriverCall;
  /** The start time, in milliseconds by the monotonic clock. */
  readonly began: number;
  node: { uuid: string; name: string | null } | null;
  /** The name of a loaded hardware type. */
  driver: string | null;
  /** The name of an existing method. */
  method: string | null;
  httpMethod: HttpMethod | null;
  /** The wait until the node was reserved or refused. */
  lock: Period | null;
  /** The validation of the node and the arguments. */
  validation: Period | null;
}

/** The outcome or the error of a call. */
export type CallEnd = { outcome: Outcome; error: null } | { outcome: null; error: PassthruError };

/** Receives the events of the core, for metrics, traces and the audit. Its methods are fast and never throw. */
export interface Observer {
  callBegan(report: CallReport): void;
  callEnded(report: CallReport, end: CallEnd): void;
  /** A job starts; called in the scope of the request that started it. */
  jobBegan(job: Job): void;
  /** A job of this process has ended, and its end is stored, unless the store refused the job itself. */
  jobEnded(job: Job): void;
  /** A node that was locked has been reserved after a wait of `waited` milliseconds. */
  lockTaken(waited: number): void;
  /** A node stayed locked for as long as the caller was willing to wait. */
  lockRefused(): void;
  /** This process has lost its lease and aborted what ran under it. */
  leaseLost(): void;
  /** Events were stored; `repeated` others were stored before. */
  eventsStored(events: readonly StoredEvent[], repeated: number): void;
  /**
   * What became of the hand-over of `count` events: `failed` and `refused` ones are tried again, `skipped` ones were refused for
   * too long, `missed` ones were removed before.
   */
  eventsHandedOver(outcome: 'delivered' | 'failed' | 'refused' | 'skipped' | 'missed', count: number): void;
}

const ignore = () => {};

/** An observer that ignores all events. */
export const NO_OBSERVER: Observer = {
  callBegan: ignore,
  callEnded: ignore,
  jobBegan: ignore,
  jobEnded: ignore,
  lockTaken: ignore,
  lockRefused: ignore,
  leaseLost: ignore,
  eventsStored: ignore,
  eventsHandedOver: ignore,
};

/** Combines observers into one that calls them in order. */
export function observers(...all: readonly Observer[]): Observer {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  const combined = (Object.keys(NO_OBSERVER) as (keyof Observer)[]).map((event) => {
    // Only those that do something: most events have one observer.
    const calls = all.filter((each) => each[event] !== ignore).map((each) => each[event].bind(each) as Notified);
    const [first = ignore, second] = calls;
    if (second === undefined) return [event, first];
    const call: Notified = (facts, more) => {
      for (const each of calls) each(facts, more);
    };
    return [event, call];
  });
  return Object.fromEntries(combined);
}

/** Any method of an observer. */
type Notified = (facts?: unknown, more?: unknown) => void;

/** Runs `work`, which fills in the report of `call`, and reports its beginning and end to `observer`. */
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
    const { node, driver, method } = report;
    throw inCall(thrown, { node: node?.uuid ?? null, node_name: node?.name ?? null, driver, method });
  }
}
