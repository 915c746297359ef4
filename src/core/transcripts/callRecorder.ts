import type { JsonObject } from '../json.ts';
import type { Node } from '../node.ts';
import type { Recorder, Recording } from '../transcript.ts';
import { FirstAndLast } from './firstAndLast.ts';

/** An exchange whose entry is made when the transcript is kept. */
type Exchange = () => JsonObject;

/** What a recorder collected. */
export interface Recorded {
  context: () => JsonObject;
  exchanges: FirstAndLast<Exchange>;
}

/** The recorder of one call. It is nearly empty until the call's handler adds something. */
export class CallRecorder implements Recorder {
  readonly #recording: Recording;
  #exchanges: FirstAndLast<Exchange> | null = null;
  #context: (() => JsonObject) | null = null;
  #ended = false;
  /** The node when the handler began; null for a driver method, and before. */
  node: Node | null = null;
  /** When the handler began, in milliseconds since 1970. */
  began = 0;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  /** Records that the handler begins. */
  begin(node: Node | null): void {
    this.node = node;
    this.began = Date.now();
  }

  add(bytes: number, entry: Exchange): void {
    // A handler that ignores its signal may still report after its call has ended.
    if (this.#ended) return;
    this.#exchanges ??= new FirstAndLast();
    this.#exchanges.add(entry, bytes);
  }

  context(context: () => JsonObject): void {
    this.#context ??= context;
  }

  /** Whether a transcript is to be kept: one without an exchange says nothing. */
  keeps(succeeded: boolean): boolean {
    return this.#exchanges !== null && (!succeeded || this.#recording === 'all');
  }

  /** Ends the recording. Returns what was recorded; null when it is not to be kept. */
  end(succeeded: boolean): Recorded | null {
    this.#ended = true;
    const exchanges = this.keeps(succeeded) ? this.#exchanges : null;
    this.#exchanges = null;
    return exchanges && { context: this.#context ?? (() => ({})), exchanges };
  }
}
