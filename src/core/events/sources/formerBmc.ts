import { CallSecrets } from '../../calls/callSecrets.ts';
import { isStoreUnavailable } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Node } from '../../node.ts';
import type { Registry } from '../../registry.ts';
import type { EventsWork } from './eventsWork.ts';
import { type PassParts, SourcePass } from './sourcePass.ts';
import type { FormerNode, StoredSource } from './sourceStore.ts';

/** How long one attempt to remove a subscription from a BMC that a node has no more may take, in milliseconds. */
const FORMER_TIME = 30_000;

interface FormerParts extends PassParts {
  registry: Registry;
  log: Logger;
  /** Runs work after what runs for the same BMC. */
  inTurn: (address: string, work: () => Promise<void>) => Promise<void>;
}

/**
 * Removes the subscriptions of a source from the BMC that its node had before, where that can be reached.
 * @returns whether nothing is left to do there, also since the BMC is the same
 */
export async function leaveFormerBmc(
  parts: FormerParts,
  source: StoredSource,
  node: Node,
  signal: AbortSignal,
): Promise<boolean> {
  const { work, registry, log, inTurn } = parts;
  const { nodeUuid, formerNode } = source;
  if (formerNode?.left == null) return true;
  const { subscription, digests } = formerNode.left;
  const former = asFormerNode(nodeUuid, formerNode);
  const address = addressOf(work, former);
  if (address === null || address === addressOf(work, node)) return true;
  const [tokenDigest = null, previousDigest = null] = digests;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(FORMER_TIME)]);
  try {
    const before = { ...source, subscription, tokenDigest, previousDigest };
    await inTurn(address, () => new SourcePass(parts, before, former, async () => {}, limit).remove(true));
    log.info({ node: nodeUuid, bmc: address }, 'removed the event subscription from the BMC that the node had before');
    return true;
  } catch (error) {
    if (isStoreUnavailable(error)) throw error;
    const shown = new CallSecrets([former.driverInfo]).mask(error);
    log.info({ err: shown, node: nodeUuid, bmc: address }, 'the BMC that the node had before cannot be left now');
    return false;
  } finally {
    if (registry.has(former.driver)) await registry.get(former.driver).release?.(former);
  }
}

/** Returns the URL of a node's BMC; null when its driver_info is invalid. */
function addressOf(work: EventsWork, node: Node): string | null {
  try {
    return work.interfaceOf(node).address(node);
  } catch {
    return null;
  }
}

/** Returns a node that was deleted, or as it was before, as far as a driver needs it. */
export function asFormerNode(
  uuid: string,
  { name, driver, vendorInterface, driverInfo }: Omit<FormerNode, 'left'>,
): Node {
  return {
    ...{ uuid, name, driver, vendorInterface, driverInfo },
    extra: {},
    properties: {},
    description: null,
    maintenance: false,
    maintenanceReason: null,
    attributes: {},
    lastError: null,
    reservation: null,
    createTime: new Date(0),
    updateTime: null,
  };
}
