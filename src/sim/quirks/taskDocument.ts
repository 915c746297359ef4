import type { Json, JsonObject } from '../../core/json.ts';
import type { BmcState } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType } from '../documents.ts';
import { collection } from '../profiles/documentParts.ts';

/** Where a BMC records a task: as a Task, as a job of a Dell manager, as a job of the JobService, or nowhere. */
export type TaskRecord = 'task' | 'dell-job' | 'job-service' | 'none';

const TEXTS = {
  TaskProgressChanged: 'The work is under way.',
  TaskAborted: 'The task could not mount or unmount: the media server does not answer.',
  TaskCompletedOK: 'The task has completed.',
};

const TASK: JsonObject = { '@odata.type': '#Task.v1_7_0.Task', TaskState: 'Running', TaskStatus: 'OK', Messages: [] };
const INITIAL: Record<TaskRecord, JsonObject> = {
  task: TASK,
  none: TASK,
  'dell-job': {
    '@odata.type': '#DellJob.v1_4_0.DellJob',
    JobType: 'VirtualMedia',
    JobState: 'Running',
    MessageId: '',
    Message: '',
  },
  'job-service': { '@odata.type': '#Job.v1_2_0.Job', JobState: 'Running', JobStatus: 'OK', Messages: [] },
};

const TASK_ENDS: Record<'done' | 'failed', JsonObject> = {
  done: { TaskState: 'Completed', TaskStatus: 'OK' },
  failed: { TaskState: 'Exception', TaskStatus: 'Critical' },
};
const ENDS: Record<TaskRecord, typeof TASK_ENDS> = {
  task: TASK_ENDS,
  none: TASK_ENDS,
  'dell-job': { done: { JobState: 'Completed' }, failed: { JobState: 'Failed' } },
  'job-service': {
    done: { JobState: 'Completed', JobStatus: 'OK' },
    failed: { JobState: 'Exception', JobStatus: 'Critical' },
  },
};

/** The record of one task, which its BMC changes as it goes on. */
export class TaskDocument {
  readonly path: string;
  readonly monitor: string;
  readonly #id: string;
  readonly #kind: TaskRecord;
  readonly #bmc: BmcState;
  /** Of a task that is recorded nowhere. */
  #unrecorded: JsonObject = {};

  constructor(id: number, kind: TaskRecord, bmc: BmcState) {
    this.#id = kind === 'dell-job' ? `JID_${String(id).padStart(12, '0')}` : String(id);
    this.#kind = kind;
    this.#bmc = bmc;
    this.monitor = `${ROOT}/TaskService/TaskMonitors/${this.#id}`;
    this.path = `${placeOf(kind, bmc.blueprint.documents)}/${this.#id}`;
  }

  get document(): JsonObject {
    return this.#bmc.documents.get(this.path) ?? this.#unrecorded;
  }

  add(target: string, method: string): void {
    const task: JsonObject = {
      '@odata.id': this.path,
      Id: this.#id,
      Name: `Task ${this.#id}`,
      StartTime: new Date().toISOString(),
      PercentComplete: 0,
      ...INITIAL[this.#kind],
      ...(this.#kind === 'task' ? { TaskMonitor: this.monitor } : {}),
      ...(this.#kind === 'dell-job' ? {} : { Payload: { TargetUri: target, HttpOperation: method } }),
    };
    if (this.#kind === 'none') this.#unrecorded = task;
    else this.#bmc.documents.addMember(this.path, task);
  }

  report(percent: number): void {
    this.#change({ PercentComplete: percent }, [message('TaskProgressChanged', percent)]);
  }

  /** `messages` of a change that the BMC has refused; null for the usual ones. */
  finish(done: boolean, messages: Json[] | null): void {
    const end = { PercentComplete: 100, EndTime: new Date().toISOString() };
    const told = messages ?? [message(done ? 'TaskCompletedOK' : 'TaskAborted')];
    this.#change({ ...end, ...ENDS[this.#kind][done ? 'done' : 'failed'] }, told);
  }

  #change(properties: JsonObject, messages: Json[]): void {
    // A Dell job has one message, without a list.
    const { Message = '', MessageId = '' } = (messages[0] ?? {}) as JsonObject;
    const told: JsonObject = this.#kind === 'dell-job' ? { Message, MessageId } : { Messages: messages };
    const changed = { ...this.document, ...properties, ...told };
    if (this.#kind === 'none') this.#unrecorded = changed;
    else this.#bmc.documents.set(this.path, changed);
  }
}

/** Adds the collection in which tasks are recorded, where a profile has none. */
export function addJobQueue(documents: Map<string, RedfishDocument>, kind: TaskRecord): void {
  if (kind !== 'dell-job' && kind !== 'job-service') return;
  const place = placeOf(kind, documents);
  documents.set(...collection(place, kind === 'dell-job' ? 'DellJob' : 'Job', 'Job Queue', []));
  if (kind === 'job-service') {
    const service = `${ROOT}/JobService`;
    const type = '#JobService.v1_0_4.JobService';
    documents.set(service, {
      '@odata.id': service,
      '@odata.type': type,
      Id: 'JobService',
      Name: 'Job Service',
      Jobs: { '@odata.id': place },
    });
    documents.set(ROOT, { ...documents.get(ROOT), JobService: { '@odata.id': service } });
  }
}

function placeOf(kind: TaskRecord, documents: ReadonlyMap<string, RedfishDocument>): string {
  if (kind === 'job-service') return `${ROOT}/JobService/Jobs`;
  if (kind !== 'dell-job') return `${ROOT}/TaskService/Tasks`;
  const [manager = `${ROOT}/Managers/1`] =
    [...documents].find(([, document]) => documentType(document) === 'Manager') ?? [];
  return `${manager}/Oem/Dell/Jobs`;
}

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
