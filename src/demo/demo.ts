import { loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problems.ts';
import { PassthruError } from '../core/errors.ts';
import { createServiceLog } from '../observe/log.ts';
import { type Service, startService } from '../service.ts';
import { type Fleet, startFleet } from '../sim/index.ts';
import { type DemoSection, demoCommands } from './commands.ts';
import { type DemoNode, enrolDemoNodes, startDemoJob } from './nodes.ts';

/** How many simulated BMCs. */
const BMCS = 3;

/** What the demo sets, unless the environment sets it otherwise. */
const SETTINGS = {
  // Nothing is left behind, and every start is the same.
  PASSTHRU_STORE: 'sqlite::memory:',
  PASSTHRU_LOG_LEVEL: 'warn',
  // Long enough to watch a job.
  PASSTHRU_FAKE_VENDOR_DELAY: '3s',
  // Its BMCs are on loopback, and so is who may listen for their events.
  PASSTHRU_DESTINATIONS_ALLOW: '127.0.0.0/8,::1',
  // The node whose BMC is not there says so at once.
  PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
};

let fleet: Fleet | undefined;
let service: Service | undefined;
try {
  const config = loadConfig({ file: null, environment: { ...SETTINGS, ...process.env } });
  service = await startService(config, { log: createServiceLog(config.log_level) });
  fleet = await startFleet({ count: BMCS });
  const nodes = await enrolDemoNodes(service.core, fleet);
  const job = await startDemoJob(service.core);
  console.log(describe(service.url, nodes, demoCommands(service.url, job)));
  process.once('SIGINT', stop).once('SIGTERM', stop);
} catch (error) {
  if (!(error instanceof PassthruError || error instanceof ConfigError)) throw error;
  console.error(`The demo cannot start: ${error.message}`);
  console.error('Another address: PASSTHRU_LISTEN=127.0.0.1:7000 npm run demo');
  process.exitCode = 1;
  await stop();
}

async function stop(): Promise<void> {
  await service?.close();
  await fleet?.close();
  // A second Ctrl-C finds no handler and ends the process.
}

function describe(url: string, nodes: readonly DemoNode[], sections: readonly DemoSection[]): string {
  const lines = [
    `listening on ${url}`,
    '',
    `The service runs, with ${BMCS} simulated BMCs. It forgets everything when it stops (Ctrl-C). Its nodes:`,
    '',
    ...nodes.map(({ uuid, name, about }) => `    ${name.padEnd(8)}  ${uuid}  ${about}`),
    '',
    'Try, in another terminal and this folder:',
  ];
  for (const { title, commands } of sections) {
    lines.push('', `  ${title}`);
    for (const { command, note } of commands) {
      if (note !== undefined) lines.push(`    # ${note}`);
      lines.push(`    ${command}`);
    }
  }
  lines.push('', `Ready: GET ${url}/healthz answers 200. README.md and docs/ tell the rest.`);
  return lines.join('\n');
}
