import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** The outcome of a command. */
export interface Ended {
  /** Null when a signal ended it. */
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A running command. */
export interface Command {
  process: ChildProcess;
  ended: Promise<Ended>;
  /** Returns its standard output so far. */
  bytes(): Buffer;
  /** Resolves with the match when `pattern` is on standard output or error; rejects when the command ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Returns the environment without variables of the service and the client. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PASSTHRU_')));
}

/** Starts `program` with `args`, in the folder `cwd`. */
export function start(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  cwd = ROOT,
): Command {
  const child = spawn(program, args, {
    cwd,
    env: { ...cleanEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const text = (name: 'stdout' | 'stderr') => Buffer.concat(chunks[name]).toString();
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      chunks[name].push(chunk);
      for (const look of waiting) look();
    });
  }
  const ended = once(child, 'close').then(([status]) => {
    return { status, stdout: text('stdout'), stderr: text('stderr') };
  });
  return {
    process: child,
    ended,
    bytes: () => Buffer.concat(chunks.stdout),
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(text('stdout')) ?? pattern.exec(text('stderr'));
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        ended.then(() => reject(new Error(`ended without printing ${pattern}:\n${text('stdout')}${text('stderr')}`)));
        look();
      }),
  };
}

/** Starts `passthru ARGS`. */
export function startPassthru(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Command {
  // Without the contexts of the person who runs the tests.
  return start(process.execPath, [MAIN, ...args], { XDG_CONFIG_HOME: '/nonexistent', ...environment });
}

/** Runs `passthru ARGS` to its end. */
export function passthru(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return startPassthru(args, environment).ended;
}

/** A service in its own process. */
export interface Served {
  url: string;
  command: Command;
  /** Stops it as an operator would. */
  stop(): Promise<Ended>;
}

/** Starts `passthru serve` on any free port, with its store in memory unless `environment` says otherwise. */
export async function serve(args: readonly string[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Served> {
  const command = startPassthru(['serve', ...args], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_STORE: 'sqlite::memory:',
    ...environment,
  });
  const [, url] = await command.printed(/^listening on (https?:\/\/\S+)$/m);
  return {
    url: url!,
    command,
    stop() {
      command.process.kill('SIGTERM');
      return command.ended;
    },
  };
}
