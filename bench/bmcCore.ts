import { ANONYMOUS } from '../src/core/caller.ts';
import type { Core } from '../src/core/core.ts';
import { createCore } from '../src/core/create.ts';
import { fromErrorRecord } from '../src/core/errors.ts';
import { isTerminal } from '../src/core/job.ts';
import type { JsonObject } from '../src/core/json.ts';
import { silentLogger } from '../src/core/logger.ts';
import { createRedfishHardwareType } from '../src/drivers/redfish/redfishHardwareType.ts';
import { openStore } from '../src/store/open.ts';

const caller = { name: 'bench', role: 'admin' } as const;
const { signal: forever } = new AbortController();
export const SYSTEM = '/redfish/v1/Systems/437XR1138R2';

/** A core as in the service, on a store in memory. */
export interface BenchCore {
  core: Core;
  enrol(name: string, url: string): Promise<void>;
  /** Calls a method and waits for its end. Throws its error, and `signal.reason` when it fires. */
  call(node: string, method: string, args?: JsonObject, signal?: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

/** The service's settings that the driver uses. */
interface DriverSettings {
  connectionAttempts: number;
  connectionRetryIntervalMs: number;
  requestTimeoutMs: number;
}

/** The service's defaults. */
const SETTINGS: DriverSettings = { connectionAttempts: 5, connectionRetryIntervalMs: 4000, requestTimeoutMs: 60_000 };

export async function startBenchCore(workers: number, settings: DriverSettings = SETTINGS): Promise<BenchCore> {
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const core = await createCore({
    store,
    hardwareTypes: [createRedfishHardwareType({ settings: { ...settings, authType: 'auto' }, log: silentLogger })],
    host: 'bench',
    log: silentLogger,
    settings: { lockedRetryAttempts: 3, lockedRetryInterval: 1000, maxLockWait: 60_000, workers },
  });
  return {
    core,
    async enrol(name, url) {
      const driverInfo = {
        redfish_address: url,
        redfish_system_id: SYSTEM,
        redfish_username: 'u',
        redfish_password: 'p',
      };
      await core.nodes.create({ name, driver: 'redfish', driverInfo }, caller);
    },
    async call(node, method, args = {}, signal = forever) {
      const rest = { httpMethod: null, idempotencyKey: null, caller, signal, deadline: null, lockWait: null };
      const outcome = await core.callNodeMethod({ node, method, arguments: args, ...rest });
      if (outcome.kind === 'result') return outcome.result;
      if (outcome.kind !== 'job') throw new Error(`${method} attaches`);
      for await (const job of core.jobs.watch(outcome.job.id, null, ANONYMOUS, signal)) {
        if (!isTerminal(job)) continue;
        if (job.error !== null) throw fromErrorRecord(job.error);
        return job.result;
      }
      throw new Error('the watch ended before the job');
    },
    async close() {
      await core.shutdown(1000);
      await store.close();
    },
  };
}
