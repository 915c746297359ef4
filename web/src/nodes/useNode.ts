import { useQuery } from '@connectrpc/connect-query';
import { type Node, NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { liveNodes } from '../live/nodes.ts';
import { useLive } from '../live/useLive.ts';

export interface NodeOfAddress {
  /** Undefined until it has been read, and when it has been removed. */
  node: Node | undefined;
  removed: boolean;
  /** Why it cannot be read; null when it can. */
  problem: string | null;
}

/** Follows the node that an address names, by its UUID or name. It is read by itself, so that it need not wait for all others. */
export function useNode(ident: string): NodeOfAddress {
  const nodes = useLive(liveNodes);
  const { data, error } = useQuery(NodeService.method.getNode, { node: ident });
  const read = data?.node;
  const known = nodes.get(read?.uuid ?? ident);
  if (known !== undefined) return { node: known, removed: false, problem: null };
  if (read === undefined) return { node: undefined, removed: false, problem: error?.rawMessage ?? null };
  return nodes.complete
    ? { node: undefined, removed: true, problem: null }
    : { node: read, removed: false, problem: null };
}
