import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REQUIREMENTS = new URL('./requirements.txt', import.meta.url).pathname;
const INSTALL_MS = 5 * 60_000;

/** A Python environment with the packages of a list of requirements, or what is missing to create it. */
export type PythonEnvironment = { folder: string; python: string } | { missing: string };

/**
 * Returns the environment. It is created on first use and kept under `node_modules/.cache` until the requirements
 * change. Test files that need it at the same time wait for the one that creates it.
 */
export async function pythonEnvironment(requirements = REQUIREMENTS): Promise<PythonEnvironment> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = new URL(`../../node_modules/.cache/python-${version}`, import.meta.url).pathname;
  const environment = { folder, python: join(folder, 'bin', 'python') };
  const ready = join(folder, 'ready');
  const lock = `${folder}.lock`;
  mkdirSync(join(folder, '..'), { recursive: true });
  const end = performance.now() + INSTALL_MS;
  while (!existsSync(ready)) {
    if (take(lock)) {
      try {
        if (!existsSync(ready)) await install(folder, requirements, ready);
      } catch (error) {
        return { missing: reason(error) };
      } finally {
        rmSync(lock);
      }
    } else {
      if (performance.now() > end) return { missing: `an environment that is not locked; remove ${lock}` };
      await sleep(200);
    }
  }
  return environment;
}

async function install(folder: string, requirements: string, ready: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const options = { timeout: INSTALL_MS };
  await run('python3', ['-m', 'venv', folder], options);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1', '--timeout', '15'];
  await run(join(folder, 'bin', 'python'), [...pip, '-r', requirements], options);
  writeFileSync(ready, '');
}

/** Tries to take the lock for the installation. Removes a lock whose process has died. */
function take(lock: string): boolean {
  try {
    const file = openSync(lock, 'wx');
    writeFileSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch {
    if (isStale(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isStale(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    if (pid === 0) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'python3';
  return `Python packages, which pip cannot install: ${message.trim().split('\n').at(-1)}`;
}
