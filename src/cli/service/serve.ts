// The commands on the side of the service: running it, and managing its keys.
import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command } from 'commander';
import type { Logger } from '../../core/logger.ts';
import { onStopSignal } from '../../process/stopSignals.ts';
import type { Service } from '../../service.ts';
import { EXIT_STATUS, explainFailure } from '../exitStatus.ts';

/** `passthru serve`. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the service. Each key of the configuration can also be set by an environment variable PASSTHRU_…')
    .option('--config <file>', 'configuration file (YAML); see docs/configuration.md')
    .option('--check', 'check the configuration and its files as a start would, without opening the store or a port')
    .addHelpText('after', HELP)
    .action(({ config = null, check = false }: { config?: string | null; check?: boolean }) => {
      return check ? checkStart(config) : serve(config);
    });
}

const FAILED = 'passthru cannot start';

/** Starts the service, which runs until a signal stops it. */
async function serve(file: string | null): Promise<void> {
  const { loadConfig } = await import('../../config/load.ts');
  const config = await explainFailure(FAILED, () => loadConfig({ file, environment: process.env }));
  const [{ startService }, { warnOfConfigAccess }, { createServiceLog, createAuditLog }, { StandardError }] =
    await Promise.all([
      import('../../service.ts'),
      import('../../config/fileAccess.ts'),
      import('../../observe/log.ts'),
      import('../../observe/standardError.ts'),
    ]);
  const output = new StandardError();
  // Node reports failed writes of its own, such as those of its warnings, as exceptions.
  process.stderr.on('error', () => {});
  const log = createServiceLog(config.log_level, output);
  logUncaught(log);
  if (file !== null) warnOfConfigAccess(file, log);
  const audit = config.audit_log === 'on' ? createAuditLog(output) : null;
  // A failure is printed after the log that led to it.
  const started = startService(config, { log, audit, droppedLines: () => output.dropped }).finally(() => log.flush());
  const service = await explainFailure(FAILED, () => started);
  stopOnSignal(service);
  console.log(`listening on ${service.url}`);
  flushCompileCache();
  collectGarbage();
}

/** Checks what a start would, and prints the result. */
async function checkStart(file: string | null): Promise<void> {
  const { loadConfig } = await import('../../config/load.ts');
  const config = await explainFailure(FAILED, () => loadConfig({ file, environment: process.env }));
  const [{ checkService }, { warnOfConfigAccess }, { createServiceLog }] = await Promise.all([
    import('../../service.ts'),
    import('../../config/fileAccess.ts'),
    import('../../observe/log.ts'),
  ]);
  // Warnings of a start are part of the result.
  const log = createServiceLog('warn');
  if (file !== null) warnOfConfigAccess(file, log);
  await explainFailure(FAILED, () => checkService(config, log).finally(() => log.flush()));
  console.log(`${file ?? 'the configuration'}: valid`);
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

/** Stops the service on a signal; a second one ends the process at once. */
function stopOnSignal(service: Service): void {
  onStopSignal({
    async stop() {
      try {
        await service.close();
        process.exit(0);
      } catch (error) {
        console.error(error);
        process.exit(EXIT_STATUS.failed);
      }
    },
    stopNow: (signal) => process.exit(signal === 'SIGTERM' ? 143 : EXIT_STATUS.interrupted),
  });
}

const HELP = `
Prints "listening on http://HOST:PORT" when ready, and logs to standard error. SIGTERM or Ctrl-C stops it: running calls
may take up to shutdown_grace to finish. A second signal, at least a second later, ends it at once.

Examples:
  passthru serve
  passthru serve --config passthru.yaml
  passthru serve --config passthru.yaml --check
  PASSTHRU_LISTEN=127.0.0.1:7000 PASSTHRU_STORE=sqlite::memory: passthru serve`;
