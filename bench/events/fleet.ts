// Simulated BMCs that send events, in a process of their own. Environment: COUNT.
import { sendEvents, startFleet } from '../../src/sim/index.ts';
import { answer } from './child.ts';

const count = Number(process.env.COUNT);
const fleet = await startFleet({ count, keepRequests: 1, eventRetryInterval: 200, keepAcknowledged: 1e6 });

answer({
  urls: () => fleet.bmcs.map(({ url }) => url),
  requests: () => fleet.bmcs.reduce((sum, { requestCount }) => sum + requestCount, 0),
  /** Returns the destination of each BMC's subscription, which is known to nobody else. */
  destinations: () =>
    fleet.bmcs.map(({ documents }) => {
      const { Members: members } = documents.get('/redfish/v1/EventService/Subscriptions')!;
      const all = (members as { '@odata.id': string }[]).map(
        (member) => documents.get(member['@odata.id'])!.Destination,
      );
      return all.find((destination) => String(destination).includes('passthru_evt_')) ?? null;
    }),
  /** Sends at a rate, and waits until all is acknowledged. Returns the ids that were, for each BMC. */
  async send({ rate, seconds }: { rate: number; seconds: number }) {
    await sendEvents(fleet.bmcs, { rate, count: rate * seconds, patient: true });
    await Promise.all(fleet.bmcs.map(({ events }) => events.idle()));
    return fleet.bmcs.map(({ events }) => events.acknowledged);
  },
});
