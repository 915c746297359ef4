import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../cli/run.ts';

const DRIVER = fileURLToPath(new URL('../cli/benchDriver.ts', import.meta.url));

/** A launcher with the service below it, in a process group of their own, as a terminal or a supervisor starts them. */
export interface Launched {
  /** The process id of the launcher, which is the id of the group too. */
  pid: number;
  url: string;
  /** Resolves with the status of the launcher, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>;
  /** Resolves when the last process that holds the output has ended, so that nothing is left. */
  allEnded: Promise<unknown>;
  output(): string;
}

const groups = new Set<number>();
/** Kills what is left of all launched processes. */
export function endLaunched(): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nothing is left of it.
    }
  }
  groups.clear();
}

/** Starts the service by `command` in the folder `cwd` and waits until it is ready. */
export async function launch(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  cwd: string = ROOT,
): Promise<Launched> {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...plainEnvironment(),
      PASSTHRU_LISTEN: '127.0.0.1:0',
      PASSTHRU_STORE: 'sqlite::memory:',
      PASSTHRU_DRIVERS: DRIVER,
      ...environment,
    },
  });
  groups.add(child.pid!);
  let output = '';
  const ready = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const [, url] = /^listening on (\S+)$/m.exec(output) ?? [];
      if (url !== undefined) ready.resolve(url);
    });
  }
  const exited = once(child, 'exit').then(([status, signal]) => status ?? signal);
  const allEnded = once(child, 'close');
  allEnded.then(() => ready.reject(new Error(`ended early: ${output}`)));
  return { pid: child.pid!, url: await ready.promise, exited, allEnded, output: () => output };
}

/** Returns the environment without what npm and the tests' own service set. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PASSTHRU_|npm_)/.test(name)));
}
