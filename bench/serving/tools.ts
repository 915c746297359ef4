import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Work } from './work.ts';

/** Pinned: its newest version; `go list -versions` knows only tags of before it had a `v`. */
const GHZ = 'v0.121.0';
const GHZ_FOLDER = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'passthru', 'bench', `ghz-${GHZ}`);

const run = promisify(execFile);

/** The load generators that this machine has, with their versions. */
export type Tools = Partial<Record<Work['tool'], string>>;

/** Finds the load generators; builds ghz if it is missing. Reports each that there is not, and how to get it. */
export async function findTools(): Promise<Tools> {
  const tools: Tools = {};
  // wrk prints its version together with its usage, and fails.
  const wrk = printedBy('wrk', ['-v']);
  if (wrk !== null) tools.wrk = /^wrk \S+/.exec(wrk)?.[0] ?? 'wrk';
  else console.error('wrk is missing (Debian: apt install wrk): its rows are left out');
  const h2load = printedBy('h2load', ['--version']);
  if (h2load !== null) tools.h2load = h2load.trim();
  else console.error('h2load is missing (Debian: apt install nghttp2-client): its rows are left out');
  const ghz = await findGhz();
  if (ghz === null) tools.ghz = `ghz ${GHZ}`;
  else console.error(`ghz is missing (${ghz}): its rows are left out`);
  return tools;
}

/** Runs a load generator to its end, and returns what it printed. */
export async function runTool(tool: Work['tool'], args: string[], seconds: number): Promise<string> {
  const file = tool === 'ghz' ? join(GHZ_FOLDER, 'ghz') : tool;
  const { stdout } = await run(file, args, { timeout: (seconds + 60) * 1000, maxBuffer: 2 ** 28 });
  return stdout;
}

/** Returns why there is no ghz; null when there is. */
async function findGhz(): Promise<string | null> {
  if (existsSync(join(GHZ_FOLDER, 'ghz'))) return null;
  if (printedBy('go', ['version']) === null) return 'it is built by Go, which is missing too: https://go.dev/dl';
  console.error(`building ghz ${GHZ} into ${GHZ_FOLDER}; this takes a minute or two`);
  try {
    const env = { ...process.env, GOBIN: GHZ_FOLDER };
    await run('go', ['install', `github.com/bojand/ghz/cmd/ghz@${GHZ}`], { env });
    return null;
  } catch (error) {
    return `go install failed: ${(error as Error).message}`;
  }
}

function printedBy(file: string, args: string[]): string | null {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    const { code, stdout } = error as { code?: string; stdout?: string };
    return code === 'ENOENT' ? null : (stdout ?? '');
  }
}
