import type { JsonObject } from './json.ts';

/** Which transcripts are kept: none, those of failed and cancelled calls, or all. */
export type Recording = 'off' | 'failures' | 'all';

export const RECORDINGS: readonly Recording[] = ['off', 'failures', 'all'];

/** Collects what a call exchanges with its machine, for its transcript. */
export interface Recorder {
  /**
   * Adds an exchange. `entry` is called only when the transcript is kept, so that a call that is not costs little.
   * @param bytes about the size of the entry, for the bound of the transcript
   */
  add(bytes: number, entry: () => JsonObject): void;
  /** Sets what the driver knew of the machine when the call began, so that a replay can begin there. The first call wins. */
  context(context: () => JsonObject): void;
}
