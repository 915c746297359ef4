import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from '../core.ts';
import {
  type ErrorKind,
  type ErrorRecord,
  fromErrorRecord,
  invalidArgument,
  isStoreUnavailable,
  PassthruError,
  toErrorRecord,
  toPassthruError,
} from '../errors.ts';
import type { Job } from '../job.ts';
import { canonicalJson, type Json, type JsonObject } from '../json.ts';
import { type Lease, lostBeforeAcceptance, type Tenure } from '../locks/lease.ts';
import type { Logger } from '../logger.ts';
import { Attachment } from '../method.ts';
import type { IdempotentCall, Store } from '../store.ts';
import { untilAborted } from '../waiting.ts';

/** How long a key is kept, in milliseconds: a day. */
export const KEPT = 24 * 60 * 60 * 1000;

/** How often a call that runs in another process is looked at, in milliseconds. */
const LOOK_AGAIN = 250;

/** How often the end of a call is told again to a store that does not answer, in milliseconds. */
const STORE_RETRY = 1000;

const MAX_KEY_LENGTH = 255;

/** What a call that was interrupted by the end of its process is answered with when it is repeated. */
export const INTERRUPTED: ErrorRecord = {
  kind: 'outcome_unknown',
  message:
    'The first call with this idempotency key was interrupted when its process ended; whether it was carried out is not known. Look at the machine, then call with a new key.',
  violations: [],
  lock: null,
  bmc: null,
};

/** What a repeat is answered with when the outcome of the first call is more than the store can take. */
const NOT_KEPT: ErrorRecord = {
  kind: 'outcome_unknown',
  message:
    'The first call with this idempotency key has ended, but its outcome could not be kept; the log of the service has more. Look at the machine, then call with a new key.',
  violations: [],
  lock: null,
  bmc: null,
};

/** The work of a call. It calls `accepted` right before it begins to act; a job's acceptance tells the store itself. */
export type IdempotentWork = (call: IdempotentCall, accepted: () => Promise<void>) => Promise<Outcome>;

/** Runs calls that carry an idempotency key once, and answers repeats with the first outcome. */
export class Idempotency {
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #log: Logger;
  /** The calls that run here; `end` is when the store knows how they ended. */
  readonly #inFlight = new Map<string, { fingerprint: string; end: Promise<void> }>();

  constructor(store: Store, lease: Lease, log: Logger) {
    this.#store = store;
    this.#lease = lease;
    this.#log = log;
  }

  /**
   * @param content what makes two calls the same: target, method, verb, arguments
   * @param signal ends the wait for a first call that runs
   * @throws kind `invalid_argument` when the key was used for another call, or is not 1 to 255 printable characters
   */
  async run(caller: string, key: string, content: Json, signal: AbortSignal, work: IdempotentWork): Promise<Outcome> {
    checkKey(key);
    const fingerprint = createHash('sha256').update(canonicalJson(content)).digest('base64url');
    const scope = JSON.stringify([caller, key]);
    for (;;) {
      const first = this.#inFlight.get(scope);
      if (first === undefined) break;
      if (first.fingerprint !== fingerprint) throw otherCall();
      await untilAborted(first.end, signal);
    }
    const call = { caller, key, fingerprint, createTime: new Date() };
    const tenure = this.#lease.current();
    const conductor = tenure.id;
    const end = Promise.withResolvers<void>();
    this.#inFlight.set(scope, { fingerprint, end: end.promise });
    const ended = () => {
      this.#inFlight.delete(scope);
      end.resolve();
    };
    let known: JsonObject | null;
    try {
      known = await this.#begin(call, tenure, signal);
    } catch (error) {
      // It may be known as begun all the same, where the answer was lost.
      if (isStoreUnavailable(error)) void this.#tell(call, conductor, null, ended);
      else ended();
      throw error;
    }
    if (known === null) return this.#runFirst(call, conductor, work, ended);
    ended();
    return this.#replay(known);
  }

