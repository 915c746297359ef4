import type { JsonObject } from '../../../src/core/json.ts';
import type { Recorder } from '../../../src/core/transcript.ts';

/** An entry of a transcript, as the Redfish client makes it. */
export interface Entry {
  at: number;
  duration: number;
  request: { method: string; path: string; headers: JsonObject; body: unknown; truncated?: boolean };
  response: { status: number; headers: JsonObject; body: unknown; truncated?: boolean; encoding?: string } | null;
  error: string | null;
  sent: boolean;
}

/** A recorder that keeps everything, with the entries made when they are asked for, as at the end of a call. */
export interface KeptRecorder extends Recorder {
  entries(): Entry[];
  known(): JsonObject | null;
  /** About the size of the entries, as reported. */
  bytes: number;
}

export function keepingRecorder(): KeptRecorder {
  const made: (() => JsonObject)[] = [];
  let describe: (() => JsonObject) | null = null;
  return {
    bytes: 0,
    add(bytes, entry) {
      this.bytes += bytes;
      made.push(entry);
    },
    context(context) {
      describe ??= context;
    },
    entries: () => made.map((entry) => entry() as unknown as Entry),
    known: () => describe?.() ?? null,
  };
}

/** `METHOD path → status`, or the kind of the error. */
export function lines(entries: readonly Entry[]): string[] {
  return entries.map(({ request, response, error }) => {
    const end = response?.status ?? error?.replace(/:.*/s, '');
    return `${request.method} ${request.path} → ${end}`;
  });
}
