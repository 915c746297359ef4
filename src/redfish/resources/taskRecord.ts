import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { lastSegment, memberPath, ownLinkPath, samePath, segmentFault, textOf } from '../links.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { findService, getServiceRoot } from './serviceRoot.ts';
import { asUnreadable, patientFor } from './unreadable.ts';

/** States of a Task or Job (DSP2046), and of a job of iDRAC, in which it has not ended. */
export const RUNNING_STATES: ReadonlySet<string> = new Set([
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
  'UserIntervention',
  'Continue',
  'Validating',
  'Scheduling',
  'Scheduled',
  'Waiting',
  'Paused',
  'Downloading',
  'Downloaded',
  'ReadyForExecution',
  'PendingActivation',
  'RebootPending',
]);

const FAILED_STATES = new Set([
  'Exception',
  'Killed',
  'Cancelled',
  'Failed',
  'CompletedWithErrors',
  'RebootFailed',
  'Invalid',
]);

/** The maximum number of managers whose job queues are searched. */
const MAX_MANAGERS = 8;

/** The record of a task: a Task or a Job. */
export interface TaskRecord {
  path: string;
  document: JsonObject;
}

/** Returns the state of a Task or Job; null when the document is neither. */
export function stateOf(document: JsonObject): string | null {
  return textOf(document, 'TaskState') ?? textOf(document, 'JobState');
}

/** Whether a Task or Job that has ended has failed. */
export function hasFailed(document: JsonObject): boolean {
  const state = stateOf(document) ?? '';
  return FAILED_STATES.has(state) || [document.TaskStatus, document.JobStatus].includes('Critical');
}

/** Returns the messages of a Task, or the one message of iDRAC's jobs. */
export function taskMessages(document: JsonObject): JsonObject[] {
  const { Messages: messages, Message, MessageId, MessageArgs } = document;
  const list = Array.isArray(messages) ? messages.filter(isJsonObject) : [];
  if (list.length > 0 || typeof Message !== 'string') return list;
  return [{ Message, MessageId: MessageId ?? null, MessageArgs: MessageArgs ?? null }];
}

/**
 * Returns the record of a task whose monitor is gone or does not tell its end, where the BMC has one: the Task that the 202 named, that of the
 * monitor's id in the TaskService, or the job of that id in the JobService or a manager's queue (iDRAC, by firmware).
 * @param gone the path of the monitor
 */
export async function findTaskRecord(
  caller: RedfishClient,
  started: RedfishResponse,
  gone: string,
): Promise<TaskRecord | null> {
  const client = patientFor(caller);
  const own = namedTask(client, started);
  const ids = idsOf(gone, own, textOf(started.document ?? {}, 'Id'));
  const readFirst = async (paths: string[]) => {
    for (const path of paths) {
      const found = samePath(path, gone) ? null : await readRecord(client, path);
      if (found !== null) return found;
    }
    return null;
  };
  const named = own === null ? null : await readFirst([own]);
  if (named !== null) return named;
  for (const service of ['TaskService', 'JobService'] as const) {
    const collections = await collectionsOf(client, service);
    const found = await readFirst(collections.flatMap((at) => ids.map((id) => memberPath(at, id))));
    if (found !== null) return found;
  }
  for (const manager of await managerPaths(client)) {
    const queues = [`${manager}/Oem/Dell/Jobs`, `${manager}/Jobs`];
    const found = await readFirst(ids.flatMap((id) => queues.map((at) => memberPath(at, id))));
    if (found !== null) return found;
  }
  return null;
}

/**
 * Returns the Task that the 202 named, as it is now; null when it named none but the monitor itself, or it cannot be read.
 */
export async function readNamedTask(
  client: RedfishClient,
  started: RedfishResponse,
  monitor: string,
): Promise<TaskRecord | null> {
  const own = namedTask(client, started);
  return own === null || samePath(own, monitor) ? null : readRecord(patientFor(client), own);
}

/** Returns the path of the Task that the 202 named; null when it named none. */
export function namedTask({ origin }: RedfishClient, { document }: RedfishResponse): string | null {
  return document === null || stateOf(document) === null ? null : ownLinkPath(document, origin);
}

/** Returns where a service may have its records: the collection that it links to, and the usual path. */
async function collectionsOf(client: RedfishClient, service: 'TaskService' | 'JobService'): Promise<string[]> {
  const { services } = await getServiceRoot(client);
  const path = services[service] ?? `${client.root}${service}`;
  const property = service === 'TaskService' ? 'Tasks' : 'Jobs';
  const usual = `${withoutSlash(path)}/${property}`;
  let linked: string | null = null;
  try {
    linked = ownLinkPath((await client.get(path))[property], client.origin);
  } catch (error) {
    asUnreadable(client, path, error);
  }
  return linked === null || samePath(linked, usual) ? [usual] : [linked, usual];
}

async function managerPaths(client: RedfishClient): Promise<string[]> {
  const path = `${client.root}Managers`;
  try {
    const managers = await findService(client, 'Managers');
    if (managers === null) return [];
    const { members } = await getCollection(client, managers);
    return members.slice(0, MAX_MANAGERS).map((member) => withoutSlash(member.path));
  } catch (error) {
    asUnreadable(client, path, error);
    return [];
  }
}

/** Reads a record; null when there is none that shows a state. */
async function readRecord(client: RedfishClient, path: string): Promise<TaskRecord | null> {
  try {
    const document = await client.get(path);
    return stateOf(document) === null ? null : { path, document };
  } catch (error) {
    asUnreadable(client, path, error);
    return null;
  }
}

/** Returns the ids that a task may have, by its monitor (`…/TaskMonitors/7`, `…/Tasks/7/Monitor`) and its document. */
function idsOf(monitor: string, own: string | null, id: string | null): string[] {
  const last = lastSegment(monitor);
  const named = /^(?:task)?monitor$/i.test(last) ? lastSegment(withoutSlash(monitor).replace(/\/[^/]*$/, '')) : last;
  const ids = [named, own === null ? null : lastSegment(own), id];
  return [...new Set(ids)].filter((one) => one !== null && segmentFault(one) === null) as string[];
}

function withoutSlash(path: string): string {
  return path.replace(/(?<!\/)\/+$/, '');
}