  /** Begins a call. Null when it is the first; otherwise the outcome of the first, once that has one. */
  async #begin(call: IdempotentCall, tenure: Tenure, signal: AbortSignal): Promise<JsonObject | null> {
    for (;;) {
      const known = await this.#store.beginIdempotent(call, tenure.id, new Date(call.createTime.getTime() - KEPT));
      if (known === null) return null;
      if (known === 'expired') {
        this.#lease.lost(tenure);
        throw lostBeforeAcceptance();
      }
      if (known.state === 'waiting' && known.owner === tenure.id) {
        // Nobody else of this process is about this key: what began it was given up, and stored after that.
        await this.#store.forgetIdempotent(call.caller, call.key, tenure.id);
        continue;
      }
      if (known.fingerprint !== call.fingerprint) throw otherCall();
      if (known.outcome !== null) return known.outcome;
      await delay(LOOK_AGAIN);
      signal.throwIfAborted();
    }
  }

  /** @param ended called when the store knows how the call ended */
  async #runFirst(call: IdempotentCall, conductor: string, work: IdempotentWork, ended: () => void): Promise<Outcome> {
    let accepted = false;
    let outcome: Outcome;
    try {
      outcome = await work(call, async () => {
        // While this process was lost a repeat elsewhere may have become the first.
        if (!(await this.#store.acceptIdempotent(call.caller, call.key, conductor))) throw lostBeforeAcceptance();
        accepted = true;
      });
    } catch (error) {
      await this.#tell(call, conductor, accepted ? recordFailure(toPassthruError(error)) : null, ended);
      throw error;
    }
    // The acceptance of a job has kept the outcome already.
    if (outcome.kind === 'job') ended();
    else await this.#tell(call, conductor, recordOutcome(outcome), ended);
    return outcome;
  }

  /**
   * Tells the store how a call ended: `outcome`, or null when it never began to act. Resolves when that was tried once;
   * while the store does not answer it is tried on, and repeats wait. Never rejects.
   */
  async #tell(call: IdempotentCall, conductor: string, outcome: JsonObject | null, ended: () => void): Promise<void> {
    const { caller, key } = call;
    try {
      if (outcome === null) await this.#store.forgetIdempotent(caller, key, conductor);
      else await this.#store.finishIdempotent(caller, key, outcome);
      ended();
    } catch (error) {
      this.#log.error({ err: error, caller }, 'the outcome of a call with an idempotency key could not be kept');
      // What is wrong with the outcome itself does not pass.
      const next = outcome === null || isStoreUnavailable(error) ? outcome : recordError(NOT_KEPT);
      void delay(STORE_RETRY, undefined, { ref: false }).then(() => this.#tell(call, conductor, next, ended));
    }
  }

  async #replay(outcome: JsonObject): Promise<Outcome> {
    if ('error' in outcome) throw fromErrorRecord(outcome.error as unknown as ErrorRecord);
    if ('job' in outcome) {
      const job = await this.#store.getJob(outcome.job as string);
      if (job === null) throw new PassthruError('job_not_found', `Job ${outcome.job} could not be found.`);
      return { kind: 'job', job };
    }
    if ('attachment' in outcome) {
      const { data, mediaType, fileName } = outcome.attachment as {
        data: string;
        mediaType: string;
        fileName: string | null;
      };
      return { kind: 'attachment', attachment: new Attachment(Buffer.from(data, 'base64'), mediaType, fileName) };
    }
    return { kind: 'result', result: outcome.result ?? null };
  }
}

/** The outcome of a call that came to the job `job`, as a store keeps it. */
export function recordJob(job: Job): JsonObject {
  return { job: job.id };
}

/** The outcome of a call that failed, as a store keeps it. */
export function recordError(error: ErrorRecord): JsonObject {
  return { error: JSON.parse(JSON.stringify(error)) as JsonObject };
}

/** How a call fails that its process ended. */
const PROCESS_ENDED: ReadonlySet<ErrorKind> = new Set(['shutting_down', 'worker_lost']);

/** The failure of a call that had begun to act. */
function recordFailure(error: PassthruError): JsonObject {
  // A repeat must not be told to try again shortly: that would be told it for a day.
  return recordError(PROCESS_ENDED.has(error.kind) ? INTERRUPTED : toErrorRecord(error));
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
  const description = 'idempotency_key was used for another call within a day; choose a new one';
  return new PassthruError('invalid_argument', description, {
    violations: [{ field: 'idempotency_key', description }],
  });
}
