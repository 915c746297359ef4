import type { Answer, BmcState, Quirk } from '../bmc.ts';
import { refuse, refuseAsVendor } from '../messages.ts';
import { isSubscribe, objectIn } from '../quirk.ts';
import { subscriptionPaths } from '../restart.ts';

export const oneOfADestinationIlo = refusesSecond('one-per-destination-ilo', 'ResourceAlreadyExists (iLO)', (uri) =>
  refuse('ResourceAlreadyExists', 'EventDestination', 'Destination', uri),
);

export const oneOfADestinationIdrac = refusesSecond(
  'one-per-destination-idrac',
  'PropertyValueModified naming the destination (iDRAC)',
  (uri) =>
    refuseAsVendor(400, {
      id: 'Base.1.12.PropertyValueModified',
      text: `The property Destination was assigned the value ${uri} due to modification by the service.`,
      args: ['Destination', uri],
      relatedProperties: ['#/Destination'],
      resolution: 'No resolution is required.',
    }),
);

function refusesSecond(name: string, how: string, refusal: (destination: string) => Answer): Quirk {
  return {
    name,
    description: `a second subscription to the same destination gets 400 ${how}`,
    handles: (request, bmc, next) => {
      const { Destination: uri } = objectIn(request);
      return isSubscribe(request, bmc) && typeof uri === 'string' && destinations(bmc).has(uri)
        ? refusal(uri)
        : next(request);
    },
  };
}

function destinations(bmc: BmcState): Set<unknown> {
  return new Set(subscriptionPaths(bmc).map((path) => bmc.documents.get(path)?.Destination));
}
