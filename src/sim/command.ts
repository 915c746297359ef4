import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { PassthruError } from '../core/errors.ts';
import type { Profile, Quirk } from './bmc.ts';
import { ROOT } from './bmc.ts';
import { loadCapture } from './capture.ts';
import type { Control } from './control.ts';
import { startControl } from './control.ts';
import { linkPath, memberPaths } from './documents.ts';
import { sendEvents } from './events/flow.ts';
import { MAX_DELAY } from './faults.ts';
import type { Fleet } from './fleet.ts';
import { startFleet } from './fleet.ts';
import { startPlayback } from './playback/playback.ts';
import { describeReplay } from './playback/repeatCall.ts';
import { loadTranscript } from './playback/transcriptFile.ts';
import { PROFILES } from './profiles/named.ts';
import { excluding } from './quirks/exclusive.ts';
import { QUIRKS } from './quirks/named.ts';

interface SimOptions {
  count: number;
  host: string;
  port: number;
  profile: string;
  capture?: string;
  transcript?: string;
  quirk: string[];
  bootTime: number;
  eventRate?: number;
  eventRetryInterval?: number;
  username: string;
  password: string;
  auth: boolean;
  latency: number;
  maxSessions: number;
  sessionTimeout: number;
  tlsKey?: string;
  tlsCert?: string;
  controlPort?: number;
  listProfiles?: boolean;
  listQuirks?: boolean;
}

const EXAMPLES = `
Examples:
  passthru sim                                     one BMC at http://127.0.0.1:8000, user u, password p
  passthru sim --count 1000 --latency 300          a thousand BMCs, each response after 300 ms
  passthru sim --capture ilo5.json                 one BMC with the captured documents of a real one
  passthru sim --transcript transcript.json        the BMC of a recorded call, to repeat that call
  passthru sim --profile xcc --quirk tasks         a Lenovo BMC that performs each change as a task
  passthru sim --count 200 --event-rate 1000       two hundred BMCs that send a thousand events a second in all
  passthru sim --control-port 7999                 with the control API, to make the next request to BMC 1 fail:
    curl -d '{"kind": "status", "status": 503, "times": 1}' http://127.0.0.1:7999/bmcs/1/faults

Ctrl-C stops the BMCs and discards all changes.`;

/**
 * Returns the subcommand `sim`: simulated BMCs, to try out passthru and to test its clients.
 * @param visible escapes what a terminal obeys: a transcript may come from anybody
 */
