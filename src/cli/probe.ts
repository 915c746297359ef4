// `passthru probe`: what a BMC shows, as a capture for `passthru sim`, and which methods will work on it.

import { existsSync, statSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { booleanWord } from '../core/arguments.ts';
import { PassthruError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { describeSystems } from '../drivers/redfish/discoverMethod.ts';
import { type NodeBmc, readBmc } from '../drivers/redfish/driverInfo.ts';
import { visibleJson } from '../process/terminalText.ts';
import { type ProbeResult, ProbeStopped, probeBmc, RedfishError } from '../redfish/index.ts';
import { CommandFailure, EXIT_STATUS, usageError } from './exitStatus.ts';
import { readText } from './keyValues.ts';
import { readTimeout, readWholeNumber } from './options.ts';
import { printReport, type ReportFormat } from './print/probeReport.ts';
import { prompt } from './print/prompt.ts';

interface ProbeCommandOptions {
  username?: string;
  password?: string;
  authType: string;
  verifyCa: string;
  tlsMinimumVersion?: string;
  tlsCiphers?: string;
  systemId?: string;
  output?: string;
  force?: boolean;
  keepIdentity?: boolean;
  /** In milliseconds. */
  timeout: number;
  maxRequests: number;
  format: ReportFormat;
}

/** Options of the command by the key of driver_info that they set. */
const KEYS: Readonly<Record<string, string>> = {
  redfish_address: 'ADDRESS',
  redfish_username: '--username',
  redfish_password: '--password',
  redfish_auth_type: '--auth-type',
  redfish_verify_ca: '--verify-ca',
  redfish_tls_minimum_version: '--tls-minimum-version',
  redfish_tls_ciphers: '--tls-ciphers',
  redfish_system_id: '--system-id',
};

/** The limits of one request: someone waits for the whole probe. */
const SETTINGS = {
  authType: 'auto',
  connectionAttempts: 2,
  connectionRetryIntervalMs: 1000,
  requestTimeoutMs: 30_000,
  // Who runs the command may read any file that they name.
  caFolder: '/',
} as const;

/** `passthru probe`. */
export function probeCommand(): Command {
  return new Command('probe')
    .description('Read what a BMC shows: which methods will work on it, and a capture for passthru sim')
    .argument('<address>', 'URL of the BMC; the scheme defaults to https')
    .option('--username <name>', 'account at the BMC; without it, only what strangers may read is read')
    .option('--password <password>', 'its password, or @FILE; prompted for on a terminal')
    .addOption(new Option('--auth-type <type>', 'how to log in').choices(['auto', 'session', 'basic']).default('auto'))
    .option('--verify-ca <value>', 'whether to verify the certificate: true, false, or the path of its CA', 'true')
    .addOption(
      new Option('--tls-minimum-version <version>', 'lowest TLS version to accept; old BMCs need 1.0').choices([
        '1.0',
        '1.1',
        '1.2',
        '1.3',
      ]),
    )
    .option('--tls-ciphers <list>', "TLS ciphers to offer, in OpenSSL's format")
    .option('--system-id <path>', 'path of the system, where the BMC has several')
    .option('-o, --output <file>', 'file for the capture; - = standard output (default: HOST.json)')
    .option('--force', 'overwrite the file')
    .option('--keep-identity', 'leave serial numbers, UUIDs, addresses and names in the capture')
    .addOption(
      new Option('--timeout <time>', 'when to stop, such as 90 (seconds) or 5m')
        .argParser((text: string) => readTimeout('--timeout', text))
        .default(300_000, '5m'),
    )
    .addOption(
      new Option('--max-requests <n>', 'maximum number of requests')
        .argParser((text: string) => readWholeNumber('--max-requests', text, 1, 99_999))
        .default(500, '500'),
    )
    .addOption(
      new Option('-f, --format <format>', 'format of the report').choices(['table', 'json', 'yaml']).default('table'),
    )
    .addHelpText('after', HELP)
    .action(run);
}

async function run(address: string, options: ProbeCommandOptions): Promise<void> {
  const { target } = readTarget(address, options, null);
  const file = options.output ?? `${new URL(target.origin).hostname.replaceAll(/[^\w.-]/g, '_')}.json`;
  // Before the prompt and the probe, which takes minutes.
  if (file !== '-') checkFile(file, options.force === true);
  const bmc = readTarget(address, options, await readPassword(options));
  const { capture, report } = await probe(bmc, options);
  const text = `${JSON.stringify(capture, null, 1)}\n`;
  if (file === '-') process.stdout.write(visibleJson(text));
  else await write(file, text, options.force === true);
  await printReport(report, options.format, file === '-' ? process.stderr : process.stdout);
  if (file !== '-')
    console.error(`${file} written. Look through it before you send it; to try it: passthru sim --capture ${file}`);
  if (report.no_root !== null)
    throw new CommandFailure(EXIT_STATUS.failed, `no service root was read: ${report.no_root}`);
  if (report.login.error !== null) throw new CommandFailure(EXIT_STATUS.failed, `not logged in: ${report.login.error}`);
}

function checkFile(file: string, force: boolean): void {
  if (!force && existsSync(file)) {
    throw usageError(`${file} exists; use --force to overwrite it, or -o for another file`);
  }
  if (!existsSync(dirname(file))) throw usageError(`the folder ${dirname(file)} does not exist`);
}

async function readPassword({ username, password }: ProbeCommandOptions): Promise<string | null> {
  if (password !== undefined) {
    if (username === undefined) throw usageError('--password requires --username');
    return readText('--password', password);
  }
  return username === undefined ? null : prompt(`Password of ${username}: `);
}

function readTarget(address: string, options: ProbeCommandOptions, password: string | null): NodeBmc {
  if (address === '') throw usageError('ADDRESS must be given');
  const info: JsonObject = {
    redfish_address: address,
    redfish_username: options.username ?? null,
    redfish_password: password,
    redfish_auth_type: options.authType,
    redfish_verify_ca: readVerifyCa(options),
    redfish_tls_minimum_version: options.tlsMinimumVersion ?? null,
    redfish_tls_ciphers: options.tlsCiphers ?? null,
    redfish_system_id: options.systemId ?? null,
  };
  try {
    return readBmc(info, SETTINGS, { field: (key) => key, message: (faults) => faults });
  } catch (error) {
    if (error instanceof PassthruError) throw usageError(inOptions(error.message));
    throw error;
  }
}

/** Makes a path absolute. */
function readVerifyCa({ verifyCa }: ProbeCommandOptions): string {
  if (booleanWord(verifyCa) !== undefined) return verifyCa;
  if (existsSync(verifyCa)) return resolve(verifyCa);
  throw usageError('--verify-ca must be true, false, or the path of a CA file or folder that exists');
}

/** Probes until the timeout or Ctrl-C, in both cases logging out. */
async function probe({ target, systemPath }: NodeBmc, options: ProbeCommandOptions): Promise<ProbeResult> {
  const { timeout, maxRequests, keepIdentity = false } = options;
  const stop = new AbortController();
  const interrupt = () => stop.abort(new CommandFailure(EXIT_STATUS.interrupted, 'interrupted'));
  process.once('SIGINT', interrupt);
  const timer = setTimeout(() => stop.abort(new ProbeStopped(`${timeout / 1000} s had passed`)), timeout);
  try {
    return await probeBmc(target, {
      systemPath,
      maxRequests,
      keepIdentity,
      signal: stop.signal,
      discover: describeSystems,
    });
  } catch (error) {
    if (error instanceof ProbeStopped) throw unreachable(`it showed no service root: ${error.message}`);
    if (error instanceof RedfishError) throw unreachable(`${error.url ?? target.origin}: ${error.message}`);
    throw error;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', interrupt);
  }
}

function unreachable(why: string): CommandFailure {
  return new CommandFailure(EXIT_STATUS.unreachable, `cannot read the BMC: ${inOptions(why)}`);
}

/** Names options in place of the keys of driver_info. */
function inOptions(text: string): string {
  return text.replaceAll(/\bredfish_[a-z_]+/g, (key) => KEYS[key] ?? key);
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    // `mode` is for a new file only.
    if (force && statSync(file, { throwIfNoEntry: false })?.isFile()) await chmod(file, 0o600);
    await writeFile(file, text, { flag: force ? 'w' : 'wx', mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailure(EXIT_STATUS.failed, `the BMC was read, but writing ${file} failed: ${code}`);
  }
}

const HELP = `
Reads only: it sends GET, at most two at once, and logs in and out; nothing is changed, and no running service is needed. The
capture has no passwords, tokens, keys or licences. Serial numbers, UUIDs, addresses and names of hosts and people are replaced;
--keep-identity leaves them. docs/redfish.md describes how to check and send a capture.

Examples:
  passthru probe https://bmc-7.example --username operator                       (prompts for the password)
  passthru probe bmc-7.example --username operator --password @password.txt --verify-ca false -o my-machine.json
  passthru probe bmc-7.example --username operator -f json -o - 2> report.json > my-machine.json
  passthru sim --capture my-machine.json

Exit status: 0 success, 1 not logged in (what strangers may read is written) or no Redfish service, 2 invalid usage, 5 BMC
unreachable.`;
