import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { htpasswd } from '../auth/users.ts';
import { type Served, serve } from '../cli/run.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../observe/otlpReceiver.ts';
import { MARKERS, USER } from './markers.ts';

/** The service in its own process, with a marked secret in each place for one, and everything that it outputs. */
export interface MarkedService extends AsyncDisposable {
  served: Served;
  fleet: Fleet;
  /** The receiver of its traces. */
  collector: OtlpReceiver;
  /** The folder of its configuration and its state. */
  directory: string;
  /** The files of its store. */
  files(): { name: string; content: Buffer }[];
}

/** Starts it with nodes whose driver leaks secrets, and nodes whose BMC is simulated, refuses the password or is down. */
export async function startMarkedService(): Promise<MarkedService> {
  const directory = mkdtempSync(join(tmpdir(), 'passthru-everywhere-'));
  const state = join(directory, 'state');
  mkdirSync(state);
  copyFileSync(new URL('./leakyDriver.mjs', import.meta.url), join(directory, 'leakyDriver.mjs'));
  writeFileSync(join(directory, 'users'), htpasswd(USER));
  writeFileSync(join(directory, 'secrets.key'), randomBytes(32).toString('base64'));
  const collector = await startOtlpReceiver();
  const leaky = {
    driver: 'leaky',
    driver_info: {
      leaky_password: MARKERS.leaky,
      leaky_unlock: MARKERS.declared,
      leaky_address: `admin:${MARKERS.userInfo}@bmc.example`,
    },
  };
  const fleet = await startFleet({ accounts: { u: MARKERS.redfish } });
  const redfish = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u' };
  const nodes = [
    { name: 'leaky', ...leaky },
    { name: 'leaky-2', ...leaky },
    { name: 'broken', driver: 'leaky', driver_info: { ...leaky.driver_info, leaky_broken: true } },
    { name: 'rf', driver: 'redfish', driver_info: { ...redfish, redfish_password: MARKERS.redfish } },
    { name: 'rf-wrong', driver: 'redfish', driver_info: { ...redfish, redfish_password: MARKERS.wrongRedfish } },
    {
      name: 'rf-down',
      driver: 'redfish',
      driver_info: {
        redfish_address: 'http://127.0.0.1:9',
        redfish_password: MARKERS.redfish,
        redfish_username: 'u',
        redfish_connection_attempts: 1,
      },
    },
  ];
  writeFileSync(join(directory, 'nodes.yaml'), JSON.stringify({ nodes }));
  const config = {
    store: `sqlite:${join(state, 'passthru.db')}`,
    nodes_file: 'nodes.yaml',
    log_level: 'trace',
    auth: { type: 'http_basic', http_basic_auth_user_file: 'users', default_role: 'admin' },
    secrets: { key_file: 'secrets.key' },
    destinations: { allow: ['127.0.0.0/8'] },
    redfish: { connection_attempts: 1 },
    tracing: { otlp_endpoint: collector.url },
    drivers: ['./leakyDriver.mjs'],
  };
  writeFileSync(join(directory, 'passthru.yaml'), JSON.stringify(config));
  const served = await serve(['--config', join(directory, 'passthru.yaml')], { PASSTHRU_STORE: config.store });
  return {
    served,
    fleet,
    collector,
    directory,
    files: () =>
      readdirSync(state, { recursive: true })
        .map(String)
        .map((name) => ({ name, content: readFileSync(join(state, name)) })),
    async [Symbol.asyncDispose]() {
      served.command.process.kill('SIGKILL');
      await served.command.ended;
      await fleet.close();
      await collector[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}
