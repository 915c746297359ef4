import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, so that its cost can be told from the load's. */
export interface BenchServer {
  url: string;
  /** Milliseconds from the start of the process to the moment when it listened. */
  readyAfter: number;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface Usage {
  /** Processor time that the process has used, in microseconds. */
  cpu: number;
  /** Resident memory in bytes. */
  rss: number;
}

/** Starts `script` of this folder, which calls `tellParent` when it listens. */
export async function startServer(script: string, environment: Record<string, string> = {}): Promise<BenchServer> {
  const begun = performance.now();
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
  });
  const url = await answer<string>(child);
  return {
    url,
    readyAfter: performance.now() - begun,
    usage() {
      child.send('usage');
      return answer<Usage>(child);
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** In the server's process: tells its address, then its usage whenever it is asked. */
export function tellParent(url: string): void {
  process.send?.(url);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system, rss: process.memoryUsage.rss() } satisfies Usage);
  });
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const exited = once(child, 'exit').then(([status]) => {
    throw new Error(`the server ended with status ${status}`);
  });
  exited.catch(() => {});
  const [message] = (await Promise.race([once(child, 'message'), exited])) as [T];
  return message;
}
