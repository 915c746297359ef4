import type { DriverCall, NodeCall } from '../core.ts';
import { PassthruError } from '../errors.ts';
import { asJson, type Json, MAX_DEPTH, nestsDeeperThan } from '../json.ts';
import type { Lock } from '../locks/locks.ts';
import type { Logger } from '../logger.ts';
import { Attachment, type Method } from '../method.ts';
import type { Node } from '../node.ts';
import type { DriverTask, HttpMethod, NodeTask, Task } from '../task.ts';
import { CallSecrets } from './callSecrets.ts';

/** A call and the method that it is for. */
export interface CalledMethod {
  call: NodeCall | DriverCall;
  driver: string;
  method: Method<never>;
  httpMethod: HttpMethod;
}

/** What the method runs with: arguments that are checked, and a node that is reserved where it has to be. */
export interface MethodRun {
  /** Null for a driver method. */
  node: Node | null;
  /** As the method's `parse` answered them. */
  args: unknown;
  /** Null for a method that needs no exclusive lock. */
  lock: Lock | null;
  /** Its reason, when the handler throws it, is thrown on as it is. */
  signal: AbortSignal;
  progress: Task['progress'];
  log: Logger;
}

/** Hands a task to the method's handler and answers what it does; secrets of the call are in no error, log or progress. */
export async function runMethod(
  { call, driver, method, httpMethod }: CalledMethod,
  { node, args, lock, signal, progress, log }: MethodRun,
): Promise<Json | undefined | Attachment> {
  const secrets = new CallSecrets([node?.driverInfo ?? {}, call.arguments]);
  const task: NodeTask | DriverTask = {
    ...(node === null ? {} : { node }),
    driver,
    method: method.name,
    httpMethod,
    requestedBy: call.caller.name,
    signal,
    deadline: method.async ? null : call.deadline,
    fence: lock?.fence ?? null,
    beforeSend: () => lock?.tenure.check(),
    progress: (fraction, message) => progress(fraction, typeof message === 'string' ? secrets.text(message) : message),
    log: secrets.log(log),
  };
  try {
    return await (method as Method).run(task, args);
  } catch (error) {
    // The reason of the signal is the core's own, and known by its identity.
    throw error === signal.reason ? error : secrets.error(error);
  }
}

/**
 * What a method answered as JSON, so that whoever asks, now or from the store, is told the same.
 * @throws kind `bmc_failed` when it nests too deep
 */
export function checkResult(method: string, answer: Json | undefined | Attachment): Json {
  if (answer === undefined) return null;
  if (answer instanceof Attachment) throw new TypeError(`method ${method} answered an Attachment, but does not attach`);
  checkResultDepth(method, answer);
  const result = asJson(answer);
  if (result !== answer) checkResultDepth(method, result);
  return result;
}

function checkResultDepth(method: string, result: Json): void {
  if (!nestsDeeperThan(result)) return;
  throw new PassthruError('bmc_failed', `The result of ${method} nests deeper than ${MAX_DEPTH} levels`);
}
