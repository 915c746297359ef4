import { createHash } from 'node:crypto';
import { AgeClock } from '../ageClock.ts';
import type { Outcome } from '../core.ts';
import {
  type ErrorRecord,
  fromErrorRecord,
  invalidArgument,
  isStoreUnavailable,
  outcomeUnknown,
  PassthruError,
  toErrorRecord,
  toPassthruError,
} from '../errors.ts';
import type { Job } from '../job.ts';
import { wholeJob } from '../jobs/shownJob.ts';
import { canonicalJson, type Json, type JsonObject } from '../json.ts';
import type { EndSignal } from '../lazyAbort.ts';
import { type Lease, lostBeforeAcceptance, type Tenure } from '../locks/lease.ts';
import type { Logger } from '../logger.ts';
import { Attachment } from '../method.ts';
import type { Store } from '../store.ts';
import { pause, untilAborted, untilStored } from '../waiting.ts';
import type { IdempotentCall } from './idempotentCall.ts';

/** The retention of a key, in milliseconds: one day. */
export const RETENTION = 24 * 60 * 60 * 1000;

/** The poll interval for a call that runs in another process, in milliseconds. */
const POLL_INTERVAL = 250;

const MAX_KEY_LENGTH = 255;

/** The error for a repeat of a call that was interrupted when its process ended. */
export const INTERRUPTED = toErrorRecord(
  outcomeUnknown(
    'The first call with this idempotency key was interrupted when its process ended',
    ', then call with a new key',
  ),
);

/** The error for a repeat of a call whose outcome was too large to store. */
const NOT_STORED = toErrorRecord(
  new PassthruError(
    'outcome_unknown',
    'The first call with this idempotency key has ended, but its outcome could not be kept; the log of the service has more. Check the machine, then call with a new key.',
  ),
);

/** The right to run the first call with a key. It must end by `finish` or `release`, once. */
export interface Claim {
  readonly call: IdempotentCall;
  /**
   * Records that the call is about to act, which the acceptance of a job implies.
   * @throws kind `store_unavailable` when the lease of this process ran out: another process may run the call by now
   */
  accept(): Promise<void>;
  /** Keeps the outcome for repeats. */
  finish(outcome: Outcome): Promise<void>;
  /** Ends a call that failed: keeps the error for repeats once the call was accepted, otherwise lets the next one run. */
  release(error: unknown): Promise<void>;
}

/** Runs each call with an idempotency key once, and returns the first outcome to repeats. */
export class Idempotency {
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #log: Logger;
  readonly #clock: AgeClock;
  /** The calls that run here; `end` resolves when the outcome is stored. */
  readonly #inFlight = new Map<string, { fingerprint: string; end: Promise<void> }>();

