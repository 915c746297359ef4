import { isUtf8 } from 'node:buffer';
import { isJsonObject, type Json, type JsonObject, nestsDeeperThan } from '../../core/json.ts';
import { redactor, redactText, SHORT_SECRET } from '../../core/redaction.ts';
import { isSecretName } from '../../core/secretNames.ts';
import { MASK, maskMember, maskText } from '../../core/secrets.ts';

/** The part of a body that is recorded, in bytes. */
const MAX_BODY_BYTES = 64 * 1024;

/** A document that nests deeper is recorded as text. */
const MAX_DEPTH = 100;

/** Returns the part of a body that is recorded, without keeping a large one in memory. */
export function firstBytes(body: Buffer | undefined): Buffer | undefined {
  if (body === undefined || body.length <= MAX_BODY_BYTES) return body;
  let end = MAX_BODY_BYTES;
  // Not within a character of UTF-8.
  while (end > MAX_BODY_BYTES - 4 && (body[end]! & 0xc0) === 0x80) end--;
  return Buffer.from(body.subarray(0, end));
}

/** Masks the secrets of a call in what is recorded of it. */
export class Masking {
  readonly #secrets: readonly string[];
  readonly #redact: (text: string) => string;

  /** @param secrets the longest first, as one may be a part of another */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    this.#redact = redactor(secrets);
  }

  /** Masks the secrets in `text`, and what has the form of one. */
  words(text: string): string {
    return maskText(this.#redact(text));
  }

  /** Masks secret headers, and secrets within others. */
  headers(headers: Record<string, string>): JsonObject {
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => {
        if (isSecretName(name) && value !== '') return [name, MASK];
        // A challenge such as `Digest realm="x"` has the form of credentials.
        return [name, name === 'www-authenticate' ? this.#redact(value) : this.words(value)];
      }),
    );
  }

  /**
   * Returns a body as it is recorded: an object or a list as JSON, other text as a string, what is no text in base64
   * (`encoding` says so), null when it is empty.
   * @param body its first bytes, at least
   * @param size of the whole, in bytes; `truncated` says that not all of it is recorded
   */
  body(body: Buffer | undefined, size: number): JsonObject {
    const truncated: JsonObject = size > (body?.length ?? 0) ? { truncated: true } : {};
    if (body === undefined || body.length === 0) return { body: null, ...truncated };
    if (!isUtf8(body)) {
      const secrets = this.#secrets.map((secret) => Buffer.from(secret, 'utf8').toString('latin1'));
      const masked = redactText(body.toString('latin1'), secrets);
      return { body: Buffer.from(masked, 'latin1').toString('base64'), encoding: 'base64', ...truncated };
    }
    const text = body.toString('utf8');
    const document = parseDocument(text);
    return { body: document === null ? this.words(text) : this.#json(document), ...truncated };
  }

  /** Masks secret members by their name, and secrets in texts, numbers and names. An empty value hides nothing. */
  #json(value: Json): Json {
    if (typeof value === 'string') return this.words(value);
    if (typeof value === 'number') return this.#isSecret(value) ? MASK : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.#json(item));
    const masked: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      // Not an assignment, which would lose a member called `__proto__`.
      Object.defineProperty(masked, this.#redact(name), {
        value: (isEmpty(member) ? undefined : maskMember(name, member)) ?? this.#json(member),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return masked;
  }

  #isSecret(value: number): boolean {
    const text = String(value);
    return text.length >= SHORT_SECRET && this.#secrets.includes(text);
  }
}

function isEmpty(value: Json): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

function parseDocument(text: string): Json[] | JsonObject | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    const isDocument = isJsonObject(value) || Array.isArray(value);
    return isDocument && !nestsDeeperThan(value, MAX_DEPTH) ? value : null;
  } catch {
    return null;
  }
}
