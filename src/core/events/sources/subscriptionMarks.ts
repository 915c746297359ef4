import { isSameDigest } from '../../locks/reservationKey.ts';
import type { EventSubscription } from '../eventsInterface.ts';
import { sourceTokenDigest, splitDestination } from './sourceToken.ts';

/**
 * By what the subscriptions of a node's source are recognised: the context names this service, the node and the wish; the
 * destination ends with a secret that no other has. BMCs drop contexts, or show them changed; then the destination decides.
 */
export class SubscriptionMarks {
  readonly #prefix: string;
  readonly #url: string;

  /** @param url see `PassParts.url` */
  constructor(serviceId: string, nodeUuid: string, url: string) {
    this.#prefix = `passthru:${serviceId}:${nodeUuid}:`;
    this.#url = url;
  }

  context(generation: number): string {
    return this.#prefix + generation;
  }

  destination(token: string): string {
    return `${this.#url}/${token}`;
  }

  /** Whether this service has made a subscription for the node. */
  isOwn({ context, destination }: EventSubscription, digests: readonly (string | null)[]): boolean {
    if (context?.startsWith(this.#prefix)) return true;
    const parts = destination === null ? null : splitDestination(destination);
    if (parts === null) return false;
    const digest = sourceTokenDigest(parts.token);
    return digests.some((each) => isSameDigest(each, digest));
  }

  /** Returns what differs of a subscription from that with the secret of this digest; null for nothing. */
  fault({ destination }: EventSubscription, tokenDigest: string): string | null {
    // A BMC that hides the destination is believed.
    if (destination === null) return null;
    const parts = splitDestination(destination);
    if (parts === null || !isSameDigest(tokenDigest, sourceTokenDigest(parts.token))) {
      return 'the destination of the subscription was changed';
    }
    return isSameUrl(parts.base, this.#url) ? null : 'the subscription led to another events.url';
  }
}

/** Whether two URLs are the same but for the case of the host and the default port, which BMCs spell anew. */
function isSameUrl(one: string, other: string): boolean {
  return one === other || URL.parse(one)?.href === URL.parse(other)?.href;
}
