import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** A running emulator of sushy-tools: a third-party BMC with Basic authentication and no sessions. */
export interface SushyEmulator {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** The received requests, as `POST /redfish/v1/…`, with the status of each response. */
  requests: { line: string; status: number }[];
  close(): Promise<void>;
}

/** Starts the emulator with its fake driver, for one account. Rejects if it exits before it listens. */
export async function startSushyEmulator(python: string, user: string, password: string): Promise<SushyEmulator> {
  const folder = mkdtempSync(join(tmpdir(), 'sushy-emulator-'));
  const file = (name: string) => join(folder, name);
  const hash = 'import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(4)).decode())';
  const { stdout } = await promisify(execFile)(python, ['-c', hash, password]);
  writeFileSync(file('htpasswd'), `${user}:${stdout.trim()}\n`);
  const config = {
    SUSHY_EMULATOR_LISTEN_IP: '127.0.0.1',
    SUSHY_EMULATOR_LISTEN_PORT: 0,
    SUSHY_EMULATOR_AUTH_FILE: file('htpasswd'),
    SUSHY_EMULATOR_STATE_DIR: folder,
  };
  writeFileSync(
    file('emulator.conf'),
    Object.entries(config)
      .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
      .join(''),
  );
  const args = ['-m', 'sushy_tools.emulator.main', '--fake', '--config', file('emulator.conf')];
  // It downloads images into TMPDIR.
  const child = spawn(python, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TMPDIR: folder } });
  const requests: SushyEmulator['requests'] = [];
  const logged: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on('line', (text) => {
      logged.push(text);
      const [, listening] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(text) ?? [];
      if (listening) resolve(listening);
      const [, line, status] = /"([A-Z]+ \S+) HTTP\/1\.[01]" (\d+)/.exec(text.replace(COLOUR, '')) ?? [];
      if (line) requests.push({ line, status: Number(status) });
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`sushy-emulator ended:\n${logged.join('\n')}`)));
  });
  return {
    url,
    requests,
    async close() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}

/** The colours in Werkzeug's log of failed requests. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches the escape character
const COLOUR = /\u001b\[[\d;]*m/g;
