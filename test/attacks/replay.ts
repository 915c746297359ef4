// Replays the findings that show from outside against another commit, by its command, its files and its ports:
//
//     npx node test/attacks/replay.ts --at 5d5cbde [FINDING ...]
//
// The commit is copied to a temporary folder and gets the packages of its own lock file. `--in FOLDER` is a checkout that
// has its packages already; without either it is this one.
// Run by hand; README.md has the result.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { REPRODUCTIONS } from './reproductions.ts';
import { World } from './world.ts';

const HERE = fileURLToPath(new URL('../../', import.meta.url));
const { values, positionals } = parseArgs({
  options: { at: { type: 'string' }, in: { type: 'string' } },
  allowPositionals: true,
});

const folder = mkdtempSync(join(tmpdir(), 'passthru-replay-'));
const checkout = values.at === undefined ? resolve(values.in ?? HERE) : join(folder, 'checkout');
try {
  if (values.at !== undefined) {
    // Not a work tree of git, which would stay registered when this is interrupted.
    mkdirSync(checkout);
    const archive = execFileSync('git', ['-C', HERE, 'archive', values.at], { maxBuffer: Infinity });
    execFileSync('tar', ['-x', '-C', checkout], { input: archive });
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: checkout, stdio: 'ignore' });
  }
  for (const [finding, reproduce] of Object.entries(REPRODUCTIONS)) {
    if (positionals.length > 0 && !positionals.includes(finding)) continue;
    const world = new World(checkout, mkdtempSync(join(folder, 'finding-')));
    const seen = await reproduce(world).catch((error: Error) => `not tried: ${error.message}`);
    await world.end();
    console.log(`${finding.padStart(2)}  ${seen === null ? 'held' : seen.replaceAll(/\s+/g, ' ').slice(0, 200)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
