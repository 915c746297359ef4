import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, so that its cost can be told from the load's. */
export interface BenchServer {
  url: string;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface Usage {
  /** Processor time that the process has used, in microseconds. */
  cpu: number;
  /** What it holds of memory, and what of that is live (with buffers), in bytes; after a garbage collection where it can. */
  rss: number;
  live: number;
}

/** Starts `script` of this folder, which calls `tellParent` when it listens. */
export async function startServer(script: string, environment: Record<string, string> = {}): Promise<BenchServer> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
  });
  const url = await answer<string>(child);
  return {
    url,
    usage: () => usageOf(child),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Asks a server that was started with `tellUsage` in it. */
export function usageOf(child: ChildProcess): Promise<Usage> {
  child.send('usage');
  return answer<Usage>(child);
}

/** In the server's process: tells its address, then its usage whenever it is asked. */
export function tellParent(url: string): void {
  process.send?.(url);
  tellUsage();
}

/** In the server's process: tells its usage whenever it is asked. */
export function tellUsage(): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send?.({ cpu: user + system, rss, live: heapUsed + external } satisfies Usage);
  });
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const exit = (status: number) => ended.abort(new Error(`the server ended with status ${status}`));
  child.once('exit', exit);
  const [message] = (await once(child, 'message', { signal: ended.signal })) as [T];
  child.off('exit', exit);
  return message;
}
