import { type ChildProcess, execFile } from 'node:child_process';
import { type ErrorKind, PassthruError, toPassthruError } from '../../core/errors.ts';
import type { NodeTask } from '../../core/task.ts';
import { type IpmiConnection, readIpmiConnection } from './connection.ts';
import { readFailure, withoutBytes } from './ipmitoolFailure.ts';

/** The program and its limit. */
export interface IpmitoolProgram {
  /** A path, or a name found in PATH. */
  program: string;
  /** Milliseconds after which the program is killed. */
  timeout: number;
  /** Called after each run. Fast; never throws. */
  observe(run: IpmitoolRun): void;
  /** The processes that run now. */
  running: Set<ChildProcess>;
}

/** One completed run of ipmitool. */
export interface IpmitoolRun {
  /** As `IpmitoolCommand.name`. */
  command: string;
  /** The address of the BMC: an IP address or a host name. */
  address: string;
  /** The kind of error; `cancelled` when its call or job was cancelled; null on success. */
  error: ErrorKind | null;
  durationMs: number;
}

/** A command of ipmitool. */
interface IpmitoolCommand {
  /** Its name in errors and logs. Not the arguments: the bytes of `raw` may contain a new password. */
  name: string;
  arguments: readonly string[];
}

/** Maximum bytes of output: the longest IPMI response, and ample room for the lines of `-v`. */
const MAX_OUTPUT = 64 * 1024;

/**
 * Runs one command on the BMC of the task's node with ipmitool, without a shell, and returns its output. The password is passed in the
 * environment, which other users cannot read. ipmitool retries unanswered messages itself: four attempts within 10 s.
 *
 * @throws kinds `invalid_argument` (driver_info), `driver_not_ready` (program missing), `bmc_unreachable`, `bmc_refused`, `bmc_failed`, `bmc_timeout`, and
 * `outcome_unknown` when the command may have been carried out although no response came. When the signal fires, the program runs
 * to its end all the same: the BMC may be at work, and a killed program leaves its session open there. What it returns counts; if
 * it fails, `task.signal.reason` is thrown.
 */
export async function runIpmitool(program: IpmitoolProgram, command: IpmitoolCommand, task: NodeTask): Promise<string> {
  const connection = readIpmiConnection(task.node);
  task.signal.throwIfAborted();
  task.beforeSend();
  const begun = performance.now();
  let error: ErrorKind | null = null;
  try {
    return await runToEnd(program, connection, command, task);
  } catch (thrown) {
    error = task.signal.aborted ? 'cancelled' : toPassthruError(thrown).kind;
    throw thrown;
  } finally {
    const { address } = connection;
    program.observe({ command: command.name, address, error, durationMs: performance.now() - begun });
  }
}

async function runToEnd(
  ipmitool: IpmitoolProgram,
  { address, options, secrets }: IpmiConnection,
  command: IpmitoolCommand,
  { signal, node, log }: NodeTask,
): Promise<string> {
  const { program, timeout } = ipmitool;
  // Without -v, ipmitool does not distinguish a wrong password from a silent BMC.
  const ended = await execute(ipmitool, ['-v', ...options, ...command.arguments], secrets);
  if (ended.how === 'status' && ended.status === 0) return ended.stdout;
  signal.throwIfAborted();

  const failed = (kind: ErrorKind, why: string) => new PassthruError(kind, `IPMI call failed: ${command.name}. ${why}`);
  if (ended.how === 'not started') throw failed('driver_not_ready', notStarted(program, ended.code));
  if (ended.how === 'killed') {
    const limit = `ipmitool timed out after ${timeout / 1000} s without a response from the BMC at ${address}`;
    throw failed('outcome_unknown', `${limit}; the command may have been carried out`);
  }
  const { status, stderr } = ended;
  const failure = readFailure(stderr);
  if (failure !== null) throw failed(failure.kind, `The BMC at ${address} ${failure.what}`);
  log.warn({ node: node.uuid, command: command.name, status, output: withoutBytes(stderr) }, 'ipmitool failed');
  throw failed('bmc_failed', `ipmitool exited with status ${status} for an unknown reason; see the service's log`);
}

type Ended =
  | { how: 'status'; status: number; stdout: string; stderr: string }
  | { how: 'killed' }
  | { how: 'not started'; code: string };

/** Runs a program until it exits, by itself or killed by the timeout or at shutdown. */
function execute(
  { program, timeout, running }: IpmitoolProgram,
  parameters: string[],
  secrets: IpmiConnection['secrets'],
): Promise<Ended> {
  // LC_ALL because the output is parsed; nothing else of the service's environment that the program does not need.
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: 'C', ...secrets };
  return new Promise((resolve) => {
    const child = execFile(
      program,
      parameters,
      { env, timeout, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT },
      (error, stdout, stderr) => {
        running.delete(child);
        if (error === null) resolve({ how: 'status', status: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ how: 'status', status: error.code, stdout, stderr });
        else if (child.pid === undefined) resolve({ how: 'not started', code: String(error.code) });
        else resolve({ how: 'killed' });
      },
    );
    running.add(child);
    // Closed, so that a password prompt fails instead of waiting.
    child.stdin?.on('error', () => {}).end();
  });
}

function notStarted(program: string, code: string): string {
  if (code !== 'ENOENT') return `The program ${program} cannot be started (${code})`;
  const install = 'apt-get install ipmitool (Debian, Ubuntu) or dnf install ipmitool (Fedora, RHEL)';
  return `The program ${program} is not installed on the machine that runs the service; ${install}`;
}
