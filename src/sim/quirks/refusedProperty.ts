import type { Quirk } from '../bmc.ts';
import { refuseAsVendor } from '../messages.ts';
import { isSubscribe, objectIn } from '../quirk.ts';

/** How a BMC names the property that it does not know. */
type Naming = 'MessageArgs' | 'RelatedProperties';

export const refusesContext = refuses('refuses-context', 'Context', 'MessageArgs');
export const refusesEventTypes = refuses('refuses-event-types', 'EventTypes', 'MessageArgs');
export const refusesProtocol = refuses('refuses-protocol', 'Protocol', 'RelatedProperties');

/** iLO's own message stands for a property that it does not know and for one that it does not let a client set. */
export const refusesRetryPolicy: Quirk = {
  name: 'refuses-retry-policy',
  description: 'a subscription with DeliveryRetryPolicy is refused, with a message of its own (iLO)',
  handles: (request, bmc, next) => {
    if (!isSubscribe(request, bmc) || !('DeliveryRetryPolicy' in objectIn(request))) return next(request);
    return refuseAsVendor(400, {
      id: 'iLO.2.14.PropertyNotWritableOrUnknown',
      text: 'The property DeliveryRetryPolicy is a read-only property, or is not in the list of valid properties for the resource.',
      args: ['DeliveryRetryPolicy'],
    });
  },
};

function refuses(name: string, property: string, naming: Naming): Quirk {
  return {
    name,
    description: `a subscription with ${property} is refused as PropertyUnknown, named in ${naming} alone`,
    handles: (request, bmc, next) => {
      if (!isSubscribe(request, bmc) || !(property in objectIn(request))) return next(request);
      return refuseAsVendor(400, {
        id: 'Base.1.8.PropertyUnknown',
        text:
          naming === 'MessageArgs'
            ? `The property ${property} is not in the list of valid properties for the resource.`
            : 'A property is not in the list of valid properties for the resource.',
        args: naming === 'MessageArgs' ? [property] : [],
        ...(naming === 'RelatedProperties' ? { relatedProperties: [`#/${property}`] } : {}),
      });
    },
  };
}
