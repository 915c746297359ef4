import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Returns what is missing to build `packages` of the Go module in `folder`: its toolchain or a module that it imports,
 * which is fetched. Null if nothing is.
 */
export async function unavailablePackages(folder: string, packages: readonly string[]): Promise<string | null> {
  try {
    // With `local`, a Go older than go.mod requires fails instead of fetching a newer one.
    const env = { ...process.env, GOTOOLCHAIN: 'local' };
    await run('go', ['list', '-deps', '-f', '{{.Incomplete}}', ...packages], { cwd: folder, env });
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'Go' : message.trim().split('\n').at(-1)!;
  }
}
