import { PassthruError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Logger } from '../logger.ts';
import { redact, redactText, secretValues } from '../secrets.ts';

/** How deep into causes and members of an error secrets are looked for; what lies deeper is left out. */
const MAX_DEPTH = 6;

/**
 * The secrets that one call works with, those of its node's driver_info and of its arguments: a driver is not trusted to
 * leave them out of what it throws, reports or logs. They are collected only when there is something to take them out of.
 */
export class CallSecrets {
  readonly #sources: readonly JsonObject[];
  readonly #least: number;
  #values: readonly string[] | undefined;

  /** @param least secrets of fewer characters are left where they are */
  constructor(sources: readonly JsonObject[], least = 1) {
    this.#sources = sources;
    this.#least = least;
  }

  /** `text` without the secrets. */
  text(text: string): string {
    return redactText(text, this.#known());
  }

  /** `thrown` without the secrets in its message, its members and its causes. One that has none may come back as it is. */
  error(thrown: unknown): unknown {
    const secrets = this.#known();
    return secrets.length === 0 ? thrown : cleanError(thrown, secrets);
  }

  /** `log` with the secrets taken out of what is logged. */
  log(log: Logger): Logger {
    return new CleanLogger(log, this);
  }

  /** What `fields` of a log are without the secrets. */
  fields(fields: object): object {
    const secrets = this.#known();
    return secrets.length === 0 ? fields : (cleanValue(fields, secrets, MAX_DEPTH) as object);
  }

  #known(): readonly string[] {
    this.#values ??= this.#sources.flatMap(secretValues).filter(({ length }) => length >= this.#least);
    return this.#values;
  }
}

class CleanLogger implements Logger {
  readonly #log: Logger;
  readonly #secrets: CallSecrets;

  constructor(log: Logger, secrets: CallSecrets) {
    this.#log = log;
    this.#secrets = secrets;
  }

  debug(fields: object, message: string): void {
    this.#log.debug(this.#secrets.fields(fields), this.#secrets.text(message));
  }
  info(fields: object, message: string): void {
    this.#log.info(this.#secrets.fields(fields), this.#secrets.text(message));
  }
  warn(fields: object, message: string): void {
    this.#log.warn(this.#secrets.fields(fields), this.#secrets.text(message));
  }
  error(fields: object, message: string): void {
    this.#log.error(this.#secrets.fields(fields), this.#secrets.text(message));
  }
}

/** Never throws: what a driver throws may have a getter that does. */
function cleanError(thrown: unknown, secrets: readonly string[]): unknown {
  try {
    return cleanValue(thrown, secrets, MAX_DEPTH);
  } catch {
    return new Error('what was thrown cannot be read');
  }
}

function cleanValue(value: unknown, secrets: readonly string[], depth: number): unknown {
  if (typeof value === 'string') return redactText(value, secrets);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth === 0 || ArrayBuffer.isView(value)) return '…';
  if (value instanceof PassthruError) return cleanPassthruError(value, secrets, depth);
  if (value instanceof Error) return cleanOther(value, secrets, depth);
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, secrets, depth - 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cleanValue(item, secrets, depth - 1)]));
}

function cleanPassthruError(error: PassthruError, secrets: readonly string[], depth: number): PassthruError {
  const { kind, violations, lock, bmc, cause } = error;
  const clean = new PassthruError(kind, redactText(error.message, secrets), {
    violations: violations.map(({ field, description }) => ({ field, description: redactText(description, secrets) })),
    lock,
    bmc: bmc && { status: bmc.status, extendedInfo: redact(bmc.extendedInfo, secrets) },
    cause: cause === undefined ? undefined : cleanValue(cause, secrets, depth - 1),
  });
  clean.stack = redactText(error.stack ?? '', secrets);
  return clean;
}

/** A copy: whoever has thrown it may still hold it. Its class is lost, its name is not. */
function cleanOther(error: Error, secrets: readonly string[], depth: number): Error {
  const clean = new Error(redactText(error.message, secrets));
  clean.name = error.name;
  clean.stack = redactText(error.stack ?? '', secrets);
  for (const key of new Set([...Object.keys(error), 'cause', 'errors'])) {
    const member = (error as unknown as Record<string, unknown>)[key];
    if (member === undefined || key === 'name' || key === 'stack' || key === 'message') continue;
    Object.defineProperty(clean, key, {
      value: cleanValue(member, secrets, depth - 1),
      enumerable: Object.prototype.propertyIsEnumerable.call(error, key),
      configurable: true,
      writable: true,
    });
  }
  return clean;
}
