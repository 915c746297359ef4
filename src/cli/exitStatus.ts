/** The exit statuses of failed commands, as listed in docs/cli.md. */
export const EXIT_STATUS = {
  /** The service or the BMC refused the request or failed. */
  failed: 1,
  /** Invalid usage; nothing was sent. */
  usage: 2,
  /** The node, driver, job or subscription does not exist. */
  notFound: 3,
  /** The node is locked. */
  locked: 4,
  /** The service is unreachable or not ready. */
  unreachable: 5,
  /** The time of `--timeout` was up; the status of timeout(1). */
  timedOut: 124,
  /** Interrupted by Ctrl-C: 128 + SIGINT, as in shells. */
  interrupted: 130,
} as const;

/** The error that ends a command. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  /** The exit status, one of `EXIT_STATUS`. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Returns the error for invalid usage. */
export function usageError(message: string): CommandFailure {
  return new CommandFailure(EXIT_STATUS.usage, message);
}

/** Runs `step`; an error that the operator can fix becomes a failure that begins with `what`. Rethrows all others. */
export async function explainFailure<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!isForOperator(error)) throw error;
    throw new CommandFailure(EXIT_STATUS.failed, `${what}:\n  ${error.message.replaceAll('\n', '\n  ')}`);
  }
}

/** Whether `error` is one that the operator can fix, whose message says how. */
export function isForOperator(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'ConfigError' || error.name === 'PassthruError');
}
