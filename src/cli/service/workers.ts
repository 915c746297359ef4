// Serving by several processes: the primary, which only starts them, and the workers.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Config } from '../../config/schema.ts';
import { parseListenAddress } from '../../net/listenAddress.ts';
import { joinPrimary } from '../../process/primary.ts';
import { onStopSignal } from '../../process/stopSignals.ts';
import { startWorkers } from '../../process/workers.ts';
import type { Service } from '../../service.ts';
import { EXIT_STATUS, explainFailure, isForOperator } from '../exitStatus.ts';
import {
  closeAndExit,
  FAILED,
  finishStart,
  openServiceLog,
  type ServiceLog,
  signalStatus,
  startInProcess,
} from './start.ts';

/** Starts `config.workers` workers, and keeps them running until a signal stops them. */
export async function serveByWorkers(config: Config, { log, output }: ServiceLog): Promise<void> {
  const settings = await choosePorts(config);
  const workers = await explainFailure(FAILED, () => {
    const dropped = () => ({ ...output.dropped });
    return startWorkers({ count: config.workers, settings, log, output, dropped }).finally(() => log.flush());
  });
  let interrupted: number | null = null;
  onStopSignal({
    async stop() {
      const status = await workers.stop();
      process.exit(interrupted ?? status);
    },
    stopNow(signal) {
      interrupted = signalStatus(signal);
      workers.end();
    },
  });
  console.log(`listening on ${workers.url}`);
  finishStart();
}

/**
 * Puts a free port in place of each port 0. Node closes what the workers listen on when all of them have ended, and would give those
 * that follow another port.
 */
async function choosePorts(config: Config): Promise<Config> {
  const { listen, metrics, events } = config;
  return {
    ...config,
    listen: await choosePort(listen),
    metrics: { listen: metrics.listen && (await choosePort(metrics.listen)) },
    events: { ...events, listen: events.listen && (await choosePort(events.listen)) },
  };
}

/** Returns `address`, HOST:PORT, with a port that is free now if it has port 0. */
async function choosePort(address: string): Promise<string> {
  const { host, port } = parseListenAddress(address)!;
  if (port !== 0) return address;
  const server = createServer().listen(0, host);
  try {
    await once(server, 'listening');
  } catch {
    // The worker says why it cannot listen.
    return address;
  }
  const chosen = (server.address() as AddressInfo).port;
  server.close();
  await once(server, 'close');
  return address.replace(/:0+$/, `:${chosen}`);
}

/** Starts the service in a worker, with the configuration that the primary has read. */
export async function serveAsWorker(): Promise<void> {
  let service: Service | null = null;
  const primary = await joinPrimary<Config>(() => {
    // Nobody was told of a service that is still starting.
    if (service === null) process.exit(0);
    void closeAndExit(service);
  });
  const config = primary.settings;
  const opened = await openServiceLog(config, primary.number);
  try {
    service = await startInProcess(config, opened, primary);
  } catch (error) {
    if (!isForOperator(error)) throw error;
    await primary.failed(error.message);
    process.exit(EXIT_STATUS.failed);
  }
  primary.ready(service.url);
  finishStart();
}
