import type { CoreSettings } from '../../src/core/create.ts';
import { GatedHardware } from '../core/harness.ts';
import { type RunningService, type RunOptions, runService } from '../service.ts';

/** A service with the nodes n1 and n2, whose methods end when the test allows it. */
export interface GatedService extends RunningService {
  hardware: GatedHardware;
}

export async function startGatedService(
  settings: Partial<CoreSettings> = {},
  options: Partial<RunOptions> = {},
): Promise<GatedService> {
  const hardware = new GatedHardware();
  const service = await runService({ hardwareTypes: [hardware.hardwareType], settings, ...options });
  for (const name of ['n1', 'n2'])
    await service.core.nodes.create({ name, driver: 'gated' }, { name: 'test', role: 'admin' });
  return { ...service, hardware };
}
