import type { Json, JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { BmcState, Quirk, RedfishRequest, RedfishResponse } from '../bmc.ts';
import { refuse } from '../messages.ts';
import { isChange } from '../quirk.ts';
import { documentResponse } from '../response.ts';
import { addJobQueue, TaskDocument, type TaskRecord } from './taskDocument.ts';

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
  /** Where the task is recorded. */
  record: TaskRecord;
  /** The number of requests after the end of the task that all get 404, as from a BMC that restarts. */
  away: number;
}

const DEFAULTS: TaskOptions = {
  polls: 2,
  retryAfter: 1,
  location: 'monitor',
  outcome: 'done',
  monitorGone: false,
  record: 'task',
  away: 0,
};

/** The places where a task is recorded once its monitor is gone. */
const RECORDS: [record: TaskRecord, where: string][] = [
  ['task', 'TaskService/Tasks has it'],
  ['dell-job', 'only the job queue of the manager has it (iDRAC)'],
  ['job-service', 'only JobService/Jobs has it'],
  ['none', 'nothing has it'],
];

export const taskQuirks: Quirk[] = [
  withTasks('tasks', 'each change is a task: 202 with a monitor and Retry-After'),
  withTasks('tasks-fail', 'as tasks; the Task ends as Exception, without the change', { outcome: 'failed-task' }),
  withTasks('tasks-fail-status', 'as tasks; the monitor ends with 500, without the change', {
    outcome: 'failed-status',
  }),
  withTasks('tasks-no-location', 'as tasks; the 202 has no Location and no body', { location: 'none' }),
  withTasks('tasks-monitor-gone', 'as tasks; the monitor returns 404 once the task has ended', { monitorGone: true }),
  ...RECORDS.flatMap(([record, where]) =>
    (['done', 'failed-task'] as const).map((outcome) =>
      withTasks(
        `tasks-gone-${record}${outcome === 'done' ? '' : '-fail'}`,
        `as tasks${outcome === 'done' ? '' : '-fail'}; the monitor returns 404 once the task has ended, and ${where}`,
        { monitorGone: true, record, outcome },
      ),
    ),
  ),
  ...(['done', 'failed-task'] as const).map((outcome) =>
    withTasks(
      `tasks-restart${outcome === 'done' ? '' : '-fail'}`,
      `as tasks${outcome === 'done' ? '' : '-fail'}; the monitor is gone then, and the next 3 requests get 404, as while the BMC restarts (iDRAC)`,
      { monitorGone: true, outcome, away: 3 },
    ),
  ),
  withTasks('tasks-location-task', 'as tasks; Location is the Task, which always returns 200 (old iDRAC)', {
    location: 'task',
  }),
];

/** Makes a quirk that performs each change as a task. */
export function withTasks(name: string, description: string, options: Partial<TaskOptions> = {}): Quirk {
  const tasksOf = new WeakMap<BmcState, Task[]>();
  const settings = { ...DEFAULTS, ...options };
  return {
    name,
    description,
    changeDocuments: (documents) => addJobQueue(documents, settings.record),
    handle: (request, bmc, next) => {
      const tasks = tasksOf.get(bmc) ?? [];
      tasksOf.set(bmc, tasks);
      if (tasks.some((task) => task.isAway())) return refuse('ResourceMissingAtURI', request.path);
      if (isChange(request, bmc)) {
        const task = new Task(tasks.length + 1, bmc, settings, () => next(request));
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
  readonly #record: TaskDocument;
  readonly #options: TaskOptions;
  readonly #perform: () => RedfishResponse;
  #remaining: number;
  /** The number of requests that still get 404. */
  #away = 0;
  /** What the monitor returns next; null while the task runs. */
  #end: RedfishResponse | null = null;

  constructor(id: number, bmc: BmcState, options: TaskOptions, perform: () => RedfishResponse) {
    this.#record = new TaskDocument(id, options.record, bmc);
    this.monitor = this.#record.monitor;
    this.#options = options;
    this.#perform = perform;
    this.#remaining = options.polls;
  }

  /** Adds the record of the task. Returns the response to the change. */
  accept({ path, method }: RedfishRequest): RedfishResponse {
    this.#record.add(path, method);
    return this.#options.location === 'none' ? { status: 202, headers: {}, body: null } : this.#running();
  }

  /** Whether the BMC returns 404 to everything, which counts this request. */
  isAway(): boolean {
    return this.#away > 0 && this.#away-- > 0;
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
    const { polls, outcome, monitorGone, away } = this.#options;
    if (this.#end !== null) return;
    this.#remaining--;
    if (this.#remaining >= 0) {
      this.#record.report(Math.round((100 * (polls - this.#remaining)) / (polls + 1)));
      return;
    }
    if (outcome === 'done') {
      this.#end = this.#perform();
      const done = this.#end.status < 400;
      this.#record.finish(done, done ? null : messagesOf(this.#end));
    } else {
      this.#record.finish(false, null);
      this.#end = outcome === 'failed-task' ? documentResponse(this.#record.document) : refuse('InternalError');
    }
    if (monitorGone) this.#end = this.#monitorGone();
    this.#away = away;
  }

  #running(): RedfishResponse {
    const { location, retryAfter } = this.#options;
    return documentResponse(this.#record.document, 202, {
      Location: location === 'task' ? this.#record.path : this.monitor,
      ...(retryAfter === null ? {} : { 'Retry-After': String(retryAfter) }),
    });
  }

  #monitorGone(): RedfishResponse {
    return refuse('ResourceMissingAtURI', this.monitor);
  }
}

/** Returns the messages of a refused change, for the Task. */
function messagesOf({ body }: RedfishResponse): Json[] {
  const { error } = JSON.parse(body ?? '{}') as JsonObject;
  const info = isJsonObject(error) ? error['@Message.ExtendedInfo'] : [];
  return Array.isArray(info) ? info : [];
}
