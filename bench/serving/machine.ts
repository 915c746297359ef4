import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';

/** The core of the measured server; all else runs on the others. */
export const SERVER_CORE = 0;

/** The other cores, as taskset takes them. */
export const LOAD_CORES = `1-${cpus().length - 1}`;

const TICKS = process.platform === 'linux' ? Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) : 100;

/** Processor time, in seconds since a start that does not matter. */
export interface CpuTimes {
  /** That of the server: user and system, of all its threads. */
  server: number;
  /** All that the server's core did, for whomever; time that the hypervisor took included. */
  core: number;
  /** When it was read, by the monotonic clock. */
  at: number;
}

/** Reads the times of the server with the processes `pids`. */
export function readCpu(pids: readonly number[]): CpuTimes {
  let server = 0;
  for (const pid of pids) {
    // After the name, which is in parentheses and may contain spaces: utime and stime are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    server += (Number(fields[11]) + Number(fields[12])) / TICKS;
  }
  const line = readFileSync('/proc/stat', 'utf8').match(new RegExp(`^cpu${SERVER_CORE} (.*)$`, 'm'))?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').map(Number);
  return { server, core: (user + nice + system + irq + softirq + steal) / TICKS, at: performance.now() / 1000 };
}

/** Returns the resident memory of a process in bytes. */
export function residentMemory(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** Describes the machine in one line. */
export function describeMachine(): string {
  const memory = Number(/MemTotal:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 2 ** 20;
  return `${cpus().length} cores of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}, ${memory.toFixed(0)} GiB, Linux ${release()}`;
}

/** Returns the load of the machine, as `uptime` shows it. */
export function describeLoad(): string {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(' ');
}

/** Moves this process, and with it what it will start, off the server's core. Returns why it cannot; null when done. */
export function leaveServerCore(): string | null {
  if (process.platform !== 'linux') return 'the benchmark reads /proc and pins processes by taskset: it needs Linux';
  if (cpus().length < 2) return 'the benchmark needs two cores: one for the server and one for the load';
  try {
    execFileSync('taskset', ['-acp', LOAD_CORES, String(process.pid)]);
    return null;
  } catch (error) {
    return `taskset (Debian: util-linux) cannot pin this process: ${(error as Error).message}`;
  }
}
