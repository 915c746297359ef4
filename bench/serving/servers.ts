import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SERVER_CORE } from './machine.ts';

/** The program of this checkout. */
export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
/** Ends a server when the benchmark ends, however it does. JavaScript, as a file in TypeScript would load Node's compiler: 12 MB and 0.1 s. */
const END_WITH_PARENT = `data:text/javascript,${encodeURIComponent(
  "process.once('disconnect', () => process.kill(process.pid, 'SIGKILL')); process.channel?.unref();",
)}`;

/** A server under load, on the core that is its own. */
export interface Server {
  url: string;
  /** Its processes, whose processor time counts. */
  pids: number[];
  stop(): Promise<void>;
}

/**
 * Starts `passthru serve` with its defaults: audit on, log level info. The log is dropped.
 * @param options of Node
 * @param main its program; by default that of this checkout
 */
export function startService(
  environment: Record<string, string>,
  options: string[] = [],
  main: string = MAIN,
): Promise<Server> {
  return startPinned([...options, main, 'serve'], { PASSTHRU_LISTEN: '127.0.0.1:0', ...environment }, 'dropped');
}

/** Starts one of `parties/`, which prints `listening on URL`. */
export function startParty(script: string, environment: Record<string, string>): Promise<Server> {
  return startPinned([fileURLToPath(new URL(`parties/${script}`, import.meta.url))], environment, 'shown');
}

/** Pins a server that runs already. */
export function adoptServer(url: string, pids: number[]): Server {
  for (const pid of pids) execFileSync('taskset', ['-acp', String(SERVER_CORE), String(pid)]);
  return { url, pids, stop: () => Promise.resolve() };
}

async function startPinned(
  args: string[],
  environment: Record<string, string>,
  log: 'dropped' | 'shown',
): Promise<Server> {
  const child = spawn('taskset', ['-c', String(SERVER_CORE), process.execPath, '--import', END_WITH_PARENT, ...args], {
    stdio: ['ignore', 'pipe', log === 'shown' ? 'inherit' : openSync('/dev/null', 'w'), 'ipc'],
    env: { ...process.env, ...environment },
  });
  const url = await listeningUrl(child);
  return {
    url,
    pids: [child.pid!],
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  let printed = '';
  const url = Promise.withResolvers<string>();
  child.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk;
    const found = /^listening on (http:\/\/\S+)$/m.exec(printed)?.[1];
    if (found !== undefined) url.resolve(found);
  });
  child.once('exit', (status) => url.reject(new Error(`the server ended with status ${status}: ${printed}`)));
  return await url.promise;
}
