// Transcripts: what calls exchanged with their machines, recorded, masked and kept.

import { type Caller, checkRole } from '../caller.ts';
import { requiredRole } from '../calls/callRules.ts';
import type { CalledMethod } from '../calls/runMethod.ts';
import { PassthruError } from '../errors.ts';
import { isTerminal, type Job, newJobId } from '../job.ts';
import type { Logger } from '../logger.ts';
import { isUuid } from '../node.ts';
import type { Registry } from '../registry.ts';
import type { Store, StoredTranscript } from '../store.ts';
import type { Recording } from '../transcript.ts';
import { pause } from '../waiting.ts';
import { CallRecorder } from './callRecorder.ts';
import { type CallEnd, type TranscriptHead, transcriptText } from './transcriptText.ts';

/** How long after the end of a job another process may still store its transcript, in milliseconds. */
const LATE = 5000;

/** The wait before a transcript is read again that another process may still store, in milliseconds. */
const REREAD_WAIT = 500;

/** Keeps the transcripts of calls and returns them. */
export class Transcripts {
  readonly #store: Store;
  readonly #setting: Recording;
  readonly #registry: Registry;
  readonly #log: Logger;
  /** The running recorded jobs of this process, until their transcripts are stored. */
  readonly #pending = new Map<string, Promise<unknown>>();

  /** @param setting applies to calls that ask for nothing else */
  constructor(store: Store, setting: Recording, registry: Registry, log: Logger) {
    this.#store = store;
    this.#setting = setting;
    this.#registry = registry;
    this.#log = log;
  }

  /** Returns the recorder of a call; null when it is not recorded. */
  recorder(recording: Recording | undefined): CallRecorder | null {
    const wanted = recording ?? this.#setting;
    return wanted === 'off' ? null : new CallRecorder(wanted);
  }

  /**
   * Keeps the transcript of a synchronous call that has ended, if its recorder says so. Returns its id; null when none is
   * kept. Never rejects.
   */
  keepCall(recorder: CallRecorder, called: CalledMethod, error: PassthruError | null): Promise<string | null> {
    const failed = error?.kind === 'cancelled' ? 'cancelled' : 'failed';
    const end = { state: error === null ? 'succeeded' : failed, error, endTime: new Date() } as const;
    return this.#keep(recorder, called, end, newJobId(), false);
  }

  /**
   * Keeps the transcript of a job once it has `ended`, if its recorder says so; null stands for a job that another process
   * ends. Never rejects.
   */
  async keepJob(recorder: CallRecorder, called: CalledMethod, id: string, ended: Promise<Job | null>): Promise<void> {
    const kept = ended.then((job) => {
      if (job === null || job.state === 'running') return null;
      const { state, error, endTime } = job;
      return this.#keep(recorder, called, { state, error, endTime: endTime ?? new Date() }, id, true);
    });
    this.#pending.set(id, kept);
    await kept;
    this.#pending.delete(id);
  }

  /** Stores a transcript; a failure is logged. */
  async #keep(
    recorder: CallRecorder,
    called: CalledMethod,
    end: CallEnd,
    id: string,
    ofJob: boolean,
  ): Promise<string | null> {
    const recorded = recorder.end(end.state === 'succeeded');
    if (recorded === null) return null;
    const { driver, method } = called;
    const { state, endTime } = end;
    const fields = { transcript: id, node: recorder.node?.uuid ?? null, driver, method: method.name, state };
    try {
      const text = await transcriptText(id, called, end, recorder, recorded);
      await this.#store.keepTranscript({ id, ofJob, role: requiredRole(method), endTime, text });
    } catch (error) {
      this.#log.warn({ err: error, ...fields }, 'storing a transcript failed');
      return null;
    }
    this.#log.info(fields, 'transcript kept');
    return id;
  }

  /**
   * Returns the transcript of a job or a synchronous call, as JSON text.
   * @throws kind `job_not_found`, `transcript_not_found`, or `permission_denied` when the caller may not call the method
   */
  async get(id: string, caller: Caller): Promise<string> {
    const { text, role } = await this.#find(id);
    const { driver, method, node_uuid: nodeUuid } = JSON.parse(text) as TranscriptHead;
    checkRole(caller, this.#registry.roleOfPast({ driver, method, nodeUuid, role }), `read transcript ${id}`);
    return text;
  }

  async #find(id: string): Promise<StoredTranscript> {
    if (!isUuid(id)) throw unknown(id);
    const key = id.toLowerCase();
    const found = await this.#store.getTranscript(key);
    if (found !== null) return found;
    const job = await this.#store.getJob(key);
    if (job === null) throw unknown(id);
    if (!isTerminal(job)) {
      throw new PassthruError('transcript_not_found', `Job ${id} is running; a transcript is kept when it has ended.`);
    }
    await this.#stored(job);
    const late = await this.#store.getTranscript(key);
    if (late !== null) return late;
    throw new PassthruError(
      'transcript_not_found',
      `Job ${id} has no transcript: it was not recorded (a job that succeeded is recorded only on request), exchanged nothing with its machine, or its process was lost. To record the next call, give --record=all, the header Passthru-Recorder: all, or the field recording.`,
    );
  }

  /** Waits until the transcript of an ended job is stored, if one is about to be. */
  async #stored(job: Job): Promise<void> {
    const pending = this.#pending.get(job.id);
    if (pending !== undefined) await pending.catch(() => {});
    else if (this.#store.shared && Date.now() - (job.endTime?.getTime() ?? 0) < LATE) {
      await pause(REREAD_WAIT, this.#store.closed);
    }
  }
}

function unknown(id: string): PassthruError {
  return new PassthruError('job_not_found', `Job ${id} could not be found, nor a transcript with this id.`);
}
