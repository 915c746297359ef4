// The demo: a service with simulated BMCs.
import { loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problems.ts';
import { CONSOLE_PATH } from '../console/console.ts';
import { PassthruError } from '../core/errors.ts';
import { createServiceLog } from '../observe/log.ts';
import { onStopSignal } from '../process/stopSignals.ts';
import { type Service, startService } from '../service.ts';
import { type Fleet, startFleet } from '../sim/index.ts';
import { type DemoSection, demoCommands } from './commands.ts';
import { type DemoNode, enrolDemoNodes, startDemoEvents, startDemoJob } from './nodes.ts';

/** The number of simulated BMCs. */
const BMCS = 3;

/** The settings of the demo, which the environment can override. */
const SETTINGS = {
  // Leaves nothing behind, and starts the same every time.
  PASSTHRU_STORE: 'sqlite::memory:',
  PASSTHRU_LOG_LEVEL: 'warn',
  // Long enough to watch a job.
  PASSTHRU_FAKE_VENDOR_DELAY: '3s',
  // The BMCs and the listeners for their events are on loopback.
  PASSTHRU_DESTINATIONS_ALLOW: '127.0.0.0/8,::1',
  // The BMCs post their events here.
  PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0',
  // Calls to the unreachable BMC fail at once.
  PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
};

const stopping = new AbortController();
let fleet: Fleet | undefined;
let service: Service | undefined;
try {
  const config = loadConfig({ file: null, environment: { ...SETTINGS, ...process.env } });
  service = await startService(config, { log: createServiceLog(config.log_level) });
  fleet = await startFleet({ count: BMCS });
  const nodes = await enrolDemoNodes(service.core, fleet);
  await startDemoEvents(service.core, fleet, stopping.signal);
  const job = await startDemoJob(service.core);
  const page = config.console ? `${service.url}${CONSOLE_PATH}` : null;
  console.log(describe(service.url, page, nodes, demoCommands(service.url, job)));
  onStopSignal({ stop, stopNow: () => process.exit(1) });
} catch (error) {
  if (!(error instanceof PassthruError || error instanceof ConfigError)) throw error;
  console.error(`The demo cannot start: ${error.message}`);
  console.error('To use another address: PASSTHRU_LISTEN=127.0.0.1:7000 npm run demo');
  process.exitCode = 1;
  await stop();
}

async function stop(): Promise<void> {
  stopping.abort();
  await service?.close();
  await fleet?.close();
  if (process.exitCode === undefined) console.log('stopped');
}

function describe(
  url: string,
  page: string | null,
  nodes: readonly DemoNode[],
  sections: readonly DemoSection[],
): string {
  const lines = [
    `listening on ${url}`,
    ...(page === null ? [] : [`console: ${page}, for a browser`]),
    '',
    `The service is running with ${BMCS} simulated BMCs, which send it events. Ctrl-C stops it; nothing is kept. Its nodes:`,
    '',
    ...nodes.map(({ uuid, name, about }) => `    ${name.padEnd(8)}  ${uuid}  ${about}`),
    '',
    'Try these commands in another terminal, in this directory:',
  ];
  for (const { title, commands } of sections) {
    lines.push('', `  ${title}`);
    for (const { command, note } of commands) {
      if (note !== undefined) lines.push(`    # ${note}`);
      lines.push(`    ${command}`);
    }
  }
  lines.push('', `Ready: GET ${url}/healthz returns 200. See README.md and docs/ for more.`);
  return lines.join('\n');
}
