import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { residentMemory } from './machine.ts';
import { MAIN, startService } from './servers.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What a service without load takes. */
export interface Idle {
  /** Milliseconds from the start of the process until it listens. */
  ready: number;
  /** Resident memory in bytes, two seconds later. */
  memory: number;
}

/** The checkout, which Node loads from some 1,000 files, and the package, which is a bundle. */
export type Idles = Record<'checkout' | 'package', Idle>;

/** Measures `passthru serve` without nodes, with the settings of `npm start`. */
export async function measureIdle(folder: string, starts: number): Promise<Idles> {
  const built = join(folder, 'dist', 'src');
  const rolldown = join(ROOT, 'node_modules', 'rolldown', 'bin', 'cli.mjs');
  execFileSync(process.execPath, [rolldown, '--config', '--dir', built], { cwd: ROOT, stdio: 'ignore' });
  // Without it Node finds out by reading each file twice that they are modules.
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  return {
    checkout: await measure(folder, MAIN, starts),
    package: await measure(folder, join(built, 'main.js'), starts),
  };
}

async function measure(folder: string, main: string, starts: number): Promise<Idle> {
  const environment = {
    PASSTHRU_STORE: `sqlite:${join(folder, 'idle.db')}`,
    XDG_CACHE_HOME: folder,
    MALLOC_ARENA_MAX: '1',
    MALLOC_TRIM_THRESHOLD_: '131072',
  };
  const all: Idle[] = [];
  // The first start fills the cache of compiled modules.
  for (let start = 0; start <= starts; start++) {
    const begun = performance.now();
    const server = await startService(environment, ['--max-semi-space-size=16'], main);
    const ready = performance.now() - begun;
    await delay(2000);
    if (start > 0) all.push({ ready, memory: residentMemory(server.pids[0]!) });
    await server.stop();
  }
  const middle = (key: keyof Idle) => all.map((idle) => idle[key]).toSorted((a, b) => a - b)[all.length >> 1]!;
  return { ready: middle('ready'), memory: middle('memory') };
}
