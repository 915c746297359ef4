/** The log of the core and the drivers; pino's loggers implement it. The message is a constant text. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Returns whether messages of this level are written; without this method, all are. */
  isLevelEnabled?(level: string): boolean;
}

/** A logger that discards everything; for tests and tools. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
