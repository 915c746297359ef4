import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from './core.ts';
import {
  type ErrorRecord,
  fromErrorRecord,
  invalidArgument,
  PassthruError,
  toErrorRecord,
  toPassthruError,
} from './errors.ts';
import type { Job } from './job.ts';
import { canonicalJson, type Json, type JsonObject } from './json.ts';
import { Attachment } from './method.ts';
import type { IdempotentCall, Store } from './store.ts';

/** How long a key is kept, in milliseconds: a day. */
const KEPT = 24 * 60 * 60 * 1000;

/** How often a call that runs in another process is looked at, in milliseconds. */
const LOOK_AGAIN = 250;

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

/** The work of a call. It calls `accepted` right before it begins to act; a job's acceptance tells the store itself. */
export type IdempotentWork = (call: IdempotentCall, accepted: () => Promise<void>) => Promise<Outcome>;

/** Runs calls that carry an idempotency key once, and answers repeats with the first outcome. */
export class Idempotency {
  readonly #store: Store;
  readonly #owner: string;
  readonly #inFlight = new Map<string, { fingerprint: string; end: Promise<unknown> }>();

  constructor(store: Store, owner: string) {
    this.#store = store;
    this.#owner = owner;
  }

  /**
   * @param content what makes two calls the same: target, method, verb, arguments
   * @throws kind `invalid_argument` when the key was used for another call, or is not 1 to 255 printable characters
   */
  async run(caller: string, key: string, content: Json, work: IdempotentWork): Promise<Outcome> {
    checkKey(key);
    const fingerprint = createHash('sha256').update(canonicalJson(content)).digest('base64url');
    const scope = JSON.stringify([caller, key]);
    for (;;) {
      const first = this.#inFlight.get(scope);
      if (first === undefined) break;
      if (first.fingerprint !== fingerprint) throw otherCall();
      await first.end;
    }
    const call = { caller, key, fingerprint, createTime: new Date() };
    const run = this.#runOnce(call, work);
    const end = run.then(ignore, ignore);
    this.#inFlight.set(scope, { fingerprint, end });
    try {
      return await run;
    } finally {
      this.#inFlight.delete(scope);
    }
  }

  async #runOnce(call: IdempotentCall, work: IdempotentWork): Promise<Outcome> {
    const { caller, key, fingerprint } = call;
    for (;;) {
      const known = await this.#store.beginIdempotent(call, this.#owner, new Date(call.createTime.getTime() - KEPT));
      if (known === null) break;
      if (known.fingerprint !== fingerprint) throw otherCall();
      if (known.outcome !== null) return await this.#replay(known.outcome);
      await delay(LOOK_AGAIN);
    }
    let accepted = false;
    try {
      const outcome = await work(call, async () => {
        await this.#store.acceptIdempotent(caller, key);
        accepted = true;
      });
      // The acceptance of a job has kept the outcome already.
      if (outcome.kind !== 'job') await this.#store.finishIdempotent(caller, key, recordOutcome(outcome));
      return outcome;
    } catch (error) {
      if (accepted) await this.#store.finishIdempotent(caller, key, recordError(toErrorRecord(toPassthruError(error))));
      else await this.#store.forgetIdempotent(caller, key);
      throw error;
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

function ignore(): void {}
