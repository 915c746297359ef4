import type { Json, JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { BmcState, Quirk, RedfishRequest, RedfishResponse } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import { refuse } from '../messages.ts';
import { isChange } from '../quirk.ts';
import { documentResponse } from '../response.ts';

/** How a BMC performs a change as a task (DSP0266, "Asynchronous operations"). */
interface TaskOptions {
  /** The number of GETs, of any path, during which the task runs. */
  polls: number;
  /** The Retry-After header in seconds; null: none. */
  retryAfter: number | null;
  /** The Location of the 202: the task monitor, the Task itself (old iDRAC), or none. */
  location: 'monitor' | 'task' | 'none';
  /** Whether the change is made. A task that fails reports it in the Task, or by the status of the monitor. */
  outcome: 'done' | 'failed-task' | 'failed-status';
  /** Whether the monitor returns 404 as soon as the task has ended. */
  monitorGone: boolean;
}

const DEFAULTS: TaskOptions = { polls: 2, retryAfter: 1, location: 'monitor', outcome: 'done', monitorGone: false };

export const taskQuirks: Quirk[] = [
  withTasks('tasks', 'each change is a task: 202 with a monitor and Retry-After'),
  withTasks('tasks-fail', 'as tasks; the Task ends as Exception, without the change', { outcome: 'failed-task' }),
  withTasks('tasks-fail-status', 'as tasks; the monitor ends with 500, without the change', {
    outcome: 'failed-status',
  }),
  withTasks('tasks-no-location', 'as tasks; the 202 has no Location and no body', { location: 'none' }),
  withTasks('tasks-monitor-gone', 'as tasks; the monitor returns 404 once the task has ended', { monitorGone: true }),
  withTasks('tasks-location-task', 'as tasks; Location is the Task, which always returns 200 (old iDRAC)', {
    location: 'task',
  }),
];

/** Makes a quirk that performs each change as a task. */
export function withTasks(name: string, description: string, options: Partial<TaskOptions> = {}): Quirk {
  const tasksOf = new WeakMap<BmcState, Task[]>();
  return {
    name,
    description,
    handle: (request, bmc, next) => {
      const tasks = tasksOf.get(bmc) ?? [];
      tasksOf.set(bmc, tasks);
      if (isChange(request, bmc)) {
        const task = new Task(tasks.length + 1, bmc, { ...DEFAULTS, ...options }, () => next(request));
        tasks.push(task);
        return task.accept(request);
      }
      if (request.method === 'GET') for (const task of tasks) task.advance();
      return tasks.find(({ monitor }) => request.path === monitor)?.monitorResponse() ?? next(request);
    },
  };
}

class Task {
  readonly monitor: string;
  readonly #path: string;
  readonly #bmc: BmcState;
  readonly #options: TaskOptions;
  readonly #perform: () => RedfishResponse;
  #remaining: number;
  /** What the monitor returns next; null while the task runs. */
  #end: RedfishResponse | null = null;

  constructor(id: number, bmc: BmcState, options: TaskOptions, perform: () => RedfishResponse) {
    this.monitor = `${ROOT}/TaskService/TaskMonitors/${id}`;
    this.#path = `${ROOT}/TaskService/Tasks/${id}`;
    this.#bmc = bmc;
    this.#options = options;
    this.#perform = perform;
    this.#remaining = options.polls;
  }

  /** Adds the Task document. Returns the response to the change. */
  accept({ path }: RedfishRequest): RedfishResponse {
    const id = this.#path.slice(this.#path.lastIndexOf('/') + 1);
    this.#bmc.documents.addMember(this.#path, {
      '@odata.id': this.#path,
      '@odata.type': '#Task.v1_7_0.Task',
      Id: id,
      Name: `Task ${id}`,
      TaskState: 'Running',
      TaskStatus: 'OK',
      TaskMonitor: this.monitor,
      StartTime: new Date().toISOString(),
      PercentComplete: 0,
      Payload: { TargetUri: path, HttpOperation: 'POST' },
      Messages: [],
    });
    return this.#options.location === 'none' ? { status: 202, headers: {}, body: null } : this.#running();
  }

  monitorResponse(): RedfishResponse {
    if (this.#end === null) return this.#running();
    const end = this.#end;
    // The monitor returns the outcome once (DSP0266, "Asynchronous operations").
    this.#end = this.#monitorGone();
    return end;
  }

  /** Takes the task one step further; the last step makes the change. */
  advance(): void {
    const { polls, outcome, monitorGone } = this.#options;
    if (this.#end !== null) return;
    this.#remaining--;
    if (this.#remaining >= 0) {
      const percent = Math.round((100 * (polls - this.#remaining)) / (polls + 1));
      this.#change({ PercentComplete: percent, Messages: [message('TaskProgressChanged', percent)] });
      return;
    }
    if (outcome === 'done') {
      this.#end = this.#perform();
      const done = this.#end.status < 400;
      this.#finish(done, done ? [message('TaskCompletedOK')] : messagesOf(this.#end));
    } else {
      this.#finish(false, [message('TaskAborted')]);
      this.#end = outcome === 'failed-task' ? documentResponse(this.#document()) : refuse('InternalError');
    }
    if (monitorGone) this.#end = this.#monitorGone();
  }

  #finish(done: boolean, messages: Json): void {
    const state = done
      ? { TaskState: 'Completed', TaskStatus: 'OK' }
      : { TaskState: 'Exception', TaskStatus: 'Critical' };
    this.#change({ ...state, PercentComplete: 100, EndTime: new Date().toISOString(), Messages: messages });
  }

  #running(): RedfishResponse {
    const { location, retryAfter } = this.#options;
    return documentResponse(this.#document(), 202, {
      Location: location === 'task' ? this.#path : this.monitor,
      ...(retryAfter === null ? {} : { 'Retry-After': String(retryAfter) }),
    });
  }

  #monitorGone(): RedfishResponse {
    return refuse('ResourceMissingAtURI', this.monitor);
  }

  #document(): JsonObject {
    return this.#bmc.documents.get(this.#path) ?? {};
  }

  #change(properties: JsonObject): void {
    this.#bmc.documents.set(this.#path, { ...this.#document(), ...properties });
  }
}

/** Returns the messages of a refused change, for the Task. */
function messagesOf({ body }: RedfishResponse): Json {
  const { error } = JSON.parse(body ?? '{}') as JsonObject;
  return (isJsonObject(error) && error['@Message.ExtendedInfo']) || [];
}

const TEXTS = {
  TaskProgressChanged: 'The work is under way.',
  TaskAborted: 'The task could not mount or unmount: the media server does not answer.',
  TaskCompletedOK: 'The task has completed.',
};

function message(name: keyof typeof TEXTS, percent?: number): JsonObject {
  return {
    '@odata.type': '#Message.v1_1_1.Message',
    MessageId: `TaskEvent.1.0.${name}`,
    Message: percent === undefined ? TEXTS[name] : `${TEXTS[name]} ${percent} percent is done.`,
    MessageArgs: percent === undefined ? [] : [String(percent)],
    Severity: name === 'TaskAborted' ? 'Critical' : 'OK',
    Resolution: 'None.',
  };
}
