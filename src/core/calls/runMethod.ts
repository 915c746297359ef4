import { cutText, MESSAGE_BYTES } from '../bounds.ts';
import type { DriverCall, NodeCall } from '../core.ts';
import { outcomeUnknown, type PassthruError } from '../errors.ts';
import type { Json } from '../json.ts';
import type { Lock } from '../locks/locks.ts';
import type { Logger } from '../logger.ts';
import type { Attachment, Method } from '../method.ts';
import type { Node } from '../node.ts';
import type { DriverTask, HttpMethod, NodeTask, Task } from '../task.ts';
import type { CallRecorder } from '../transcripts/callRecorder.ts';
import { MAX_DELAY } from '../waiting.ts';
import { CallSecrets } from './callSecrets.ts';

/** How long an aborted handler may take to stop before it is given up, in milliseconds. */
export const STOP_TIME = 60_000;

export interface CalledMethod {
  call: NodeCall | DriverCall;
  driver: string;
  method: Method<never>;
  httpMethod: HttpMethod;
  /** Null when the call is not recorded. */
  recorder: CallRecorder | null;
}

/** The checked input of a method; its node is reserved if the method requires that. */
export interface MethodRun {
  /** Null for a driver method. */
  node: Node | null;
  /** As returned by the method's `parse`. */
  args: unknown;
  /** Null for a method without an exclusive lock. */
  lock: Lock | null;
  /** As `HardwareType.longestRequest`; 0 for a driver method. */
  longestRequest(): number;
  /** Its reason is rethrown unchanged when the handler throws it. */
  signal: AbortSignal;
  progress: Task['progress'];
  log: Logger;
}

/**
 * Runs the method's handler, and keeps the secrets of the call out of errors, logs and progress.
 *
 * A handler that ignores its signal is given up, so that its node does not stay reserved forever: after `STOP_TIME` it may
 * send nothing more, and once its last request can no longer be under way, its call fails.
 * @throws what the handler throws; kind `outcome_unknown` when it is given up
 */
export async function runMethod(
  { call, driver, method, httpMethod, recorder }: CalledMethod,
  { node, args, lock, longestRequest, signal, progress, log }: MethodRun,
): Promise<Json | Attachment> {
  const secrets = new CallSecrets([node?.driverInfo ?? {}, call.arguments]);
  const about = { ...(node === null ? {} : { node: node.uuid, node_name: node.name }), driver, method: method.name };
  let givenUp: PassthruError | null = null;
  const giveUp = () => {
    log.error(about, 'handler has not ended since it was aborted, it may send nothing more');
    givenUp = outcomeUnknown(
      `${method.name} of ${driver} did not stop within ${STOP_TIME / 1000} s after it was aborted`,
    );
    return givenUp;
  };
  const task: NodeTask | DriverTask = {
    ...(node === null ? {} : { node }),
    driver,
    method: method.name,
    httpMethod,
    requestedBy: call.caller.name,
    signal,
    deadline: method.async ? null : call.deadline,
    fence: lock?.fence ?? null,
    beforeSend: () => {
      if (givenUp !== null) throw givenUp;
      lock?.tenure.check();
    },
    progress: (fraction, message) =>
      progress(fraction, typeof message === 'string' ? secrets.text(cutText(message, MESSAGE_BYTES)) : message),
    log: secrets.log(log, about),
    recorder,
  };
  recorder?.begin(node);
  try {
    const run = (method as Method).run(task, args);
    return await untilGivenUp(run, signal, () => (lock === null ? 0 : longestRequest()), giveUp);
  } catch (error) {
    // The reason of the signal is the core's own and holds no secrets.
    throw error === signal.reason ? error : secrets.mask(error);
  }
}

/** Waits for a handler; after its signal for at most `STOP_TIME`, then `grace()`. Throws the error of `giveUp`. */
async function untilGivenUp<T>(
  run: Promise<T>,
  signal: AbortSignal,
  grace: () => number,
  giveUp: () => Error,
): Promise<T> {
  const end = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const aborted = () => {
    timer = setTimeout(() => {
      const error = giveUp();
      timer = setTimeout(() => end.reject(error), Math.min(grace(), MAX_DELAY)).unref();
    }, STOP_TIME).unref();
  };
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  try {
    return await Promise.race([run, end.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
  }
}
