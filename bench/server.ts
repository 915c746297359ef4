import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A server in its own process, so that its cost is measured separately from that of the load. */
export interface BenchServer {
  url: string;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface Usage {
  /** Processor time used by the process, in µs. */
  cpu: number;
  /** Resident and live memory (including buffers) in bytes, after a garbage collection if the process exposes one. */
  rss: number;
  live: number;
  /** Open files, sockets included, and timers that keep the process alive. */
  files: number;
  timers: number;
}

/** Starts `script` of this folder, which calls `reportReady` when it listens. */
export async function startServer(script: string, environment: Record<string, string> = {}): Promise<BenchServer> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
  });
  const url = await nextMessage<string>(child);
  return {
    url,
    usage: () => usageOf(child),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Queries the usage of a server that calls `serveUsage`. */
export function usageOf(child: ChildProcess): Promise<Usage> {
  child.send('usage');
  return nextMessage<Usage>(child);
}

/** Queries the memory of such a server as it is: nothing is collected. */
export function memoryOf(child: ChildProcess): Promise<NodeJS.MemoryUsage> {
  child.send('memory');
  return nextMessage<NodeJS.MemoryUsage>(child);
}

/** In the server's process: reports its URL, then serves its usage. */
export function reportReady(url: string): void {
  process.send?.(url);
  serveUsage();
}

/** In the server's process: responds to each message with its usage. */
export function serveUsage(): void {
  process.on('message', (question) => {
    if (question === 'memory') {
      process.send?.(process.memoryUsage());
      return;
    }
    const { user, system } = process.cpuUsage();
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    const { rss, heapUsed, external } = process.memoryUsage();
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    process.send?.({ cpu: user + system, rss, live: heapUsed + external, files: openFiles(), timers } satisfies Usage);
  });
}

/** Returns the number of open files of this process; 0 where it cannot be found out (outside Linux). */
function openFiles(): number {
  try {
    // One is the listing's own.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return 0;
  }
}

async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const exit = (status: number) => ended.abort(new Error(`the server ended with status ${status}`));
  child.once('exit', exit);
  const [message] = (await once(child, 'message', { signal: ended.signal })) as [T];
  child.off('exit', exit);
  return message;
}