export function simCommand(visible: (text: string) => string): Command {
  const command = new Command('sim')
    .description('Run simulated BMCs that speak Redfish, one port each')
    .addOption(numberOption('--count <n>', 'number of BMCs', 1, 1, 65_535))
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .addOption(
      numberOption(
        '--port <port>',
        'port of the first BMC, followed by the others; 0: any free ports',
        8000,
        0,
        65_535,
      ),
    )
    .addOption(new Option('--profile <name>', 'kind of BMC').choices([...PROFILES.keys()]).default('plain'))
    .addOption(new Option('--capture <file>', 'serve a capture: a JSON file of documents by path').conflicts('profile'))
    .addOption(
      new Option('--transcript <file>', 'play back the transcript of a call (passthru job transcript ID)').conflicts([
        'profile',
        'capture',
        'quirk',
        'username',
        'password',
        'auth',
        'latency',
        'maxSessions',
        'sessionTimeout',
        'bootTime',
        'eventRate',
        'eventRetryInterval',
        'controlPort',
      ]),
    )
    .addOption(
      new Option('--quirk <name>', 'deviation besides those of the profile; may be repeated')
        .argParser(addQuirk)
        .default([], 'none'),
    )
    .option('--username <name>', 'name of the only account', 'u')
    .option('--password <password>', 'password of the account; not a real one, please', 'p')
    .option('--no-auth', 'require no credentials')
    .addOption(numberOption('--latency <ms>', 'milliseconds that every response takes', 0, 0, MAX_DELAY))
    .addOption(
      numberOption(
        '--max-sessions <n>',
        'maximum number of sessions of a BMC; then a log-in gets 503',
        16,
        0,
        1_000_000,
      ),
    )
    .addOption(numberOption('--session-timeout <s>', 'seconds after which an unused session ends', 1800, 1, 86_400))
    .addOption(
      numberOption(
        '--boot-time <ms>',
        'milliseconds of a restart, during which connections are refused',
        0,
        0,
        MAX_DELAY,
      ),
    )
    .addOption(
      numberOption(
        '--event-rate <n>',
        'events that all BMCs together send in a second, from the start',
        undefined,
        1,
        100_000,
      ),
    )
    .addOption(
      numberOption(
        '--event-retry-interval <ms>',
        'milliseconds until a failed event is sent again; by default as the event service says',
        undefined,
        0,
        MAX_DELAY,
      ),
    )
    .option('--tls-key <file>', 'private key (PEM) to serve HTTPS; with --tls-cert')
    .option('--tls-cert <file>', 'certificate (PEM) to serve HTTPS; with --tls-key')
    .addOption(
      numberOption('--control-port <port>', 'port of the control API, which sets faults and latency; 0: any free port'),
    )
    .option('--list-profiles', 'list the profiles and exit')
    .option('--list-quirks', 'list the quirks with the profiles that have them, and exit')
    .addHelpText('after', EXAMPLES);
  return command.action(async (options: SimOptions) => {
    if (options.listProfiles) return listProfiles();
    if (options.listQuirks) return listQuirks();
    try {
      if (options.transcript === undefined) await run(options);
      else await playBack(options, options.transcript, visible);
    } catch (error) {
      command.error(`error: ${visible(reason(error))}`);
    }
  });
}

async function run(options: SimOptions): Promise<void> {
  const profile = options.capture === undefined ? PROFILES.get(options.profile) : await loadCapture(options.capture);
  const quirks = options.quirk.flatMap((name) => QUIRKS.get(name) ?? []);
  const tls = await readTls(options);
  const secure = [...(profile?.quirks ?? []), ...quirks].find((quirk) => quirk.tls);
  if (secure && !tls) {
    throw new PassthruError('invalid_argument', `--quirk ${secure.name} requires --tls-key and --tls-cert`);
  }
  checkExcluding(profile, quirks);
  const fleet = await startFleet({
    count: options.count,
    host: options.host,
    basePort: options.port,
    profile,
    quirks,
    accounts: { [options.username]: options.password },
    ...(options.auth ? {} : { auth: 'none' }),
    latency: options.latency,
    maxSessions: options.maxSessions,
    sessionTimeout: options.sessionTimeout * 1000,
    bootTime: options.bootTime,
    ...(options.eventRetryInterval === undefined ? {} : { eventRetryInterval: options.eventRetryInterval }),
    tls,
    keepRequests: 100,
  });
  const ending = new AbortController();
  let control: Control | undefined;
  try {
    if (options.controlPort !== undefined) control = await startControl(fleet, options.host, options.controlPort);
    for (const [index, bmc] of fleet.bmcs.entries()) console.log(`bmc ${index + 1} listening on ${bmc.url}`);
    if (control) console.log(`control API on ${control.url}/bmcs`);
    if (profile) console.log(enrolCommand(fleet, profile, options));
    if (options.eventRate !== undefined) void sendEvents(fleet.bmcs, { rate: options.eventRate }, ending.signal);
    await stopSignal();
  } finally {
    ending.abort();
    await Promise.all([control?.close(), fleet.close()]);
  }
}

function checkExcluding(profile: Profile | undefined, quirks: readonly Quirk[]): void {
  const found = excluding([...quirks, ...(profile?.quirks ?? [])]);
  if (found === null) return;
  const [first, second] = found.map((quirk) =>
    quirks.includes(quirk) ? `--quirk ${quirk.name}` : `${quirk.name} of the profile`,
  );
  throw new PassthruError('invalid_argument', `${first} and ${second} exclude each other; choose one`);
}

