// The service: assembles store, core, drivers, authentication and protocols from the configuration.
import type { Access } from './auth/access.ts';
import { createAccess } from './auth/create.ts';
import { warnOfFileAccess } from './config/fileAccess.ts';
import { applyNodesFile } from './config/nodesFile.ts';
import type { Config } from './config/schema.ts';
import { readSecretsSource } from './config/secretsSettings.ts';
import { createConsole } from './console/console.ts';
import type { Core } from './core/core.ts';
import { createCore } from './core/create.ts';
import type { HardwareType } from './core/hardware.ts';
import type { WorkerShares } from './core/inFlight.ts';
import type { Logger } from './core/logger.ts';
import type { Store } from './core/store.ts';
import { createFakeHardwareType } from './drivers/fake/fakeHardwareType.ts';
import { createIpmiHardwareType } from './drivers/ipmi/ipmiHardwareType.ts';
import { loadDriverModules } from './drivers/load.ts';
import {
  createIdracHardwareType,
  createLoggedClients,
  createRedfishHardwareType,
} from './drivers/redfish/redfishHardwareType.ts';
import { type CallLimits, CallsInFlight } from './edge/callsInFlight.ts';
import { routeRequests } from './edge/router.ts';
import { receiverTls, startConfiguredReceiver } from './events/start.ts';
import { readWebhookSecrets } from './events/webhook/secrets.ts';
import type { ConfiguredLimits } from './http/limits.ts';
import { type Listener, type ListenerOptions, startListener } from './http/listener.ts';
import type { HttpHandler } from './http/message.ts';
import type { ListenerTls } from './http/tls.ts';
import { createDestinations } from './net/destinations.ts';
import { isLoopback, parseListenAddress } from './net/listenAddress.ts';
import type { AuditSink } from './observe/auditRecord.ts';
import { createObservation, type Observation, type Observed } from './observe/observation.ts';
import type { DroppedLines } from './observe/standardError.ts';
import type { WorkerReports } from './observe/workerReports.ts';
import { affordableConnections, openFileLimit } from './process/openFiles.ts';
import type { RedfishClients } from './redfish/index.ts';
import { createRestHandler } from './rest/handler.ts';
import { createRpcHandler, type RpcLimits, type RpcOptions } from './rpc/handler.ts';
import { openStore } from './store/open.ts';

/** The longest time for posts of events that are under way at shutdown, in ms. */
const RECEIVER_GRACE = 2000;

/** A running service. */
export interface Service {
  /** Its URL, for example `http://127.0.0.1:6385`. */
  url: string;
  /** The URL of the metrics when they have their own address (`metrics.listen`); otherwise null. */
  metricsUrl: string | null;
  /** The URL of the receiver of events; null when it is off (`events.listen`). */
  eventsUrl: string | null;
  core: Core;
  /**
   * Stops the service: refuses new calls, gives running ones the configured grace period, then closes connections,
   * drivers and the store. A second call waits for the first.
   */
  close(): Promise<void>;
}

interface ServiceOptions {
  log: Logger;
  /** Receives the audit records. Default: none. */
  audit?: AuditSink | null;
  /** Returns the numbers of log lines dropped since the start, for the metrics. */
  droppedLines?: () => DroppedLines;
  /** All workers; null, the default, when this is the only process. */
  workers?: WorkerReports | null;
}

/**
 * Starts a service. A failed start leaves nothing running.
 * @throws ConfigError for an invalid nodes file or key file; a PassthruError with a message for the operator when the
 *   store, a driver module or the address cannot be used
 */
