import type { BmcState, Quirk } from '../bmc.ts';
import type { VendorMessage } from '../messages.ts';
import { refuseAsVendor } from '../messages.ts';
import { isChange } from '../quirk.ts';
import { withHeaders } from '../response.ts';

const MESSAGES = {
  idrac: {
    id: 'IDRAC.2.8.SYS518',
    text: 'iDRAC is currently unable to display any information because data sources are unavailable.',
    severity: 'Critical',
    resolution: 'Wait for some time and retry the operation.',
  },
  ilo: {
    id: 'iLO.2.14.InvalidOperationForSystemState',
    text: 'The operation was not successful due to the current power state, or because the system is still in POST.',
    resolution: 'Wait until the system has reached another state.',
  },
} satisfies Record<string, VendorMessage>;

export const busyQuirks: Quirk[] = (['idrac', 'ilo'] as const).flatMap((vendor) =>
  ([400, 409, 503] as const).map((status) => busy(vendor, status)),
);

/**
 * Refuses each change `times` times with the vendor's message, then performs it. Both vendors send theirs with 400, 409
 * and 503. `retryAfter`: the Retry-After header in seconds; null: none.
 */
export function busy(
  vendor: keyof typeof MESSAGES,
  status: 400 | 409 | 503,
  times = 2,
  retryAfter: number | null = null,
): Quirk {
  const refusals = new WeakMap<BmcState, number>();
  const message = MESSAGES[vendor];
  return {
    name: `busy-${vendor}-${status}`,
    description: `each change is refused twice with ${status} ${message.id.replace(/^.*\./, '')}, then performed`,
    handle: (request, bmc, next) => {
      if (!isChange(request, bmc)) return next(request);
      const refused = refusals.get(bmc) ?? 0;
      refusals.set(bmc, refused < times ? refused + 1 : 0);
      if (refused >= times) return next(request);
      const response = refuseAsVendor(status, message);
      return retryAfter === null ? response : withHeaders(response, { 'Retry-After': String(retryAfter) });
    },
  };
}
