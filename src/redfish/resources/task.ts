import type { JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/redaction.ts';
import { pause } from '../../core/waiting.ts';
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { locationPath, samePath } from '../links.ts';
import { concernsPoll } from '../wire/meaning.ts';
import { wordsOfError } from '../wire/messages.ts';
import { PollPace } from '../wire/pollPace.ts';
import { extendedInfoText, type RedfishResponse, retryAfterMs } from '../wire/response.ts';
import { isUp } from './serviceRoot.ts';
import {
  findTaskRecord,
  hasFailed,
  namedTask,
  RUNNING_STATES,
  readNamedTask,
  stateOf,
  type TaskRecord,
  taskMessages,
} from './taskRecord.ts';

/** Receives a task's progress: `percent` from 0 to 100, null when unknown; `message` is the BMC's newest, or the state. */
export type TaskListener = (percent: number | null, message: string) => void;

/** How long a task is followed before its outcome counts as unknown, in ms. */
const TASK_LIMIT_MS = 30 * 60_000;
const DEFAULT_WAIT_MS = 1000;
/** The maximum length of all responses to the polls of one task, in bytes. */
const MAX_POLLED_BYTES = 256 * 1024 * 1024;
/** Maximum number of consecutive polls of a monitor that may fail while the BMC works. */
const MAX_FAILED_POLLS = 5;
/** How long a BMC may take to restart while it runs a task, in ms. */
const RESTART_LIMIT_MS = 5 * 60_000;
const RESTART_WAIT_MS = 5000;

/** States of a record that has ended well. */
const SUCCEEDED = new Set(['Completed', 'RebootCompleted']);

/** The final response to an operation. */
export interface TaskResponse extends RedfishResponse {
  /** Whether it stands for the record of the task, which says that the operation succeeded, and nothing else. */
  isRecord?: boolean;
}

/** How far a task was followed. */
interface Following {
  /** The monitor, or the record of the task that replaces it; null when the BMC has told none. */
  path: string | null;
  /** Whether `path` is a record, whose own errors say nothing about the operation. */
  isRecord: boolean;
  failedPolls: number;
  /** When the BMC stopped to respond, by the monotonic clock, in ms; null while it responds. */
  downSince: number | null;
}

/**
 * Follows a 202 to the end of its task by the monitor in `Location` (DSP0266, "Asynchronous operations"), honouring
 * `Retry-After` within the limits of `PollPace`. A monitor that is gone (404) says nothing about success, as iDRAC also removes it after failures: then the
 * record of the task is followed, see `findTaskRecord`. A response that is about the poll alone (429, not ready) says nothing
 * either. A BMC that restarts meanwhile is waited for. Returns the operation's final response, which is `started` itself for any
 * other status, and an empty 200 where only the record shows success; null when the BMC has neither, so that only the effect
 * can show the outcome.
 * @throws kind `failed` with the task's messages when it failed; `outcome-unknown` when it did not end within 30 minutes, or
 *   the monitor did not respond several times in a row
 */
export async function followTask(
  client: RedfishClient,
  started: RedfishResponse,
  listener?: TaskListener,
): Promise<TaskResponse | null> {
  let response = started;
  const following: Following = {
    path: locationPath(started.headers.location),
    isRecord: false,
    failedPolls: 0,
    downSince: null,
  };
  const pace = new PollPace();
  const end = performance.now() + TASK_LIMIT_MS;
  let waitMs = retryAfterMs(started.headers);
  while (response.status === 202 || (response !== started && isRunning(response.document))) {
    if (response.document !== null) report(response.document, listener, client.secrets);
    following.path = locationPath(response.headers.location) ?? following.path;
    if (following.path === null) return null;
    const pauseMs = pace.next(waitMs ?? DEFAULT_WAIT_MS, response.bytes);
    if (performance.now() > end || pace.bytes > MAX_POLLED_BYTES) {
      const message = 'The BMC accepted the request, but its task did not end in time';
      throw new RedfishError('outcome-unknown', message, { url: client.origin + following.path });
    }
    await client.pause(pauseMs);
    try {
      response = await client.getMonitor(following.path);
      following.failedPolls = 0;
      following.downSince = null;
      waitMs = retryAfterMs(response.headers);
    } catch (error) {
      const next = await afterFailedPoll(client, started, following, error);
      if (next === 'gone') return null;
      if (next === 'down') waitMs = RESTART_WAIT_MS;
      if (typeof next !== 'string') response = { status: 200, headers: {}, document: next };
    }
  }
  if (response !== started && response.document !== null) {
    throwIfTaskFailed(response.document, client.origin + following.path, client.secrets);
  }
  if (!following.isRecord) return response;
  // A record says that the task succeeded, and not what the operation returned.
  const succeeded = response.document !== null && SUCCEEDED.has(stateOf(response.document) ?? '');
  return succeeded ? { status: 200, headers: {}, document: null, isRecord: true } : null;
}

/**
 * Decides how to go on after a poll that failed: with the record of the task, which is returned; by another poll, soon or
 * after the BMC's restart; or not at all, as nothing is left of the task.
 * @throws the operation's own failure; kind `outcome-unknown` when the task cannot be followed
 */
async function afterFailedPoll(
  client: RedfishClient,
  started: RedfishResponse,
  following: Following,
  error: unknown,
): Promise<JsonObject | 'gone' | 'down' | 'again'> {
  if (!(error instanceof RedfishError)) throw error;
  const monitor = following.path!;
  const gone = isNotFound(error);
  const ofPoll = concernsPoll(error.status, wordsOfError(error));
  let isDown = false;
  if (!ofPoll && !gone && mayBeEnd(error)) {
    const asEnd = following.isRecord ? null : await afterEnd(client, started, following, error);
    if (asEnd !== null) return asEnd;
  } else if (!ofPoll && error.kind !== 'auth' && !(await isUp(client))) {
    isDown = true;
    following.downSince ??= performance.now();
    if (performance.now() - following.downSince < RESTART_LIMIT_MS) return 'down';
  }
  const find = async () => followRecord(following, await findTaskRecord(client, started, monitor));
  if (gone && !isDown) return (await find()) ?? 'gone';
  if (!isDown && error.kind !== 'auth') {
    if (++following.failedPolls < MAX_FAILED_POLLS) return 'again';
    const document = following.isRecord ? null : await find();
    if (document !== null) return document;
  }
  // The request was accepted: a monitor that does not tell says nothing about its outcome.
  const { status, extendedInfo } = error;
  const message = `The BMC accepted the request, but its task cannot be followed: ${error.message}`;
  const url = client.origin + monitor;
  throw new RedfishError('outcome-unknown', message, { status, extendedInfo, url, cause: error });
}

/** Whether an error may be the end of the task: the monitor responds as the request itself would have. */
function mayBeEnd({ kind, status }: RedfishError): boolean {
  return kind === 'refused' || status === 500 || status === 501;
}

/**
 * Returns the Task that shows whether an error was the end of the operation. A poll that failed gets 500 as well, so that the
 * Task decides where the 202 named one; null when it is the monitor itself.
 * @throws `error` when no Task shows anything else
 */
async function afterEnd(
  client: RedfishClient,
  started: RedfishResponse,
  following: Following,
  error: RedfishError,
): Promise<JsonObject | null> {
  const monitor = following.path!;
  const named = namedTask(client, started);
  if (error.status < 500 || named === null) throw error;
  if (samePath(named, monitor)) return null;
  const document = followRecord(following, await readNamedTask(client, started, monitor));
  if (document === null) throw error;
  return document;
}

/** Follows `record` from now on, and returns its document; null when there is none. */
function followRecord(following: Following, record: TaskRecord | null): JsonObject | null {
  if (record === null) return null;
  following.path = record.path;
  following.isRecord = true;
  following.failedPolls = 0;
  return record.document;
}

/** Whether a task runs: some BMCs (iDRAC 9) name the task itself as the monitor, which returns 200 with its state. */
function isRunning(document: JsonObject | null): boolean {
  return document !== null && RUNNING_STATES.has(stateOf(document) ?? '');
}

function report(document: JsonObject, listener: TaskListener | undefined, secrets: readonly string[]): void {
  const percent = typeof document.PercentComplete === 'number' ? document.PercentComplete : null;
  const text = taskMessages(document).at(-1)?.Message ?? stateOf(document);
  listener?.(percent, typeof text === 'string' ? redactText(text, secrets) : 'Running');
}

/** Throws kind `failed` when a task failed, with its messages; BMCs quote the request there, so `secrets` are redacted. */
function throwIfTaskFailed(document: JsonObject, url: string, secrets: readonly string[]): void {
  const state = stateOf(document);
  if (state === null || !hasFailed(document)) return;
  const extendedInfo = redact(taskMessages(document), secrets);
  const text = extendedInfoText(extendedInfo);
  const end = redactText(`${state}${text === '' ? '' : `: ${text}`}`, secrets);
  throw new RedfishError('failed', `The BMC's task ended as ${end}`, { status: 200, extendedInfo, url });
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
