import type { Node } from '../../core/node.ts';
import type { NodeTask } from '../../core/task.ts';
import type { RedfishClient, RedfishClients, RequestOptions } from '../../redfish/index.ts';
import type { NodeBmc, RedfishSettings } from './driverInfo.ts';

/** Access of a method to the BMC of its node. */
export interface NodeAccess {
  client: RedfishClient;
  /** Path of the node's ComputerSystem; null to use the BMC's only one. */
  systemPath: string | null;
  /** Options of every request to the BMC. */
  options: Pick<RequestOptions, 'signal' | 'beforeSend' | 'headers'>;
  /** `node UUID`, as in Ironic's errors. */
  subject: string;
}

/** Returns the access of a call. Throws kind `invalid_argument` when driver_info is invalid. */
export type AccessNode = (task: NodeTask) => NodeAccess;

/**
 * Returns access by `clients`, whose connections and session the nodes of one BMC and account share.
 * @param read does the same as `readDriverInfo`
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

/** Returns headers with the fence of the reservation, for the simulated BMCs of tests. */
function fenceHeaders(node: string, fence: number): Record<string, string> {
  return { 'x-passthru-node': node, 'x-passthru-fence': String(fence) };
}
