/**
 * Where the core and the drivers report. `fields` are structured; the message is a constant text.
 * A pino logger fits.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Tells whether messages of this level are written. Without it, all are. */
  isLevelEnabled?(level: string): boolean;
}

/** A logger that drops everything; for tests and tools. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
