/** What keeps the service from starting: every fault of a configuration or nodes file, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Each names the file or variable, the key, the value unless it is a secret, and what is allowed. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}
