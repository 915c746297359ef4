// The commands on the side of the service: running it, and managing its keys.
import { Command } from 'commander';
import { isWorker } from '../../process/primary.ts';
import { onStopSignal } from '../../process/stopSignals.ts';
import type { Service } from '../../service.ts';
import { explainFailure } from '../exitStatus.ts';
import { closeAndExit, FAILED, finishStart, openServiceLog, signalStatus, startInProcess } from './start.ts';

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

/** Starts the service, which runs until a signal stops it. */
async function serve(file: string | null): Promise<void> {
  if (isWorker()) return (await import('./workers.ts')).serveAsWorker();
  const { loadConfig } = await import('../../config/load.ts');
  const config = await explainFailure(FAILED, () => loadConfig({ file, environment: process.env }));
  const { warnOfConfigAccess } = await import('../../config/fileAccess.ts');
  const opened = await openServiceLog(config);
  if (file !== null) warnOfConfigAccess(file, opened.log);
  if (config.workers > 1) return (await import('./workers.ts')).serveByWorkers(config, opened);
  const service = await explainFailure(FAILED, () => startInProcess(config, opened));
  stopOnSignal(service);
  console.log(`listening on ${service.url}`);
  finishStart();
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

/** Stops the service on a signal; a second one ends the process at once. */
function stopOnSignal(service: Service): void {
  onStopSignal({
    stop: () => void closeAndExit(service),
    stopNow: (signal) => process.exit(signalStatus(signal)),
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
