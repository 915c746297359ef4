import type { Node } from '../../core/node.ts';
import type { NodeTask } from '../../core/task.ts';
import type { RedfishClient, RedfishClients, RequestOptions } from '../../redfish/index.ts';
import type { NodeBmc, RedfishSettings } from './driverInfo.ts';

/** What a method of a redfish vendor interface works with. */
export interface NodeAccess {
  client: RedfishClient;
  /** Path of the node's ComputerSystem; null to use the BMC's only one. */
  systemPath: string | null;
  /** For every request to the BMC. */
  options: Pick<RequestOptions, 'signal' | 'beforeSend' | 'headers'>;
  /** `node UUID`, as Ironic's errors name it. */
  subject: string;
}

/** Gives a method access to the BMC of its node. Throws kind `invalid_argument` when driver_info is wrong. */
export type AccessNode = (task: NodeTask) => NodeAccess;

/**
 * Access over `clients`, where the nodes of one BMC and account share a conversation.
 * @param read as `readDriverInfo`
 */
export function accessBy(
  clients: RedfishClients,
  { fenceHeader }: RedfishSettings,
  read: (node: Node) => NodeBmc,
): AccessNode {
  return (task) => {
    const { target, systemPath } = read(task.node);
    const { signal, node, fence } = task;
    const options = {
      signal,
      beforeSend: () => task.beforeSend(),
      headers: fenceHeader && fence !== null ? fenceHeaders(node.uuid, fence) : {},
    };
    return { client: clients.for(target), systemPath, options, subject: `node ${node.uuid}` };
  };
}

/** Under which reservation a request is sent, for the simulated BMCs of a test. */
function fenceHeaders(node: string, fence: number): Record<string, string> {
  return { 'x-passthru-node': node, 'x-passthru-fence': String(fence) };
}
