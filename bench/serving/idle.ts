import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { residentMemory } from './machine.ts';
import { startService } from './servers.ts';

/** What a service without load takes. */
export interface Idle {
  /** Milliseconds from the start of the process until it listens. */
  ready: number;
  /** Resident memory in bytes, two seconds later. */
  memory: number;
}

/** Measures `passthru serve` without nodes. */
export async function measureIdle(folder: string, starts: number): Promise<Idle> {
  const all: Idle[] = [];
  // The first start fills the cache of compiled modules.
  for (let start = 0; start <= starts; start++) {
    const begun = performance.now();
    const server = await startService({ PASSTHRU_STORE: `sqlite:${join(folder, 'idle.db')}` });
    const ready = performance.now() - begun;
    await delay(2000);
    if (start > 0) all.push({ ready, memory: residentMemory(server.pids[0]!) });
    await server.stop();
  }
  const middle = (key: keyof Idle) => all.map((idle) => idle[key]).toSorted((a, b) => a - b)[all.length >> 1]!;
  return { ready: middle('ready'), memory: middle('memory') };
}