export async function startService(config: Config, options: ServiceOptions): Promise<Service> {
  const { log, audit = null, droppedLines, workers } = options;
  await using undo = new AsyncDisposableStack();
  const observation = await createObservation(config, audit, log, droppedLines, workers);
  undo.defer(() => observation.close());
  warnOfFileAccess(config, log);
  const access = await createAccess(config.auth, log, (refusal) => observation.refused(refusal));
  undo.defer(() => access.close());
  const source = readSecretsSource(config, log);
  if (config.secrets.plain) log.warn({}, 'BMC passwords are stored unencrypted, as secrets.plain says');
  const store = await openStore(config.store, { log, ...source, onUnavailable: () => observation.storeFailed() });
  undo.defer(() => store.close());
  const clients = createLoggedClients(log, (exchange) => observation.bmcRequest(exchange));
  const core = await makeCore(config, store, clients, observation, log);
  undo.defer(() => core.shutdown(0));
  if (config.nodes_file !== null) await applyNodesFile(config.nodes_file, core, log);
  const observed = await observation.begin(core, clients);
  // Before the first event can be received.
  const unwatchWebhook = await startWebhook(config, core, log);
  undo.defer(unwatchWebhook);
  const receiver = await startConfiguredReceiver(config, core, observation, log);
  if (receiver !== null) {
    undo.defer(() => receiver.close(0));
    const { verify_interval: verifyInterval, test_interval: testInterval, test_timeout: testTimeout } = config.events;
    const tests = testInterval === 0 ? null : testInterval;
    await core.receiveEvents({ url: receiver.base, verifyInterval, testInterval: tests, testTimeout });
  }
  const listener = await listen(config, observed, access, log);
  undo.move();

  let closing: Promise<void> | undefined;
  const close = async () => {
    const { runningCalls, runningJobs } = core.load();
    unwatchWebhook();
    log.info({ grace_ms: config.shutdown_grace, calls: runningCalls, jobs: runningJobs }, 'shutting down');
    const begun = performance.now();
    // Their posts take milliseconds, and what is not acknowledged is sent again.
    const received = receiver?.close(Math.min(config.shutdown_grace, RECEIVER_GRACE));
    const stopped = core.shutdown(config.shutdown_grace);
    listener.drain();
    await Promise.all([received, stopped]);
    // No call is running any more; only responses to slow clients are left.
    await listener.close(Math.max(0, begun + config.shutdown_grace - performance.now()));
    await Promise.all([store.close(), access.close(), observation.close()]);
    log.info({}, 'stopped');
  };
  return {
    url: listener.url,
    metricsUrl: observed.metricsUrl,
    eventsUrl: receiver?.url ?? null,
    core,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/**
 * Checks what a start reads, except the store and the addresses: driver modules are loaded, and the nodes file is applied to
 * an empty store in memory.
 * @throws as `startService`
 */
export async function checkService(given: Config, log: Logger): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const config = { ...given, store: 'sqlite::memory:', metrics: { listen: null } };
  const observation = await createObservation(config, null, log);
  undo.defer(() => observation.close());
  warnOfFileAccess(config, log);
  const access = await createAccess(config.auth, log);
  undo.defer(() => access.close());
  const tls = listenerTls(config);
  for (const each of [tls, receiverTls(config)]) {
    if (each !== null) (await import('./http/tls.ts')).checkTlsFiles(each);
  }
  const { cipher } = readSecretsSource(given, log);
  const { secret_file: webhookSecrets } = config.events.webhook;
  if (webhookSecrets !== null) readWebhookSecrets(webhookSecrets);
  const store = await openStore(config.store, { log, cipher, onUnavailable: () => {} });
  undo.defer(() => store.close());
  const clients = createLoggedClients(log, () => {});
  const core = await makeCore(config, store, clients, observation, log);
  undo.defer(() => core.shutdown(0));
  if (config.nodes_file !== null) await applyNodesFile(config.nodes_file, core, log);
}

async function makeCore(
  config: Config,
  store: Store,
  clients: RedfishClients,
  observation: Observation,
  log: Logger,
): Promise<Core> {
  const { observer, activity } = observation;
  const hardwareTypes = await makeHardwareTypes(config, clients, observation, log);
  try {
    return await createCore({
      store,
      hardwareTypes,
      host: config.host,
      log,
      observer,
      activity,
      settings: {
        lockedRetryAttempts: config.node_locked_retry_attempts,
        lockedRetryInterval: config.node_locked_retry_interval,
        maxLockWait: config.lock_wait_max,
        maxLockDuration: config.lock_duration_max,
        workers: config.workers_pool_size,
        workerShares: workerShares(config),
        lease: config.node_lock_lease,
        rules: config.auth.rules,
        retention: {
          time: config.job_retention_time,
          count: config.job_retention_count,
          events: { time: config.events.keep_time, count: config.events.keep_count },
        },
        events: { rate: config.events.rate, totalRate: config.events.total_rate },
        recorder: config.recorder,
      },
    });
  } catch (error) {
    await Promise.allSettled(hardwareTypes.map((hardwareType) => hardwareType.close?.()));
    throw error;
  }
}

function workerShares({ auth, limits, workers_pool_size: workers }: Config): WorkerShares {
  // Without authentication all callers are one.
  return { caller: auth.type === 'none' ? workers : limits.jobs_per_caller, node: limits.jobs_per_node };
}

async function makeHardwareTypes(
  config: Config,
  clients: RedfishClients,
  observation: Observation,
  log: Logger,
): Promise<HardwareType[]> {
  const { redfish, fake, drivers } = config;
  const settings = {
    authType: redfish.auth_type,
    connectionAttempts: redfish.connection_attempts,
    connectionRetryIntervalMs: redfish.connection_retry_interval,
    requestTimeoutMs: redfish.request_timeout,
    caFolder: redfish.ca_folder,
    destinations: createDestinations(config.destinations),
    fenceHeader: redfish.fence_header === 'on',
  };
  return [
    createRedfishHardwareType({ settings, log, clients }),
    createIdracHardwareType(clients, settings),
    createFakeHardwareType({ vendorDelay: fake.vendor_delay }),
    createIpmiHardwareType({ observe: (run) => observation.ipmitoolRun(run) }),
    // The paths in the configuration are absolute.
    ...(await loadDriverModules(drivers, process.cwd(), { log })),
  ];
}

/** Begins to hand over events, if the configuration says so. Imported on demand: it brings an HTTP client, a fifth of the program. */
async function startWebhook(config: Config, core: Core, log: Logger): Promise<() => void> {
  if (config.events.webhook.url === null) return () => {};
  const { startConfiguredWebhook } = await import('./events/webhook/start.ts');
  return startConfiguredWebhook(config, core, log);
}

async function listen(config: Config, { core, metrics }: Observed, access: Access, log: Logger): Promise<Listener> {
  const { cors_origins: corsOrigins, auth, limits } = config;
  const calls = new CallsInFlight(callLimits(limits));
  const tls = listenerTls(config);
  const { host, port } = parseListenAddress(config.listen)!;
  if (tls === null && !isLoopback(host)) {
    log.warn(
      { listen: config.listen },
      'credentials travel unencrypted: set tls.cert_file, or put a TLS proxy in front',
    );
  }
  return serveApis({
    host,
    port,
    core,
    access,
    calls,
    log,
    rest: createRestHandler({ core, access, calls, log, corsOrigins, metrics }),
    console: config.console ? createConsole() : null,
    corsOrigins,
    tls,
    localNamesOnly: auth.type === 'none',
    limits: { ...listenerLimits(limits), maxConnections: affordConnections(config, log) },
  });
}

/** Returns `limits.connections`, lowered to what the number of files that this process may open allows. */
function affordConnections({ limits, workers_pool_size: workers }: Config, log: Logger): number {
  const openFiles = openFileLimit();
  const connections = affordableConnections(limits.connections, workers, openFiles);
  if (connections < limits.connections) {
    const fields = { configured: limits.connections, connections, open_files: openFiles };
    log.warn(
      fields,
      'limits.connections lowered: the process may open too few files; raise its limit (LimitNOFILE, ulimit -n)',
    );
  }
  return connections;
}

/** Returns the TLS settings of the listener; null without TLS. */
function listenerTls({ auth, tls }: Config): ListenerTls | null {
  const { cert_file: certFile, key_file: keyFile, client_ca_file: clientCaFile } = tls;
  const requireClientCertificate = auth.type !== 'client_certificate';
  return certFile === null || keyFile === null ? null : { certFile, keyFile, clientCaFile, requireClientCertificate };
}

/** Returns the limits of `CallsInFlight` from the group `limits` of the configuration. */
export function callLimits(limits: Config['limits']): CallLimits {
  return { callsPerCaller: limits.calls_per_caller, watchesPerCaller: limits.watches_per_caller };
}

/** Returns the limits of the listener from the group `limits` of the configuration. */
export function listenerLimits(limits: Config['limits']): ConfiguredLimits {
  return {
    maxConnections: limits.connections,
    maxConnectionsPerPeer: limits.connections_per_peer,
    requestTimeout: limits.receive_timeout,
    sessionMaxAge: limits.connection_max_age,
  };
}

interface ServeOptions
  extends Omit<RpcOptions, 'stop' | 'limits'>,
    Pick<ListenerOptions, 'host' | 'port' | 'tls' | 'limits'> {
  /** Serves every request that is neither RPC nor for the console. */
  rest: HttpHandler;
  /** Serves the console. Default: none. */
  console?: HttpHandler | null;
  rpcLimits?: Partial<RpcLimits>;
  /** Whether to refuse requests that address the service by another name than localhost. */
  localNamesOnly: boolean;
}

/** Starts the listener that serves RPC and `rest` on one port. */
export function serveApis({
  rest,
  console = null,
  rpcLimits,
  localNamesOnly,
  ...options
}: ServeOptions): Promise<Listener> {
  const { host, port, core, access, log, tls, limits } = options;
  access.callRole = core.drivers.leastCallRole;
  const stop = { streams: new AbortController(), calls: new AbortController() };
  const signals = { streams: stop.streams.signal, calls: stop.calls.signal };
  const rpc = createRpcHandler({ ...options, stop: signals, limits: rpcLimits });
  const handlers = routeRequests({ rpc, rest, console, access, localNamesOnly });
  return startListener({ host, port, log, ...handlers, endsInTime: rpc.endsInTime, stop, tls, limits });
}
