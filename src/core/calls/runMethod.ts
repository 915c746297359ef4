import { cutText, MESSAGE_BYTES } from '../bounds.ts';
import type { DriverCall, NodeCall } from '../core.ts';
import { outcomeUnknown, type PassthruError } from '../errors.ts';
import type { Json } from '../json.ts';
import type { EndSignal, LazyAbort } from '../lazyAbort.ts';
import type { Lock } from '../locks/locks.ts';
import type { Logger } from '../logger.ts';
import type { Attachment, Method } from '../method.ts';
import type { Node } from '../node.ts';
import type { DriverTask, HttpMethod, NodeEventSource, Task } from '../task.ts';
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
  /** Returns the event source of a node. */
  source(nodeUuid: string): NodeEventSource;
  /** Null for a method without an exclusive lock. */
  lock: Lock | null;
  /** As `HardwareType.longestRequest`; 0 for a driver method. */
  longestRequest(): number;
  /** Its reason is rethrown unchanged when the handler throws it. */
  end: LazyAbort;
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
export async function runMethod(called: CalledMethod, run: MethodRun): Promise<Json | Attachment> {
  const { method, recorder } = called;
  const { node, args, lock, longestRequest, end } = run;
  const task = new MethodTask(called, run);
  recorder?.begin(node);
  try {
    const returned = (method as Method).run(task, args);
    return await untilGivenUp(returned, end, () => (lock === null ? 0 : longestRequest()), task);
  } catch (error) {
    // The reason of the end is the core's own and holds no secrets.
    throw end.aborted && error === end.reason ? error : task.secrets.mask(error);
  }
}

/** The task of a call. What few handlers use is made when they ask for it. */
class MethodTask implements DriverTask {
  /** Absent for a driver method. */
  readonly node?: Node;
  readonly driver: string;
  readonly method: string;
  readonly httpMethod: HttpMethod;
  readonly requestedBy: string;
  readonly deadline: Date | null;
  readonly fence: number | null;
  readonly recorder: CallRecorder | null;
  readonly #run: MethodRun;
  readonly #call: NodeCall | DriverCall;
  #secrets: CallSecrets | null = null;
  #log: Logger | null = null;
  #givenUp: PassthruError | null = null;

  constructor({ call, driver, method, httpMethod, recorder }: CalledMethod, run: MethodRun) {
    if (run.node !== null) this.node = run.node;
    this.driver = driver;
    this.method = method.name;
    this.httpMethod = httpMethod;
    this.requestedBy = call.caller.name;
    this.deadline = method.async ? null : call.deadline;
    this.fence = run.lock?.fence ?? null;
    this.recorder = recorder;
    this.#run = run;
    this.#call = call;
  }

  get eventSource(): NodeEventSource | undefined {
    const { node, source } = this.#run;
    return node === null ? undefined : source(node.uuid);
  }

  get signal(): AbortSignal {
    return this.#run.end.signal;
  }

  // Functions of their own, since a handler may take them out of the task.
  readonly beforeSend = (): void => {
    if (this.#givenUp !== null) throw this.#givenUp;
    this.#run.lock?.tenure.check();
  };

  readonly progress = (fraction: number | null, message: string): void => {
    const text = typeof message === 'string' ? this.secrets.text(cutText(message, MESSAGE_BYTES)) : message;
    this.#run.progress(fraction, text);
  };

  get log(): Logger {
    this.#log ??= this.secrets.log(this.#run.log, this.#about());
    return this.#log;
  }

  get secrets(): CallSecrets {
    this.#secrets ??= new CallSecrets([this.#run.node?.driverInfo ?? {}, this.#call.arguments]);
    return this.#secrets;
  }

  /** Lets the handler send nothing more. Returns the error of its call. */
  giveUp(): PassthruError {
    this.#run.log.error(this.#about(), 'handler has not ended since it was aborted, it may send nothing more');
    this.#givenUp = outcomeUnknown(
      `${this.method} of ${this.driver} did not stop within ${STOP_TIME / 1000} s after it was aborted`,
    );
    return this.#givenUp;
  }

  #about(): object {
    const { node, driver, method } = this;
    return { ...(node === undefined ? {} : { node: node.uuid, node_name: node.name }), driver, method };
  }
}

/** Waits for a handler; after its end for at most `STOP_TIME`, then `grace()`. Then throws the error of `giveUp`. */
function untilGivenUp<T>(run: Promise<T>, end: EndSignal, grace: () => number, task: MethodTask): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const aborted = () => {
      timer = setTimeout(() => {
        const error = task.giveUp();
        timer = setTimeout(() => reject(error), Math.min(grace(), MAX_DELAY)).unref();
      }, STOP_TIME).unref();
    };
    const settled = () => {
      if (timer !== undefined) clearTimeout(timer);
      end.removeEventListener('abort', aborted);
    };
    if (end.aborted) aborted();
    else end.addEventListener('abort', aborted, { once: true });
    // A driver in JavaScript may return no promise.
    Promise.resolve(run).then(
      (value) => {
        settled();
        resolve(value);
      },
      (error: unknown) => {
        settled();
        reject(error);
      },
    );
  });
}
