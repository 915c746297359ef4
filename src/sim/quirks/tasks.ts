import type { Json, JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Answer, BmcState, Quirk, RedfishRequest } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import { refuse } from '../messages.ts';
import { isChange } from '../quirk.ts';
import { documentAnswer } from '../response.ts';

/** How a BMC does with a task what others do at once (DSP0266, "Asynchronous operations"). */
export interface TaskHabits {
  /** GETs, of anything, that find the task running. */
  polls: number;
  /** Seconds in `Retry-After`; null: no such header. */
  retryAfter: number | null;
  /** What the Location of the 202 is: the task monitor, the task itself (old iDRAC), or absent. */
  location: 'monitor' | 'task' | 'none';
  /** Whether the work is done. A task that fails says so in the Task, or the monitor answers with an error. */
  outcome: 'done' | 'failed-task' | 'failed-status';
  /** Whether the monitor is gone (404) as soon as the task has ended. */
  monitorGone: boolean;
}

const ORDINARY: TaskHabits = { polls: 2, retryAfter: 1, location: 'monitor', outcome: 'done', monitorGone: false };

interface Task {
  id: string;
  left: number;
  carryOut: () => Answer;
  /** Null while it runs; then what the monitor answers, once. */
  end: Answer | null;
}

export const tasks = withTasks('tasks', 'every change is a task: 202 with a monitor, and Retry-After');
export const tasksFail = withTasks('tasks-fail', 'as tasks; the Task ends as Exception, and nothing is done', {
  outcome: 'failed-task',
});
export const tasksFailStatus = withTasks('tasks-fail-status', 'as tasks; the monitor ends with a 500', {
  outcome: 'failed-status',
});
export const tasksNoLocation = withTasks('tasks-no-location', 'as tasks; the 202 has no Location and no body', {
  location: 'none',
});
export const tasksMonitorGone = withTasks('tasks-monitor-gone', 'as tasks; the monitor gets 404 once it is done', {
  monitorGone: true,
});
export const tasksLocationTask = withTasks(
  'tasks-location-task',
  'as tasks; Location is the Task, which answers 200 all the while (old iDRAC)',
  { location: 'task' },
);

/** A quirk of other habits than the named ones, for a test that wants them. */
export function withTasks(name: string, description: string, habits: Partial<TaskHabits> = {}): Quirk {
  const chosen = { ...ORDINARY, ...habits };
  const ofBmc = new WeakMap<BmcState, Task[]>();
  return {
    name,
    description,
    handles: (request, bmc, next) => {
      const all = ofBmc.get(bmc) ?? [];
      ofBmc.set(bmc, all);
      if (isChange(request, bmc)) {
        const task = { id: String(all.length + 1), left: chosen.polls, carryOut: () => next(request), end: null };
        all.push(task);
        return accepted(task, request, bmc, chosen);
      }
      if (request.method === 'GET') for (const task of all) if (task.end === null) advance(task, bmc, chosen);
      const monitored = all.find(({ id }) => request.path === monitorPath(id));
      return monitored ? monitorAnswer(monitored, bmc, chosen) : next(request);
    },
  };
}

function accepted(task: Task, { path }: RedfishRequest, bmc: BmcState, habits: TaskHabits): Answer {
  bmc.documents.addMember(taskPath(task.id), {
    '@odata.id': taskPath(task.id),
    '@odata.type': '#Task.v1_7_0.Task',
    Id: task.id,
    Name: `Task ${task.id}`,
    TaskState: 'Running',
    TaskStatus: 'OK',
    TaskMonitor: monitorPath(task.id),
    StartTime: new Date().toISOString(),
    PercentComplete: 0,
    Payload: { TargetUri: path, HttpOperation: 'POST' },
    Messages: [],
  });
  if (habits.location === 'none') return { status: 202, headers: {}, body: null };
  return running(task, bmc, habits);
}

function running(task: Task, bmc: BmcState, { retryAfter, location }: TaskHabits): Answer {
  return documentAnswer(taskDocument(task, bmc), 202, {
    Location: location === 'task' ? taskPath(task.id) : monitorPath(task.id),
    ...(retryAfter === null ? {} : { 'Retry-After': String(retryAfter) }),
  });
}

function monitorAnswer(task: Task, bmc: BmcState, habits: TaskHabits): Answer {
  if (task.end === null) return running(task, bmc, habits);
  const { end } = task;
  // The outcome is told once (DSP0266, "Asynchronous operations").
  task.end = refuse('ResourceMissingAtURI', monitorPath(task.id));
  return end;
}

/** One step nearer to the end, which is when the change is made. */
function advance(task: Task, bmc: BmcState, habits: TaskHabits): void {
  task.left--;
  if (task.left >= 0) {
    const percent = Math.round((100 * (habits.polls - task.left)) / (habits.polls + 1));
    change(task, bmc, { PercentComplete: percent, Messages: [message('TaskProgressChanged', percent)] });
    return;
  }
  if (habits.outcome !== 'done') {
    change(task, bmc, { ...ended('Exception', 'Critical'), Messages: [message('TaskAborted')] });
    task.end = habits.outcome === 'failed-task' ? documentAnswer(taskDocument(task, bmc)) : refuse('InternalError');
  } else {
    task.end = task.carryOut();
    const done = task.end.status < 400;
    const state = done ? ended('Completed', 'OK') : ended('Exception', 'Critical');
    change(task, bmc, { ...state, Messages: done ? [message('TaskCompletedOK')] : messagesOf(task.end) });
  }
  if (habits.monitorGone) task.end = refuse('ResourceMissingAtURI', monitorPath(task.id));
}

function ended(state: string, status: string): JsonObject {
  return { TaskState: state, TaskStatus: status, PercentComplete: 100, EndTime: new Date().toISOString() };
}

function change(task: Task, bmc: BmcState, properties: JsonObject): void {
  bmc.documents.set(taskPath(task.id), { ...taskDocument(task, bmc), ...properties });
}

function taskDocument(task: Task, bmc: BmcState): JsonObject {
  return (bmc.documents.get(taskPath(task.id)) ?? {}) as JsonObject;
}

/** Why the work was refused: whoever reads the Task alone learns it from its Messages. */
function messagesOf({ body }: Answer): Json {
  const { error } = JSON.parse(body ?? '{}') as JsonObject;
  return (isJsonObject(error) && error['@Message.ExtendedInfo']) || [];
}

function taskPath(id: string): string {
  return `${ROOT}/TaskService/Tasks/${id}`;
}

function monitorPath(id: string): string {
  return `${ROOT}/TaskService/TaskMonitors/${id}`;
}

const TEXTS = {
  TaskProgressChanged: 'The work is under way.',
  TaskAborted: 'The task could not mount or unmount: the media server does not answer.',
  TaskCompletedOK: 'The task has completed.',
};

function message(name: keyof typeof TEXTS, percent?: number): JsonObject {
  const text = percent === undefined ? TEXTS[name] : `${TEXTS[name]} ${percent} percent is done.`;
  return {
    '@odata.type': '#Message.v1_1_1.Message',
    MessageId: `TaskEvent.1.0.${name}`,
    Message: text,
    MessageArgs: percent === undefined ? [] : [String(percent)],
    Severity: name === 'TaskAborted' ? 'Critical' : 'OK',
    Resolution: 'None.',
  };
}
