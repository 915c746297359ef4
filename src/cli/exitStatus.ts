/** With what status a command ends when it does not succeed; docs/cli.md lists them. */
export const EXIT_STATUS = {
  /** The service or the machine refused or failed. */
  failed: 1,
  /** The command line is wrong; nothing was sent. */
  usage: 2,
  /** There is no such node, driver, job or subscription. */
  notFound: 3,
  /** The node is locked. */
  locked: 4,
  /** The service cannot be reached, or is not ready. */
  unreachable: 5,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;

/** The end of a command that did not succeed. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  /** One of `EXIT_STATUS`. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A fault of the command line. */
export function usageError(message: string): CommandFailure {
  return new CommandFailure(EXIT_STATUS.usage, message);
}
