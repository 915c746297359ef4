import type { Quirk } from '../bmc.ts';
import { subscriptionPaths } from '../restart.ts';

export const subscriptionsLostAtRestart: Quirk = {
  name: 'subscriptions-lost-at-restart',
  description: 'subscriptions are gone when the BMC has restarted',
  restarted: (bmc) => {
    for (const path of subscriptionPaths(bmc)) bmc.documents.removeMember(path);
  },
};

export const failedDeliveryDeletes: Quirk = {
  name: 'failed-delivery-deletes',
  description: 'a subscription whose events cannot be delivered is deleted (iLO)',
  deliveryFailed: (path, bmc) => bmc.documents.removeMember(path),
};

export const failedDeliveryDisables: Quirk = {
  name: 'failed-delivery-disables',
  description: 'a subscription whose events cannot be delivered says Status.State Disabled (iDRAC)',
  deliveryFailed: (path, bmc) => {
    const subscription = bmc.documents.get(path);
    if (subscription) bmc.documents.set(path, { ...subscription, Status: { State: 'Disabled', Health: 'Warning' } });
  },
};
