import { invalidArgument, PassthruError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { NodeEventSource, NodeTask } from '../../core/task.ts';

/** The destination that stands for this service: the subscription is that of the node's event source, which keeps it alive. */
export const SOURCE_DESTINATION = 'passthru:';

/** The id by which create_subscription returns it, and delete_subscription takes it. */
export const SOURCE_ID = 'passthru';

const EVERYTHING = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };

/**
 * Sets the event source of the task's node, and returns it in the form of a subscription.
 * @param others what was given beside the destination
 */
export async function setSource(task: NodeTask, others: JsonObject): Promise<JsonObject> {
  const [given] = Object.keys(others);
  if (given !== undefined) {
    const description = `cannot be given with the destination ${SOURCE_DESTINATION}, whose subscription the service makes itself`;
    throw invalidArgument(`arguments.${given}`, description, `${given} ${description}`);
  }
  await sourceOf(task).set(EVERYTHING);
  return { Id: SOURCE_ID, Destination: SOURCE_DESTINATION, Context: '', Protocol: 'Redfish', EventTypes: [] };
}

/**
 * Deletes the event source of the task's node when `id` is its, or that of its subscription at the BMC.
 * @returns whether that was all; otherwise the subscription is to be deleted too
 * @throws kind `subscription_not_found` when there is no source
 */
export async function deleteSource(task: NodeTask, id: string): Promise<boolean> {
  if (id === SOURCE_ID) {
    if (await sourceOf(task).delete()) return true;
    throw new PassthruError('subscription_not_found', `Node ${task.node.uuid} has no event source.`);
  }
  const uri = (await task.eventSource?.subscription()) ?? null;
  // It would be made again.
  if (uri?.replace(/\/+$/, '').endsWith(`/${encodeURIComponent(id)}`)) await task.eventSource?.delete();
  return false;
}

function sourceOf({ eventSource, node }: NodeTask): NodeEventSource {
  if (eventSource !== undefined) return eventSource;
  throw new PassthruError('failed_precondition', `Node ${node.uuid} cannot have an event source here.`);
}
