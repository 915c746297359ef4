import { readFileSync } from 'node:fs';

/** The interval of checks, in ms. */
const INTERVAL = 500;

/** A process and its parent. */
interface Link {
  pid: number;
  parent: number;
}

/**
 * Calls `gone` once when npm, or the shell between npm and this process, has ended. npm runs a script by `sh -c`: npm 10.3
 * and newer pass SIGTERM on to that shell alone, which ends and leaves this process behind; older ones pass nothing on until
 * they are killed. Does nothing if npm did not start this process. Does not keep the process alive.
 * @returns a function that stops watching
 */
export function whenNpmIsGone(gone: () => void, environment: NodeJS.ProcessEnv = process.env): () => void {
  // With npm as process 1 of a container, all end with it.
  if (environment.npm_lifecycle_event === undefined || process.ppid === 1) return () => {};
  const links = linksToNpm();
  const timer = setInterval(() => {
    if (links.every(({ pid, parent }) => parentOf(pid) === parent)) return;
    clearInterval(timer);
    gone();
  }, INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}

/** Returns the processes from this one up to npm's child. npm itself may lose its parent, as when a terminal closes. */
function linksToNpm(): Link[] {
  const links: Link[] = [{ pid: process.pid, parent: process.ppid }];
  for (let { parent: pid } = links[0]!; pid > 1 && isStartedByNpm(pid); ) {
    const parent = parentOf(pid);
    if (parent === null) break;
    links.push({ pid, parent });
    pid = parent;
  }
  return links;
}

/** Returns the current parent of `pid`; null when it cannot be found out, as outside Linux, or the process has ended. */
function parentOf(pid: number): number | null {
  if (pid === process.pid) return process.ppid;
  try {
    const [, parent] = /^.*\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return parent === undefined ? null : Number(parent);
  } catch {
    return null;
  }
}

function isStartedByNpm(pid: number): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes('\0npm_lifecycle_event=');
  } catch {
    return false;
  }
}
