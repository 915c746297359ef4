import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { createIpmiHardwareType } from '../../src/drivers/ipmi/ipmiHardwareType.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { startFleet } from '../../src/sim/index.ts';
import { type RunningService, runService } from '../service.ts';

/** The service as recorded: its eight nodes, and a simulated BMC with the data of the recorded one. */
export interface RecordedService extends RunningService {
  /** The BMC's address. */
  bmc: string;
}

const caller = { name: 'test', role: 'admin' } as const;
const signal = new AbortController().signal;

export async function startRecordedService(): Promise<RecordedService> {
  const fleet = await startFleet({ auth: 'none' });
  const bmc = fleet.bmcs[0]?.url ?? '';
  const service = await runService({
    hardwareTypes: [
      createRedfishHardwareType({
        settings: { authType: 'auto', connectionAttempts: 1, connectionRetryIntervalMs: 1, requestTimeoutMs: 10_000 },
        log: silentLogger,
      }),
      createFakeHardwareType({ vendorDelay: 0 }),
      createIpmiHardwareType(),
    ],
  });
  await enrol(service, bmc);
  return {
    ...service,
    bmc,
    async close() {
      await service.close();
      await fleet.close();
    },
  };
}

async function enrol({ core }: RunningService, bmc: string): Promise<void> {
  const redfish = (address: string): JsonObject => ({
    redfish_address: address,
    redfish_system_id: '/redfish/v1/Systems/437XR1138R2',
    redfish_username: 'u',
    redfish_password: 'p',
  });
  const uuid = (digit: number) => {
    const four = String(digit).repeat(4);
    return `${four}${four}-${four}-4${four.slice(1)}-8${four.slice(1)}-${four}${four}${four}`;
  };
  const nodes = [
    { uuid: uuid(1), name: 'rf-1', driver: 'redfish', driverInfo: redfish(bmc) },
    { uuid: uuid(2), name: 'fake-1', driver: 'fake-hardware' },
    { uuid: uuid(3), name: 'down-1', driver: 'redfish', driverInfo: redfish('http://127.0.0.1:9') },
    { uuid: uuid(4), name: 'locked-1', driver: 'redfish', driverInfo: redfish(bmc) },
    { uuid: uuid(5), name: 'ipmi-1', driver: 'ipmi', driverInfo: { ipmi_address: '192.0.2.5' } },
    { uuid: uuid(6), name: 'novendor-1', driver: 'redfish', driverInfo: redfish(bmc), vendorInterface: 'no-vendor' },
    { uuid: uuid(7), name: 'lockedfake-1', driver: 'fake-hardware' },
    { uuid: uuid(8), name: 'noaddr-1', driver: 'redfish' },
  ];
  for (const node of nodes) await core.nodes.create(node, caller);
  for (const name of ['locked-1', 'lockedfake-1']) {
    await core.nodes.lock(name, { holder: 'conductor-b.example', lockWait: 0, caller, signal });
  }
}
