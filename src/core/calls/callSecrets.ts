import { cutText, LOGGED_BYTES } from '../bounds.ts';
import { PassthruError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Logger } from '../logger.ts';
import { mapTexts, maskMember, maskText, redact, redactText, secretValues, type TextMapping } from '../secrets.ts';

/** How deep errors and log fields are copied; deeper parts are dropped. */
const MAX_DEPTH = 6;

/**
 * The secrets of one call, from its node's driver_info and its arguments; collected at the first use. Drivers are not
 * trusted to leave them out of what they throw, report or log.
 */
export class CallSecrets {
  readonly #sources: readonly JsonObject[];
  readonly #least: number;
  #values: readonly string[] | undefined;

  /** @param least the length below which a secret is not masked */
  constructor(sources: readonly JsonObject[], least = 1) {
    this.#sources = sources;
    this.#least = least;
  }

  /** Returns `text` with the secrets masked. */
  text(text: string): string {
    return redactText(text, this.#collected());
  }

  /**
   * Returns a copy of `value`, such as an error with its causes, with the secrets masked and long texts cut; itself when
   * there are none, unless it is a PassthruError, which a driver may have changed since its texts were cut.
   */
  mask<T>(value: T): T {
    const secrets = this.#collected();
    if (secrets.length === 0 && !(value instanceof PassthruError)) return value;
    return mapTexts(value, redaction(secrets), MAX_DEPTH) as T;
  }

  /**
   * Returns a copy of a machine's document with the secrets masked, in names too, together with what is secret by its name
   * or its form.
   */
  document(value: JsonObject): JsonObject {
    const text = (given: string) => maskText(this.text(given));
    return mapTexts(value, { text, name: text, member: maskMember }) as JsonObject;
  }

  /** Returns a logger that masks the secrets in what is logged to `log`. */
  log(log: Logger): Logger {
    return {
      debug: (fields, message) => log.debug(this.mask(fields), this.text(message)),
      info: (fields, message) => log.info(this.mask(fields), this.text(message)),
      warn: (fields, message) => log.warn(this.mask(fields), this.text(message)),
      error: (fields, message) => log.error(this.mask(fields), this.text(message)),
    };
  }

  #collected(): readonly string[] {
    this.#values ??= this.#sources.flatMap(secretValues).filter(({ length }) => length >= this.#least);
    return this.#values;
  }
}

function redaction(secrets: readonly string[]): TextMapping {
  return {
    text: (text) => redactText(cutText(text, LOGGED_BYTES), secrets),
    error(error, copy) {
      try {
        return error instanceof PassthruError
          ? redactPassthruError(error, secrets, copy)
          : redactError(error, secrets, copy);
      } catch {
        return new Error('the error cannot be read');
      }
    },
  };
}

function redactPassthruError(
  error: PassthruError,
  secrets: readonly string[],
  copy: (member: unknown) => unknown,
): PassthruError {
  // A driver may have changed it since its parts were cut.
  const { kind, message, violations, lock, bmc, truncated, cause } = new PassthruError(
    error.kind,
    error.message,
    error,
  );
  const clean = new PassthruError(kind, redactText(message, secrets), {
    violations: violations.map(({ field, description }) => ({ field, description: redactText(description, secrets) })),
    lock,
    bmc: bmc && { status: bmc.status, extendedInfo: redact(bmc.extendedInfo, secrets) },
    truncated,
    cause: cause === undefined ? undefined : copy(cause),
  });
  clean.stack = redactText(cutText(error.stack ?? '', LOGGED_BYTES), secrets);
  return clean;
}

/** Copies the error, which its driver may still hold; the copy has the name of its class only. */
function redactError(error: Error, secrets: readonly string[], copy: (member: unknown) => unknown): Error {
  const clean = new Error(redactText(cutText(error.message, LOGGED_BYTES), secrets));
  clean.name = error.name;
  clean.stack = redactText(cutText(error.stack ?? '', LOGGED_BYTES), secrets);
  for (const key of new Set([...Object.keys(error), 'cause', 'errors'])) {
    const member = (error as unknown as Record<string, unknown>)[key];
    if (member === undefined || key === 'name' || key === 'stack' || key === 'message') continue;
    Object.defineProperty(clean, key, {
      value: copy(member),
      enumerable: Object.prototype.propertyIsEnumerable.call(error, key),
      configurable: true,
      writable: true,
    });
  }
  return clean;
}
