import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BenchServer, memoryOf, type Usage, usageOf } from './server.ts';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const PACKAGE = new URL('../package.json', import.meta.url);
const PROBE = new URL('./usageProbe.ts', import.meta.url).href;

/** A `passthru serve` in its own process. */
export interface BenchReplica extends BenchServer {
  pid: number;
  memory(): Promise<NodeJS.MemoryUsage>;
}

/** Returns the environment and the options of Node with which `npm start` runs the service. */
function startSettings(): { environment: Record<string, string>; options: string[] } {
  const { start } = JSON.parse(readFileSync(PACKAGE, 'utf8')).scripts as { start: string };
  const match = /^((?:\w+=\S+ )*)exec node ((?:--\S+ )*)src\/main\.js serve$/.exec(start);
  if (match === null) throw new Error(`the script "start" is not understood: ${start}`);
  const words = (text: string) => text.split(' ').filter((word) => word !== '');
  const environment = Object.fromEntries(words(match[1]!).map((word) => word.split('=', 2)));
  return { environment, options: words(match[2]!) };
}

/**
 * Starts `passthru serve` on any free port as `npm start` would, with the usage probe preloaded.
 * @param log the file descriptor of its log; standard error by default
 */
export async function startReplica(
  environment: Record<string, string>,
  log: number | 'inherit' = 'inherit',
): Promise<BenchReplica> {
  const start = startSettings();
  const child = spawn(process.execPath, [...start.options, '--expose-gc', '--import', PROBE, MAIN, 'serve'], {
    stdio: ['ignore', 'pipe', log, 'ipc'],
    env: {
      ...process.env,
      ...start.environment,
      PASSTHRU_LISTEN: '127.0.0.1:0',
      PASSTHRU_LOG_LEVEL: 'error',
      PASSTHRU_AUDIT_LOG: 'off',
      ...environment,
    },
  });
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk;
    child.emit('printed');
  });
  let url: string | undefined;
  while (url === undefined) {
    const exit = once(child, 'exit').then(([status]) => Promise.reject(new Error(`serve ended with ${status}`)));
    await Promise.race([once(child, 'printed'), exit]);
    url = /^listening on (http:\/\/\S+)$/m.exec(printed)?.[1];
  }
  return {
    url,
    pid: child.pid!,
    usage: (): Promise<Usage> => usageOf(child),
    memory: () => memoryOf(child),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
