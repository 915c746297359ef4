import { cutText, LOGGED_BYTES } from '../bounds.ts';
import { PassthruError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Logger } from '../logger.ts';
import type { Node } from '../node.ts';
import { redactor, SHORT_SECRET } from '../redaction.ts';
import { mapTexts, maskMember, maskText, secretValues, type TextMapping } from '../secrets.ts';

/** How deep errors and log fields are copied; deeper parts are dropped. */
const MAX_DEPTH = 6;

/**
 * The secrets of one call, from its node's driver_info and its arguments; collected at the first use. Drivers are not
 * trusted to leave them out of what they throw, report or log.
 */
export class CallSecrets {
  readonly #sources: readonly JsonObject[];
  readonly #least: number;
  #known: { redact: Redact; none: boolean } | undefined;

  /** @param least the length below which a secret is not masked */
  constructor(sources: readonly JsonObject[], least = 1) {
    this.#sources = sources;
    this.#least = least;
  }

  /** Returns `text` with the secrets masked. */
  text(text: string): string {
    return this.#collected().redact(text);
  }

  /**
   * Returns a copy of `value`, such as an error with its causes, with the secrets masked and long texts cut; itself when
   * there are none, unless it is a PassthruError, which a driver may have changed since its texts were cut.
   */
  mask<T>(value: T): T {
    const { redact, none } = this.#collected();
    if (none && !(value instanceof PassthruError)) return value;
    return mapTexts(value, redaction(redact), MAX_DEPTH) as T;
  }

  /**
   * Returns a copy of a machine's document with the secrets masked, in names too, together with what is secret by its name
   * or its form.
   */
  document(value: JsonObject): JsonObject {
    const text = (given: string) => maskText(this.text(given));
    return mapTexts(value, { text, name: text, member: maskMember }) as JsonObject;
  }

  /**
   * Returns a logger that masks the secrets in what is logged to `log`, and adds `about` to the fields of each line. Accepts
   * any fields, as drivers may be JavaScript.
   */
  log(log: Logger, about: object = {}): Logger {
    const write = (level: 'debug' | 'info' | 'warn' | 'error', fields: unknown, message: string) => {
      if (typeof fields === 'string') log[level]({ ...about }, this.text(fields));
      else log[level](this.#fields(fields, about), this.text(message));
    };
    return {
      debug: (fields, message) => write('debug', fields, message),
      info: (fields, message) => write('info', fields, message),
      warn: (fields, message) => write('warn', fields, message),
      error: (fields, message) => write('error', fields, message),
    };
  }

  #fields(fields: unknown, about: object): object {
    try {
      return { ...this.mask(fields instanceof Error ? { err: fields } : (fields as object)), ...about };
    } catch {
      return { ...about };
    }
  }

  #collected(): { redact: Redact; none: boolean } {
    if (this.#known === undefined) {
      const secrets = this.#sources.flatMap(secretValues).filter(({ length }) => length >= this.#least);
      this.#known = { redact: redactor(secrets), none: secrets.length === 0 };
    }
    return this.#known;
  }
}

/** Masks the secrets in a text. */
type Redact = (text: string) => string;

function redaction(redact: Redact): TextMapping {
  return {
    text: (text) => redact(cutText(text, LOGGED_BYTES)),
    error(error, copy) {
      try {
        return error instanceof PassthruError
          ? redactPassthruError(error, redact, copy)
          : redactError(error, redact, copy);
      } catch {
        return new Error('the error cannot be read');
      }
    },
  };
}

function redactPassthruError(error: PassthruError, redact: Redact, copy: (member: unknown) => unknown): PassthruError {
  // A driver may have changed it since its parts were cut.
  const { kind, message, violations, lock, bmc, truncated, cause } = new PassthruError(
    error.kind,
    error.message,
    error,
  );
  const clean = new PassthruError(kind, redact(message), {
    violations: violations.map(({ field, description }) => ({ field, description: redact(description) })),
    lock,
    bmc: bmc && { status: bmc.status, extendedInfo: mapTexts(bmc.extendedInfo, { text: redact }) as JsonObject[] },
    truncated,
    cause: cause === undefined ? undefined : copy(cause),
  });
  clean.stack = redact(cutText(error.stack ?? '', LOGGED_BYTES));
  return clean;
}

/** Copies the error, which its driver may still hold; the copy has the name of its class only. */
function redactError(error: Error, redact: Redact, copy: (member: unknown) => unknown): Error {
  const clean = new Error(redact(cutText(error.message, LOGGED_BYTES)));
  clean.name = error.name;
  clean.stack = redact(cutText(error.stack ?? '', LOGGED_BYTES));
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

/** Returns an error of arguments without secrets. Ironic quotes arguments to their sender (recorded: "create_subscription bad headers"). */
export function withoutSecrets(args: JsonObject, node: Node | null, error: unknown): unknown {
  return new CallSecrets([node?.driverInfo ?? {}, args], SHORT_SECRET).mask(error);
}
