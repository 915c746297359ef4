// Runs simulated BMCs in their own process. Environment: COUNT, and LATENCY in ms.
import { startFleet } from '../src/sim/index.ts';
import { plainProfile } from '../src/sim/profiles/plain.ts';

/** The counts that the fleet sends on request. */
export interface FleetCounts {
  requests: number;
  connections: number;
  sessions: number;
  /** Processor time of the process so far, in seconds. */
  cpu: number;
}

const fleet = await startFleet({
  count: Number(process.env.COUNT),
  latency: Number(process.env.LATENCY),
  profile: plainProfile,
  keepRequests: 1,
});
process.on('message', (message) => {
  if (message === 'insert') {
    for (const { documents } of fleet.bmcs) {
      const path = '/redfish/v1/Systems/437XR1138R2/VirtualMedia/CD1';
      documents.set(path, { ...documents.get(path)!, Inserted: true, Image: 'http://images.example/a.iso' });
    }
  }
  const sum = (of: (bmc: (typeof fleet.bmcs)[number]) => number) => fleet.bmcs.reduce((all, bmc) => all + of(bmc), 0);
  process.send?.({
    requests: sum((bmc) => bmc.requestCount),
    connections: sum((bmc) => bmc.connections),
    sessions: sum((bmc) => bmc.sessions.length),
    cpu: cpuSeconds(),
  } satisfies FleetCounts);
});
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

process.once('SIGTERM', () => void fleet.close().then(() => process.exit()));
process.send?.(fleet.bmcs.map(({ url }) => url));
