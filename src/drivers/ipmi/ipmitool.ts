import { execFile } from 'node:child_process';
import { type ErrorKind, PassthruError, toPassthruError } from '../../core/errors.ts';
import type { NodeTask } from '../../core/task.ts';
import type { IpmiConnection } from './connection.ts';
import { readFailure, withoutBytes } from './ipmitoolFailure.ts';

/** Where the program is and how long it may run. */
export interface IpmitoolProgram {
  /** A path, or a name that is looked for in PATH. */
  program: string;
  /** Milliseconds after which the program is ended. */
  timeout: number;
  /** Told of each run that has ended. It is quick and never throws. */
  observe(run: IpmitoolRun): void;
}

/** One run of ipmitool that has ended. */
export interface IpmitoolRun {
  /** As `IpmitoolCommand.name`. */
  command: string;
  /** The address of the BMC: an IP address or a host name. */
  address: string;
  /** Why it failed; `cancelled` when its call or job was ended; null when it did not fail. */
  error: ErrorKind | null;
  durationMs: number;
}

/** One command of ipmitool. */
export interface IpmitoolCommand {
  /** How errors and logs call it. Not the arguments: the bytes of `raw` may be a password that is being set. */
  name: string;
  arguments: readonly string[];
}

/** More than the longest answer that fits an IPMI message, and room for what `-v` tells. */
const MAX_OUTPUT = 64 * 1024;

/**
 * Runs one command on a BMC by ipmitool, without a shell, and answers what it printed. The password goes by the
 * environment, which other users cannot read. ipmitool repeats an unanswered message itself: four tries, over 10 s.
 *
 * @throws kinds `driver_not_ready` (no such program), `bmc_unreachable`, `bmc_refused`, `bmc_failed`, `bmc_timeout`,
 * and `outcome_unknown` when the command may have been carried out although no answer came. Throws
 * `task.signal.reason` once the program is gone when the signal fires.
 */
export async function runIpmitool(
  program: IpmitoolProgram,
  connection: IpmiConnection,
  command: IpmitoolCommand,
  task: NodeTask,
): Promise<string> {
  task.signal.throwIfAborted();
  task.beforeSend();
  const begun = performance.now();
  const tell = (error: ErrorKind | null) => {
    const { address } = connection;
    program.observe({ command: command.name, address, error, durationMs: performance.now() - begun });
  };
  try {
    const printed = await runToEnd(program, connection, command, task);
    tell(null);
    return printed;
  } catch (thrown) {
    tell(task.signal.aborted ? 'cancelled' : toPassthruError(thrown).kind);
    throw thrown;
  }
}

async function runToEnd(
  { program, timeout }: IpmitoolProgram,
  connection: IpmiConnection,
  command: IpmitoolCommand,
  task: NodeTask,
): Promise<string> {
  // -v: without it ipmitool does not say whether the password was wrong or nobody answered.
  const parameters = ['-v', ...connection.options, ...command.arguments];
  const ended = await execute(program, parameters, connection.secrets, timeout, task.signal);
  task.signal.throwIfAborted();
  if (ended.how === 'status' && ended.status === 0) return ended.stdout;

  const call = `IPMI call failed: ${command.name}.`;
  switch (ended.how) {
    case 'not started':
      throw new PassthruError('driver_not_ready', `${call} ${notStarted(program, ended.code)}`);
    case 'killed': {
      const limit = `ipmitool was ended after ${timeout / 1000} s without an answer of the BMC at ${connection.address}`;
      throw new PassthruError('outcome_unknown', `${call} ${limit}; the command may have been carried out`);
    }
    case 'status': {
      const failure = readFailure(ended.stderr);
      if (failure !== null) {
        throw new PassthruError(failure.kind, `${call} The BMC at ${connection.address} ${failure.what}`);
      }
      const said = withoutBytes(ended.stderr);
      task.log.warn({ node: task.node.uuid, command: command.name, status: ended.status, said }, 'ipmitool failed');
      const unknown = `ipmitool ended with status ${ended.status} for an unknown reason; the log of the service has more`;
      throw new PassthruError('bmc_failed', `${call} ${unknown}`);
    }
  }
}

type Ended =
  | { how: 'status'; status: number; stdout: string; stderr: string }
  | { how: 'killed' }
  | { how: 'not started'; code: string };

/** Runs a program to its end; resolves when it is gone, also when the signal or the timeout ended it. */
function execute(
  program: string,
  parameters: string[],
  secrets: IpmiConnection['secrets'],
  timeout: number,
  signal: AbortSignal,
): Promise<Ended> {
  // LC_ALL: what is printed is read. No more of the service's environment than the program needs.
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: 'C', ...secrets };
  return new Promise((resolve) => {
    const child = execFile(
      program,
      parameters,
      { env, timeout, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT },
      (error, stdout, stderr) => {
        signal.removeEventListener('abort', kill);
        if (error === null) resolve({ how: 'status', status: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ how: 'status', status: error.code, stdout, stderr });
        else if (child.pid === undefined) resolve({ how: 'not started', code: String(error.code) });
        else resolve({ how: 'killed' });
      },
    );
    function kill() {
      child.kill('SIGKILL');
    }
    signal.addEventListener('abort', kill, { once: true });
    // Closed, so that a program that asks for a password gets none instead of waiting.
    child.stdin?.on('error', () => {}).end();
  });
}

function notStarted(program: string, code: string): string {
  if (code !== 'ENOENT') return `The program ${program} cannot be started (${code})`;
  const install = 'apt-get install ipmitool (Debian, Ubuntu) or dnf install ipmitool (Fedora, RHEL)';
  return `The program ${program} is not installed on the machine that runs the service; ${install}`;
}