async function playBack(options: SimOptions, file: string, visible: (text: string) => string): Promise<void> {
  const { count, host, port: basePort } = options;
  const transcript = await loadTranscript(file);
  const tls = await readTls(options);
  const playback = await startPlayback({ transcript, count, host, basePort, tls });
  // A BMC that could not be connected to does not listen, and a signal keeps no process alive.
  const alive = setInterval(() => {}, MAX_DELAY);
  try {
    for (const [index, url] of playback.urls.entries()) console.log(`bmc ${index + 1} listening on ${url}`);
    console.log(visible(describeReplay(transcript, playback.urls[0]!, tls !== undefined)));
    await stopSignal();
  } finally {
    clearInterval(alive);
    await playback.close();
  }
}

function listProfiles(): void {
  printTable([...PROFILES.values()].map(({ name, description }) => [name, description]));
}

function listQuirks(): void {
  const rows = [...QUIRKS.values()].map((quirk): [string, string] => {
    const profiles = [...PROFILES.values()].filter((profile) => profile.quirks?.includes(quirk));
    const names = profiles.length === 0 ? '' : ` [${profiles.map(({ name }) => name).join(', ')}]`;
    return [quirk.name, `${quirk.description}${names}`];
  });
  printTable(rows);
}

function printTable(rows: [name: string, description: string][]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, description] of rows) console.log(`${name.padEnd(width)}  ${description}`);
}

function addQuirk(name: string, before: string[]): string[] {
  if (!QUIRKS.has(name)) throw new InvalidArgumentError('See --list-quirks.');
  return [...before, name];
}

function enrolCommand(fleet: Fleet, profile: Profile, options: SimOptions): string {
  const [system] = memberPaths(profile.documents.get(linkPath(profile.documents.get(ROOT)?.Systems) ?? ''));
  const info = [
    `redfish_address=${fleet.bmcs[0]?.url}`,
    ...(system === undefined ? [] : [`redfish_system_id=${system}`]),
    // Only the default password is printed.
    ...(options.auth
      ? [`redfish_username=${options.username}`, `redfish_password=${options.password === 'p' ? 'p' : 'PASSWORD'}`]
      : []),
    ...(options.tlsCert === undefined ? [] : ['redfish_verify_ca=false']),
  ];
  const lines = ['passthru node create --driver redfish --name bmc-1', ...info.map((item) => `--driver-info ${item}`)];
  return `\nTo enrol the first:\n  ${lines.join(' \\\n    ')}`;
}

async function readTls(options: SimOptions): Promise<{ key: Buffer; cert: Buffer } | undefined> {
  const { tlsKey, tlsCert } = options;
  if (tlsKey === undefined && tlsCert === undefined) return undefined;
  if (tlsKey === undefined || tlsCert === undefined) {
    throw new PassthruError('invalid_argument', '--tls-key and --tls-cert require each other');
  }
  const [key, cert] = await Promise.all([readFile(tlsKey), readFile(tlsCert)]);
  return { key, cert };
}

/** Resolves at SIGINT (Ctrl-C) or SIGTERM. */
async function stopSignal(): Promise<void> {
  const received = new AbortController();
  const { signal } = received;
  await Promise.race([once(process, 'SIGINT', { signal }), once(process, 'SIGTERM', { signal })]);
  received.abort();
}

function numberOption(flags: string, description: string, byDefault?: number, min = 0, max = 65_535): Option {
  const option = new Option(flags, description).argParser((text: string) => {
    const number = Number(text);
    if (text.trim() === '' || !Number.isInteger(number) || number < min || number > max) {
      throw new InvalidArgumentError(`Use a whole number from ${min} to ${max}.`);
    }
    return number;
  });
  return byDefault === undefined ? option : option.default(byDefault);
}

/** Returns the reason of a failed start. */
function reason(error: unknown): string {
  const { code, address, port, message } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE') return `port ${port} on ${address} is in use; choose another`;
  return message;
}
