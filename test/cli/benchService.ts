import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Ended, passthru, type Served, serve } from './run.ts';

/** The module with the hardware type `bench`. */
export const BENCH_DRIVER = fileURLToPath(new URL('./benchDriver.ts', import.meta.url));

/** A service with nodes of the hardware type `bench`, for the tests of one file, and the command that talks to it. */
export interface BenchService {
  /** A folder for the tests' files. */
  directory: string;
  /** The environment of a command that uses it. */
  at: { PASSTHRU_SERVER: string };
  /** Runs `passthru ARGS` against it. */
  run(...args: string[]): Promise<Ended>;
  /** As `run`, for a command that must succeed; returns its standard output. */
  output(...args: string[]): Promise<string>;
}

const NODES = [
  { name: 'bench-1', driver: 'bench', uuid: '11111111-1111-4111-8111-111111111111', description: 'first' },
  { name: 'bench-2', driver: 'bench' },
  { name: 'locked-1', driver: 'bench', reservation: 'conductor-b.example' },
];

/** Starts the service before the tests of a file and stops it after them. */
export function useBenchService(): BenchService {
  const directory = mkdtempSync(join(tmpdir(), 'passthru-cli-'));
  const at = { PASSTHRU_SERVER: '' };
  let served: Served | undefined;
  beforeAll(async () => {
    const nodes = join(directory, 'nodes.yaml');
    writeFileSync(nodes, JSON.stringify({ nodes: NODES }));
    served = await serve([], {
      PASSTHRU_NODES_FILE: nodes,
      PASSTHRU_DRIVERS: BENCH_DRIVER,
      PASSTHRU_HOST: 'replica-1',
    });
    at.PASSTHRU_SERVER = served.url;
  });
  afterAll(async () => {
    await served?.stop();
    rmSync(directory, { recursive: true });
  });
  const run = (...args: string[]) => passthru(args, at);
  return {
    directory,
    at,
    run,
    async output(...args) {
      const { status, stdout, stderr } = await run(...args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return stdout;
    },
  };
}