  constructor(store: Store, lease: Lease, log: Logger, clock = new AgeClock(log)) {
    this.#store = store;
    this.#lease = lease;
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * Claims a key for a call, or returns the outcome of the first call with it, once that has one.
   * @param content the identity of the call: target, method, verb, arguments
   * @param signal ends the wait for a first call that runs
   * @throws kind `invalid_argument` when the key was used for another call, or is not 1 to 255 printable characters; the
   *   error of the first call
   */
  async claim(caller: string, key: string, content: Json, signal: EndSignal): Promise<Claim | { outcome: Outcome }> {
    checkKey(key);
    const fingerprint = createHash('sha256').update(canonicalJson(content)).digest('base64url');
    const scope = JSON.stringify([caller, key]);
    for (;;) {
      const first = this.#inFlight.get(scope);
      if (first === undefined) break;
      if (first.fingerprint !== fingerprint) throw otherCall();
      await untilAborted(first.end, signal);
    }
    const call = { caller, key, fingerprint, createTime: this.#clock.time() };
    const tenure = this.#lease.current();
    const end = Promise.withResolvers<void>();
    this.#inFlight.set(scope, { fingerprint, end: end.promise });
    const ended = () => {
      this.#inFlight.delete(scope);
      end.resolve();
    };
    try {
      const first = await this.#begin(call, tenure, signal);
      if (first === null) return this.#claim(call, tenure.id, ended);
      ended();
      return { outcome: await this.#replay(first) };
    } catch (error) {
      // The store may have begun the call if only its response was lost.
      if (isStoreUnavailable(error)) void this.#record(call, tenure.id, null, ended);
      else ended();
      throw error;
    }
  }

  /** Begins a call. Returns null for the first one; otherwise the outcome of the first, once it has one. */
  async #begin(call: IdempotentCall, tenure: Tenure, signal: EndSignal): Promise<JsonObject | null> {
    for (;;) {
      const first = await this.#store.beginIdempotent(call, tenure.id, new Date(this.#clock.now() - RETENTION));
      if (first === null) return null;
      if (first === 'expired') {
        this.#lease.lost(tenure);
        throw lostBeforeAcceptance();
      }
      if (first.state === 'waiting' && first.owner === tenure.id) {
        // Stale row of our own: it was committed after we had given up on it. Delete it and retry.
        await this.#store.forgetIdempotent(call.caller, call.key, tenure.id);
        continue;
      }
      if (first.fingerprint !== call.fingerprint) throw otherCall();
      if (first.outcome !== null) return first.outcome;
      await pause(POLL_INTERVAL, signal);
    }
  }

  /** @param ended called when the outcome is stored */
  #claim(call: IdempotentCall, conductor: string, ended: () => void): Claim {
    let accepted = false;
    return {
      call,
      accept: async () => {
        // If this process lost its lease meanwhile, a repeat elsewhere may have become the first call.
        if (!(await this.#store.acceptIdempotent(call.caller, call.key, conductor))) throw lostBeforeAcceptance();
        accepted = true;
      },
      finish: async (outcome) => {
        // The acceptance of a job has stored the outcome already.
        if (outcome.kind === 'job') ended();
        else await this.#record(call, conductor, recordOutcome(outcome), ended);
      },
      release: (error) => this.#record(call, conductor, accepted ? recordFailure(toPassthruError(error)) : null, ended),
    };
  }

  /**
   * Stores how a call ended: `outcome`, or null when it never began to act. Resolves after the first attempt; while the
   * store does not respond it is repeated in the background, and repeats of the call wait. Never rejects.
   */
  async #record(call: IdempotentCall, conductor: string, outcome: JsonObject | null, ended: () => void): Promise<void> {
    const { caller, key } = call;
    let stored = outcome;
    const store = () =>
      stored === null
        ? this.#store.forgetIdempotent(caller, key, conductor)
        : this.#store.finishIdempotent(caller, key, stored);
    const first = Promise.withResolvers<void>();
    const done = untilStored(store, this.#store.closed, (error) => {
      this.#log.error({ err: error, caller }, 'storing the outcome of an idempotent call failed, retrying');
      // An outcome that the store refuses is refused again.
      if (stored !== null && !isStoreUnavailable(error)) stored = recordError(NOT_STORED);
      first.resolve();
    });
    void done.then(ended, ended).then(first.resolve);
    await first.promise;
  }

  async #replay(outcome: JsonObject): Promise<Outcome> {
    if ('error' in outcome) throw fromErrorRecord(outcome.error as unknown as ErrorRecord);
    if ('job' in outcome) {
      const job = await this.#store.getJob(outcome.job as string);
      if (job === null) throw new PassthruError('job_not_found', `Job ${outcome.job} could not be found.`);
      return { kind: 'job', job: wholeJob(job) };
    }
    if ('attachment' in outcome) {
      const { data, mediaType, fileName } = outcome.attachment as Record<keyof Attachment, string>;
      return { kind: 'attachment', attachment: new Attachment(Buffer.from(data, 'base64'), mediaType, fileName) };
    }
    return { kind: 'result', result: outcome.result ?? null };
  }
}

/** Returns the outcome of a call that started `job`, as it is stored. */
export function recordJob(job: Job): JsonObject {
  return { job: job.id };
}

/** Returns the outcome of a failed call, as it is stored. */
export function recordError(error: ErrorRecord): JsonObject {
  return { error: JSON.parse(JSON.stringify(error)) as JsonObject };
}

/** Returns the outcome to store for a call that failed after it had begun to act. */
function recordFailure(error: PassthruError): JsonObject {
  // An error that says to retry shortly would be returned to every repeat for a day.
  const processEnded = error.kind === 'shutting_down' || error.kind === 'worker_lost';
  return recordError(processEnded ? INTERRUPTED : toErrorRecord(error));
}

function recordOutcome(outcome: Exclude<Outcome, { kind: 'job' }>): JsonObject {
  if (outcome.kind === 'result') return { result: outcome.result };
  const { data, mediaType, fileName } = outcome.attachment;
  return { attachment: { data: Buffer.from(data).toString('base64'), mediaType, fileName } };
}

function checkKey(key: string): void {
  if (key.length >= 1 && key.length <= MAX_KEY_LENGTH && /^[\x20-\x7e]+$/.test(key)) return;
  throw invalidArgument('idempotency_key', `idempotency_key must be 1 to ${MAX_KEY_LENGTH} printable ASCII characters`);
}

function otherCall(): PassthruError {
  return invalidArgument('idempotency_key', 'idempotency_key was used for another call within a day; choose a new one');
}
