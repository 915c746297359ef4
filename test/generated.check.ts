import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Generates from proto/ into a temporary folder and compares with gen/.
 * Returns one line for each file that differs, is missing or is left over; empty when gen/ is fresh.
 */
export function findStaleFiles(): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-gen-'));
  try {
    const bin = join(ROOT, 'node_modules', '.bin');
    execFileSync(process.execPath, [join(ROOT, 'node_modules/@bufbuild/buf/bin/buf'), 'generate', '--output', folder], {
      cwd: ROOT,
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
      stdio: 'pipe',
    });
    const fresh = readTree(join(folder, 'gen'));
    const committed = readTree(join(ROOT, 'gen'));
    return [...new Set([...fresh.keys(), ...committed.keys()])].sort().flatMap((name) => {
      if (!committed.has(name)) return [`missing: gen/${name}`];
      if (!fresh.has(name)) return [`left over: gen/${name}`];
      return fresh.get(name) === committed.get(name) ? [] : [`stale: gen/${name}`];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readTree(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), readFileSync(path, 'utf8'));
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = findStaleFiles();
  if (stale.length > 0) {
    console.error(`${stale.join('\n')}\nRun npm run generate and commit gen/.`);
    process.exitCode = 1;
  }
}
