import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the console before the tests unless it is as new as its sources, so that no test checks an old one. */
export function setup(): void {
  const page = join(ROOT, 'web/dist/index.html');
  const sources = ['web/src', 'web/public', 'gen'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(ROOT, folder, file)),
  );
  sources.push(join(ROOT, 'web/index.html'), join(ROOT, 'web/build.js'));
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(page) && statSync(page).mtimeMs > newest) return;
  // Where its packages are missing, the tests of the console say so; the others need none.
  execFileSync(process.execPath, ['web/build.js', '--if-possible'], { cwd: ROOT, stdio: 'inherit' });
}
