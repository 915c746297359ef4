import type { Client } from '@connectrpc/connect';
import type { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';

/** A node in a message of the service. */
export const NODE_UUID = /\bnode '?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/gi;

/** How long a name is waited for, in ms: the error is more important. */
const TIMEOUT = 2000;

/** Maximum number of names that one error is worth. */
const MAX_NAMES = 5;

/**
 * Returns `failure` with the names of nodes in place of their UUIDs, unless the user gave the UUID. The service's messages
 * have UUIDs, as those of Ironic do.
 * @param given the words of the user
 */
export async function nameNodes(
  failure: CommandFailure,
  nodes: Pick<Client<typeof NodeService>, 'getNode'>,
  given: readonly string[],
): Promise<CommandFailure> {
  if (failure.status === EXIT_STATUS.unreachable || failure.status === EXIT_STATUS.timedOut) return failure;
  const typed = new Set(given.map((word) => word.toLowerCase()));
  const uuids = new Set(Array.from(failure.message.matchAll(NODE_UUID), ([, uuid]) => uuid!));
  const unknown = [...uuids].filter((uuid) => !typed.has(uuid.toLowerCase())).slice(0, MAX_NAMES);
  let { message } = failure;
  for (const uuid of unknown) {
    // The node may be gone, or hidden from this caller: then its UUID has to do.
    const { node } = await nodes.getNode({ node: uuid }, { timeoutMs: TIMEOUT }).catch(() => ({ node: undefined }));
    if (node?.name) message = message.replaceAll(uuid, node.name);
  }
  return message === failure.message ? failure : new CommandFailure(failure.status, message);
}
