import type { Core } from '../core/core.ts';
import type { JsonObject } from '../core/json.ts';
import { type Fleet, sendEvents } from '../sim/index.ts';

const CALLER = { name: 'demo', role: 'admin' } as const;

/** A node of the demo. */
export interface DemoNode {
  uuid: string;
  name: string;
  /** The case that it demonstrates. */
  about: string;
}

/** Enrols a node for each simulated BMC, and nodes that demonstrate other cases. */
export async function enrolDemoNodes(core: Core, fleet: Fleet): Promise<DemoNode[]> {
  const nodes: (DemoNode & { driver: string; address?: string })[] = [
    ...fleet.bmcs.map(({ url }, index) => ({
      uuid: `1111111${index + 1}-1111-4111-8111-111111111111`,
      name: `rf-${index + 1}`,
      about: `redfish, on a simulated BMC at ${url}`,
      driver: 'redfish',
      address: url,
    })),
    {
      uuid: '22222222-2222-4222-8222-222222222222',
      name: 'fake-1',
      about: 'fake-hardware, whose methods only wait',
      driver: 'fake-hardware',
    },
    {
      uuid: '44444444-4444-4444-8444-444444444444',
      name: 'locked-1',
      about: 'redfish, reserved by conductor-b.example',
      driver: 'redfish',
      address: fleet.bmcs[0]!.url,
    },
    // The discard port, where nothing listens.
    {
      uuid: '33333333-3333-4333-8333-333333333333',
      name: 'down-1',
      about: 'redfish, with an unreachable BMC',
      driver: 'redfish',
      address: 'http://127.0.0.1:9',
    },
  ];
  for (const { uuid, name, about, driver, address } of nodes) {
    const driverInfo = address === undefined ? {} : bmcAccess(address);
    await core.nodes.create({ uuid, name, driver, driverInfo, description: about }, CALLER);
  }
  const { signal } = new AbortController();
  await core.nodes.lock('locked-1', { holder: 'conductor-b.example', lockWait: 0, caller: CALLER, signal });
  return nodes;
}

/** Lets the events of the simulated BMCs but the first arrive, and makes these send some until the signal fires. */
export async function startDemoEvents(core: Core, fleet: Fleet, signal: AbortSignal): Promise<void> {
  const selection = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };
  const [, ...senders] = fleet.bmcs;
  for (const index of senders.keys()) {
    await core.eventSources.set(`rf-${index + 2}`, { transport: null, selection }, CALLER);
  }
  void sendEvents(senders, { rate: 1 }, signal);
}

/** Starts an asynchronous call, so that there is a job to show; returns its ID. */
export async function startDemoJob(core: Core): Promise<string> {
  const outcome = await core.callNodeMethod({
    node: 'fake-1',
    method: 'second_method',
    arguments: { bar: 'kazoo' },
    httpMethod: null,
    idempotencyKey: null,
    lockWait: null,
    caller: CALLER,
    signal: new AbortController().signal,
    deadline: null,
  });
  if (outcome.kind !== 'job') throw new TypeError('second_method is asynchronous');
  return outcome.job.id;
}

/** Returns the driver_info for a simulated BMC, with its account. */
function bmcAccess(address: string): JsonObject {
  return {
    redfish_address: address,
    redfish_system_id: '/redfish/v1/Systems/437XR1138R2',
    redfish_username: 'u',
    redfish_password: 'p',
  };
}
