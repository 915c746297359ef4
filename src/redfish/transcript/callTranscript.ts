// The flight recorder in the client: what one call exchanges with its BMC, and what was known of it, without secrets.
import type { JsonObject } from '../../core/json.ts';
import type { Recorder } from '../../core/transcript.ts';
import { RedfishError } from '../errors.ts';
import { firstBytes, Masking } from './masking.ts';

/** A request as it is recorded. */
interface SentRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
}

/** How one try of a request ended: by a response, or by a failure of which a part of a response may be known. */
interface TryEnd {
  /** 0 without a response. */
  status?: number;
  headers?: Record<string, string>;
  body?: Buffer;
  /** Whether the body is not whole. */
  cut?: boolean;
  /** Null when the caller stopped waiting; undefined when the response is whole. */
  error?: unknown;
  /** Whether any part of the request may have reached the BMC. Default true. */
  sent?: boolean;
}

/** About the size of an entry without its bodies, in bytes. */
const ENTRY_BYTES = 600;

/**
 * Records each try of each request of one call, those of its login included. While the call runs, only references are kept:
 * entries are made, parsed and masked when the transcript is kept.
 */
export class CallTranscript {
  readonly #recorder: Recorder;
  readonly #start = performance.now();
  readonly #accountSecrets: () => readonly string[];
  /** Those of requests, and the tokens of sessions: a BMC may quote one that has ended. */
  readonly #secrets: string[] = [];
  #token: string | undefined;

  /** @param accountSecrets returns the password and the present token */
  constructor(recorder: Recorder, accountSecrets: () => readonly string[]) {
    this.#recorder = recorder;
    this.#accountSecrets = accountSecrets;
  }

  /** Masks `secrets` in every entry. */
  hide(secrets: readonly string[]): void {
    this.#secrets.push(...secrets);
  }

  /** Adds a try that began at `from`, by the monotonic clock in ms, and has just ended. */
  add(request: SentRequest, from: number, end: TryEnd): void {
    const to = performance.now();
    this.#hideTokens(request, end);
    // Not `end` itself, which would keep a large body until the call ends.
    const { status = 0, headers = {}, cut = false, error, sent = true } = end;
    const size = end.body?.length ?? 0;
    const body = firstBytes(end.body);
    const bytes = ENTRY_BYTES + (request.body?.length ?? 0) + (body?.length ?? 0);
    this.#recorder.add(bytes, () => {
      const masking = new Masking(this.#allSecrets());
      return {
        at: Math.round(from - this.#start),
        duration: Math.round(to - from),
        request: describeRequest(request, masking),
        response:
          status === 0
            ? null
            : { status, headers: masking.headers(headers), ...masking.body(body, size), ...(cut ? { cut } : {}) },
        error: error === undefined ? null : masking.words(describeError(error)),
        sent,
      };
    });
  }

  #hideTokens({ headers }: SentRequest, { headers: received }: TryEnd): void {
    const token = headers['x-auth-token'];
    if (token !== undefined && token !== this.#token) {
      this.#token = token;
      this.hide([token]);
    }
    const opened = received?.['x-auth-token'];
    if (opened !== undefined) this.hide([opened]);
    const cookie = /^[^=;]*=\s*"?([^;"]+)/.exec(received?.['set-cookie'] ?? '')?.[1];
    if (cookie !== undefined) this.hide([cookie]);
  }

  /** The longest first, as one may be a part of another. */
  #allSecrets(): string[] {
    return [...new Set([...this.#accountSecrets(), ...this.#secrets])].sort((a, b) => b.length - a.length);
  }
}

function describeRequest({ method, path, headers, body }: SentRequest, masking: Masking): JsonObject {
  const bytes = Buffer.from(body ?? '');
  return {
    method,
    path: masking.words(path),
    headers: masking.headers(headers),
    ...masking.body(firstBytes(bytes), bytes.length),
  };
}

/** Describes a try without a whole response: its kind, and what happened. */
function describeError(error: unknown): string {
  if (error instanceof RedfishError) return `${error.kind}: ${error.message}`;
  return error instanceof Error ? `stopped: ${error.message}` : 'stopped: the caller no longer waits';
}
