import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Config } from '../../config/schema.ts';
import type { Logger } from '../../core/logger.ts';
import type { StandardError } from '../../observe/standardError.ts';
import type { WorkerReports } from '../../observe/workerReports.ts';
import type { StopSignal } from '../../process/stopSignals.ts';
import type { Service } from '../../service.ts';
import { EXIT_STATUS } from '../exitStatus.ts';

/** What a command says when the service cannot start. */
export const FAILED = 'passthru cannot start';

/** The log of a process of the service. */
export interface ServiceLog {
  log: Logger & { flush(): void };
  output: StandardError;
}

/**
 * Opens the log of this process, which also gets what nothing caught.
 * @param worker the number of this worker; null for the only process, and for the primary
 */
export async function openServiceLog(config: Config, worker: number | null = null): Promise<ServiceLog> {
  const [{ createServiceLog }, { StandardError }] = await Promise.all([
    import('../../observe/log.ts'),
    import('../../observe/standardError.ts'),
  ]);
  const output = new StandardError();
  // Node reports failed writes of its own, such as those of its warnings, as exceptions.
  process.stderr.on('error', () => {});
  const log = createServiceLog(config.log_level, output, worker);
  logUncaught(log);
  return { log, output };
}

/**
 * Starts the service in this process.
 * @param worker what a worker shares with the others; null for the only process
 * @throws as `startService`; what was logged before is written
 */
export async function startInProcess(
  config: Config,
  { log, output }: ServiceLog,
  worker: (WorkerReports & { number: number }) | null = null,
): Promise<Service> {
  const [{ startService }, { createAuditLog }] = await Promise.all([
    import('../../service.ts'),
    import('../../observe/log.ts'),
  ]);
  const audit = config.audit_log === 'on' ? createAuditLog(output, worker?.number) : null;
  // A failure is printed after the log that led to it.
  return startService(config, { log, audit, droppedLines: () => output.dropped, workers: worker }).finally(() =>
    log.flush(),
  );
}

/** Does what can wait until calls are accepted. */
export function finishStart(): void {
  // After main.js has kept the compiled code, which this drops.
  setImmediate(collectGarbage);
}

/** Returns the status of a service that a second signal ended. */
export function signalStatus(signal: StopSignal): number {
  return signal === 'SIGTERM' ? 143 : EXIT_STATUS.interrupted;
}

/** Stops `service` in order, and ends the process. */
export async function closeAndExit(service: Service): Promise<void> {
  try {
    await service.close();
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(EXIT_STATUS.failed);
  }
}

/**
 * Collects the garbage of the start once; an idle V8 would keep its pages forever. Takes 60 ms, after the service
 * accepts calls, and saves 30 MB of 140. The flag only adds `gc` to the new context.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: string; execution: string; flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/**
 * Logs errors that nothing caught; Node would print them without masking secrets. A promise that a driver made and did
 * not await must not end the calls on every other machine; an exception leaves an unknown state and ends the process.
 */
function logUncaught(log: Logger): void {
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled promise rejection'));
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught exception, exiting');
    process.exit(EXIT_STATUS.failed);
  });
}
