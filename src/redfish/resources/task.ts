import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/secrets.ts';
import { pause } from '../../core/waiting.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { locationPath } from '../links.ts';
import { retryAfterMs } from '../wire/busy.ts';
import { extendedInfoText } from '../wire/extendedInfo.ts';
import type { Answer } from '../wire/response.ts';

/** Told how far a task is: `percent` from 0 to 100, null when the BMC does not say; `message` is the BMC's newest, or its state. */
export type TaskListener = (percent: number | null, message: string) => void;

export interface TaskOptions extends RequestOptions {
  listener?: TaskListener;
  /** Milliseconds until the task is given up as of unknown outcome. Default 30 minutes. */
  limitMs?: number;
}

const LIMIT_MS = 30 * 60_000;
const DEFAULT_WAIT_MS = 1000;
/** So often in a row a monitor may fail to answer. */
const MOST_SILENCES = 5;
const RUNNING_STATES = new Set([
  'New',
  'Starting',
  'Running',
  'Pending',
  'Suspended',
  'Stopping',
  'Cancelling',
  // The operation is expected to restart (Task schema, "TaskState").
  'Interrupted',
  'Service',
]);
const FAILED_STATES = new Set(['Exception', 'Killed', 'Cancelled']);

/**
 * Follows an answer of 202 to the end of its task by the monitor in `Location` (DSP0266, "Asynchronous operations"),
 * honouring `Retry-After`; any other answer comes back as it is. Answers the operation's own answer, or null when the
 * BMC no longer has it: a 202 without Location, a monitor that is gone (404) once the task is done.
 * @throws kind `failed` with the task's messages when it failed; `outcome-unknown` when it did not end in time, or the
 *   monitor gave no answer several times in a row
 */
export async function followTask(client: RedfishClient, started: Answer, options: TaskOptions): Promise<Answer | null> {
  const secrets = [...client.secrets, ...(options.secrets ?? [])];
  let answer = started;
  let monitor = locationPath(started.headers.location);
  const end = performance.now() + (options.limitMs ?? LIMIT_MS);
  let silences = 0;
  let wait = started.headers;
  while (answer.status === 202 || (answer !== started && isRunning(answer))) {
    if (answer.document !== null) report(answer.document, options.listener, secrets);
    monitor = locationPath(answer.headers.location) ?? monitor;
    if (monitor === null) return null;
    const url = client.origin + monitor;
    if (performance.now() > end) {
      throw new RedfishError('outcome-unknown', 'The BMC accepted the request, but its task did not end in time', {
        url,
      });
    }
    await pause(retryAfterMs(wait) ?? DEFAULT_WAIT_MS, options.signal);
    try {
      answer = await client.getTaskAnswer(monitor, options);
      silences = 0;
      wait = answer.headers;
    } catch (error) {
      if (isNotFound(error)) return null;
      if (!(error instanceof RedfishError)) throw error;
      // The monitor answers as the request itself would have, so that a refusal is the end of the task.
      if (error.kind === 'refused' || [500, 501].includes(error.status)) throw error;
      // It was accepted: that its monitor does not answer says nothing of what becomes of it.
      if (++silences < MOST_SILENCES && error.kind !== 'auth') continue;
      const { status, extendedInfo, message } = error;
      throw new RedfishError(
        'outcome-unknown',
        `The BMC accepted the request, but its task cannot be followed: ${message}`,
        { status, extendedInfo, url, cause: error },
      );
    }
  }
  if (answer !== started && answer.document !== null) {
    failWithTask(answer.document, client.origin + monitor, secrets);
  }
  return answer;
}

/** Some BMCs (iDRAC 9) name the task itself as the monitor, which answers 200 with its state. */
function isRunning({ document }: Answer): boolean {
  return typeof document?.TaskState === 'string' && RUNNING_STATES.has(document.TaskState);
}

function report(document: JsonObject, listener: TaskListener | undefined, secrets: readonly string[]): void {
  const percent = typeof document.PercentComplete === 'number' ? document.PercentComplete : null;
  const newest = messages(document).at(-1)?.Message;
  const text = typeof newest === 'string' ? newest : document.TaskState;
  listener?.(percent, typeof text === 'string' ? redactText(text, secrets) : 'Running');
}

/** BMCs quote in a task's messages what the request held, as they do in a refusal: without the `secrets`. */
function failWithTask(document: JsonObject, url: string, secrets: readonly string[]): void {
  const state = document.TaskState;
  if (typeof state !== 'string') return;
  if (!FAILED_STATES.has(state) && document.TaskStatus !== 'Critical') return;
  const extendedInfo = redact(messages(document), secrets);
  const said = extendedInfoText(extendedInfo);
  const end = redactText(`${state}${said === '' ? '' : `: ${said}`}`, secrets);
  const message = `The BMC's task ended as ${end}`;
  throw new RedfishError('failed', message, { status: 200, extendedInfo, url });
}

function messages(document: JsonObject): JsonObject[] {
  return Array.isArray(document.Messages) ? document.Messages.filter(isJsonObject) : [];
}
