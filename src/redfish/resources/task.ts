import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/secrets.ts';
import { pause } from '../../core/waiting.ts';
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { locationPath } from '../links.ts';
import { extendedInfoText, type RedfishResponse, retryAfterMs } from '../wire/response.ts';

/** Receives a task's progress: `percent` from 0 to 100, null when unknown; `message` is the BMC's newest, or the state. */
export type TaskListener = (percent: number | null, message: string) => void;

/** How long a task is followed before its outcome counts as unknown, in ms. */
const TASK_LIMIT_MS = 30 * 60_000;
const DEFAULT_WAIT_MS = 1000;
/** Maximum number of consecutive polls of a monitor that may fail. */
const MAX_FAILED_POLLS = 5;
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
 * Follows a 202 to the end of its task by the monitor in `Location` (DSP0266, "Asynchronous operations"), honouring
 * `Retry-After`. Returns the operation's final response, which is `started` itself for any other status; null when the BMC
 * no longer has it: a 202 without Location, or a monitor that is gone (404) once the task is done.
 * @throws kind `failed` with the task's messages when it failed; `outcome-unknown` when it did not end within 30 minutes, or
 *   the monitor did not respond several times in a row
 */
export async function followTask(
  client: RedfishClient,
  started: RedfishResponse,
  listener?: TaskListener,
): Promise<RedfishResponse | null> {
  let response = started;
  let monitor = locationPath(started.headers.location);
  const end = performance.now() + TASK_LIMIT_MS;
  let failedPolls = 0;
  let wait = started.headers;
  while (response.status === 202 || (response !== started && isRunning(response))) {
    if (response.document !== null) report(response.document, listener, client.secrets);
    monitor = locationPath(response.headers.location) ?? monitor;
    if (monitor === null) return null;
    const url = client.origin + monitor;
    if (performance.now() > end) {
      const message = 'The BMC accepted the request, but its task did not end in time';
      throw new RedfishError('outcome-unknown', message, { url });
    }
    await pause(retryAfterMs(wait) ?? DEFAULT_WAIT_MS, client.signal);
    try {
      response = await client.getMonitor(monitor);
      failedPolls = 0;
      wait = response.headers;
    } catch (error) {
      if (isNotFound(error)) return null;
      if (!(error instanceof RedfishError)) throw error;
      // The monitor responds as the request itself would have, so that a refusal is the end of the task.
      if (error.kind === 'refused' || [500, 501].includes(error.status)) throw error;
      // The request was accepted: a monitor that does not respond says nothing about its outcome.
      if (++failedPolls < MAX_FAILED_POLLS && error.kind !== 'auth') continue;
      const { status, extendedInfo } = error;
      const message = `The BMC accepted the request, but its task cannot be followed: ${error.message}`;
      throw new RedfishError('outcome-unknown', message, { status, extendedInfo, url, cause: error });
    }
  }
  if (response !== started && response.document !== null) {
    throwIfTaskFailed(response.document, client.origin + monitor, client.secrets);
  }
  return response;
}

/** Whether a task runs: some BMCs (iDRAC 9) name the task itself as the monitor, which returns 200 with its state. */
function isRunning({ document }: RedfishResponse): boolean {
  return typeof document?.TaskState === 'string' && RUNNING_STATES.has(document.TaskState);
}

function report(document: JsonObject, listener: TaskListener | undefined, secrets: readonly string[]): void {
  const percent = typeof document.PercentComplete === 'number' ? document.PercentComplete : null;
  const newest = messages(document).at(-1)?.Message;
  const text = typeof newest === 'string' ? newest : document.TaskState;
  listener?.(percent, typeof text === 'string' ? redactText(text, secrets) : 'Running');
}

/** Throws kind `failed` when a task failed, with its messages; BMCs quote the request there, so `secrets` are redacted. */
function throwIfTaskFailed(document: JsonObject, url: string, secrets: readonly string[]): void {
  const state = document.TaskState;
  if (typeof state !== 'string') return;
  if (!FAILED_STATES.has(state) && document.TaskStatus !== 'Critical') return;
  const extendedInfo = redact(messages(document), secrets);
  const text = extendedInfoText(extendedInfo);
  const end = redactText(`${state}${text === '' ? '' : `: ${text}`}`, secrets);
  throw new RedfishError('failed', `The BMC's task ended as ${end}`, { status: 200, extendedInfo, url });
}

function messages(document: JsonObject): JsonObject[] {
  return Array.isArray(document.Messages) ? document.Messages.filter(isJsonObject) : [];
}

/** How long the effect of an accepted request without a task is waited for, in ms. */
const EFFECT_LIMIT_MS = 10_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 3000;

/**
 * Polls `look` with exponential backoff until it returns a value: a BMC that has accepted a request (202 without a Location)
 * may not have carried it out yet.
 * @param limitMs the time for it, in ms; 0 looks once
 * @returns null when `look` returned none
 * @throws whatever `look` throws; `signal.reason` when it fires
 */
export async function poll<T>(
  look: () => Promise<T | null>,
  signal: AbortSignal,
  limitMs = EFFECT_LIMIT_MS,
): Promise<T | null> {
  const end = performance.now() + limitMs;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    const found = await look();
    if (found !== null || performance.now() + wait > end) return found;
    await pause(wait, signal);
  }
}
