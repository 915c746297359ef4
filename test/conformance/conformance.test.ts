import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { needs } from '../needs.ts';
import { conformanceSuite } from './suite.ts';

const run = promisify(execFile);
const CONFIGURATION = fileURLToPath(new URL('./conformance.yaml', import.meta.url));
const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));
const LIMIT_MS = 5 * 60_000;

const suite = await conformanceSuite();

describe("Connect's conformance suite", needs('missing' in suite ? suite.missing : null), () => {
  test.each(['early', 'late'])(
    'finds no fault in the listener when callers are authenticated %s',
    async (identity) => {
      if ('missing' in suite) return;
      // Two servers at once are a third faster, but do not start in time on a busy machine.
      const words = ['--mode', 'server', '--conf', CONFIGURATION, '--max-servers', '1', '--'];
      const server = [process.execPath, SERVER, suite.descriptors, identity];
      const { stdout } = await run(suite.program, [...words, ...server], { timeout: LIMIT_MS, maxBuffer: 1e8 });
      const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(stdout) ?? [];
      expect(Number(failed)).toBe(0);
      // As many as the configuration selects: fewer would mean that it is not read.
      expect(Number(passed)).toBeGreaterThan(3000);
    },
    LIMIT_MS,
  );
});
