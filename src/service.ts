import { parseListenAddress } from './config/listenAddress.ts';
import { applyNodesFile } from './config/nodesFile.ts';
import type { Config } from './config/schema.ts';
import type { Core } from './core/core.ts';
import { createCore } from './core/create.ts';
import type { HardwareType } from './core/hardware.ts';
import type { Logger } from './core/logger.ts';
import type { Store } from './core/store.ts';
import { createFakeHardwareType } from './drivers/fake/fakeHardwareType.ts';
import { createIdracHardwareType } from './drivers/idrac/idracHardwareType.ts';
import { createIpmiHardwareType } from './drivers/ipmi/ipmiHardwareType.ts';
import { loadDriverModules } from './drivers/load.ts';
import { createLoggedClients, createRedfishHardwareType } from './drivers/redfish/redfishHardwareType.ts';
import { createRestHandler } from './rest/handler.ts';
import { type Listener, startListener } from './server/listener.ts';
import { openStore } from './store/open.ts';

/** The service, ready. */
export interface Service {
  /** Where it listens: `http://127.0.0.1:6385`. */
  url: string;
  core: Core;
  /**
   * Stops it: new calls are refused, running ones get the configured grace to end, then connections, drivers and the
   * store are closed. A second call waits for the first.
   */
  close(): Promise<void>;
}

/**
 * Starts the service that `config` describes. What a failed start had begun is ended again.
 * @throws ConfigError for a nodes file that is wrong; a PassthruError whose message is for the operator when the store,
 *   a driver module or the address cannot be used
 */
export async function startService(config: Config, { log }: { log: Logger }): Promise<Service> {
  const store = await openStore(config.store, { log });
  try {
    const core = await makeCore(config, store, log);
    try {
      if (config.nodes_file !== null) await applyNodesFile(config.nodes_file, core, log);
      const listener = await listen(config, core, log);
      return makeService(config, store, core, listener, log);
    } catch (error) {
      await core.shutdown(0);
      throw error;
    }
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function makeCore(config: Config, store: Store, log: Logger): Promise<Core> {
  const hardwareTypes = await makeHardwareTypes(config, log);
  try {
    return await createCore({
      store,
      hardwareTypes,
      host: config.host,
      log,
      settings: {
        lockedRetryAttempts: config.node_locked_retry_attempts,
        lockedRetryInterval: config.node_locked_retry_interval,
        maxLockWait: config.lock_wait_max,
        workers: config.workers_pool_size,
        lease: config.node_lock_lease,
        // A request that was sent in time may be under way for so long.
        grace: config.redfish.request_timeout,
        retention: { time: config.job_retention_time, count: config.job_retention_count },
      },
    });
  } catch (error) {
    await Promise.allSettled(hardwareTypes.map((hardwareType) => hardwareType.close?.()));
    throw error;
  }
}

async function makeHardwareTypes(config: Config, log: Logger): Promise<HardwareType[]> {
  const { redfish, fake, drivers } = config;
  const clients = createLoggedClients(log);
  const settings = {
    authType: redfish.auth_type,
    connectionAttempts: redfish.connection_attempts,
    connectionRetryIntervalMs: redfish.connection_retry_interval,
    requestTimeoutMs: redfish.request_timeout,
    fenceHeader: redfish.fence_header === 'on',
  };
  return [
    createRedfishHardwareType({ settings, log, clients }),
    createIdracHardwareType(clients, settings),
    createFakeHardwareType({ vendorDelay: fake.vendor_delay }),
    createIpmiHardwareType(),
    // Their paths are absolute already.
    ...(await loadDriverModules(drivers, process.cwd(), { log })),
  ];
}

async function listen(config: Config, core: Core, log: Logger): Promise<Listener> {
  const { host, port } = parseListenAddress(config.listen)!;
  const rest = createRestHandler({ core, log, corsOrigins: config.cors_origins });
  return startListener({ host, port, core, log, rest, corsOrigins: config.cors_origins });
}

function makeService(config: Config, store: Store, core: Core, listener: Listener, log: Logger): Service {
  let closing: Promise<void> | undefined;
  const close = async () => {
    log.info({ grace: config.shutdown_grace }, 'shutting down');
    // Together: the one ends calls and jobs, the other streams and connections.
    await Promise.all([core.shutdown(config.shutdown_grace), listener.close(config.shutdown_grace)]);
    await store.close();
    log.info({}, 'stopped');
  };
  return {
    url: listener.url,
    core,
    close() {
      closing ??= close();
      return closing;
    },
  };
}
