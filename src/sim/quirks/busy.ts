import type { BmcState, Quirk } from '../bmc.ts';
import type { VendorMessage } from '../messages.ts';
import { refuseAsVendor } from '../messages.ts';
import { isChange } from '../quirk.ts';

const SYS518: VendorMessage = {
  id: 'IDRAC.2.8.SYS518',
  text: 'iDRAC is currently unable to display any information because data sources are unavailable.',
  severity: 'Critical',
  resolution: 'Wait for some time and retry the operation.',
};

const SYSTEM_STATE: VendorMessage = {
  id: 'iLO.2.14.InvalidOperationForSystemState',
  text: 'The operation was not successful due to the current power state, or because the system is still in POST.',
  resolution: 'Wait until the system has reached another state.',
};

export type Vendor = 'idrac' | 'ilo';

/**
 * Every change is refused `times` times, as busy, and then carried out. The message is iDRAC's or iLO's;
 * both come under 400, 409 and 503. `retryAfter`: seconds in a Retry-After header; null: none.
 */
export function busy(vendor: Vendor, status: 400 | 409 | 503, times = 2, retryAfter: number | null = null): Quirk {
  const refused = new WeakMap<BmcState, number>();
  const message = vendor === 'idrac' ? SYS518 : SYSTEM_STATE;
  return {
    name: `busy-${vendor}-${status}`,
    description: `every change is refused twice first, with ${status} ${message.id.replace(/^.*\./, '')}`,
    handles: (request, bmc, next) => {
      if (!isChange(request, bmc)) return next(request);
      const sofar = refused.get(bmc) ?? 0;
      refused.set(bmc, sofar < times ? sofar + 1 : 0);
      if (sofar >= times) return next(request);
      const answer = refuseAsVendor(status, message);
      return retryAfter === null
        ? answer
        : { ...answer, headers: { ...answer.headers, 'Retry-After': String(retryAfter) } };
    },
  };
}

const STATUSES = [400, 409, 503] as const;
export const busyQuirks: Quirk[] = (['idrac', 'ilo'] as const).flatMap((vendor) =>
  STATUSES.map((status) => busy(vendor, status)),
);
