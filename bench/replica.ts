import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type BenchServer, memoryOf, type Usage, usageOf } from './server.ts';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const PROBE = new URL('./usageProbe.ts', import.meta.url).href;

/** A `passthru serve` in its own process. */
export interface BenchReplica extends BenchServer {
  pid: number;
  memory(): Promise<NodeJS.MemoryUsage>;
}

/**
 * Starts `passthru serve` on any free port as a user would, with the usage probe preloaded.
 * @param log the file descriptor of its log; standard error by default
 */
export async function startReplica(
  environment: Record<string, string>,
  log: number | 'inherit' = 'inherit',
): Promise<BenchReplica> {
  const child = spawn(process.execPath, ['--expose-gc', '--import', PROBE, MAIN, 'serve'], {
    stdio: ['ignore', 'pipe', log, 'ipc'],
    env: {
      ...process.env,
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
