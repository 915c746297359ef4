import { createCipheriv, createDecipheriv, createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { PassthruError } from '../core/errors.ts';

/** The length of an AES-256 key in bytes. */
export const KEY_BYTES = 32;

const ALGORITHM = 'aes-256-gcm';
const ID_LENGTH = 16;
const SEALED = /^[0-9a-f]{16}:/;
/** The length of random nonces in NIST SP 800-38D, 8.2.2; sufficient for 2^32 values under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts columns of a store: a JSON object with secrets, or a digest of secrets. The ciphertext has the form `KEYID:BASE64`
 * (nonce, ciphertext, tag), which neither of the two can have.
 */
export interface SecretsCipher {
  /** The key that is to encrypt; null when values are kept in plain text. */
  readonly keyId: string | null;
  /** The key that encrypts now, until `writeWith`: the same. */
  readonly writingKeyId: string | null;
  /** All keys that decrypt. */
  readonly keyIds: readonly string[];
  /**
   * Encrypts `text`, except for an empty JSON object.
   * @param place where the ciphertext is stored; it decrypts nowhere else, so that it cannot be moved to another node
   */
  seal(text: string, place: string): string;
  /** Encrypts with another of `keyIds` from now on; null for plain text. */
  writeWith(keyId: string | null): void;
  /**
   * Decrypts `sealed`; returns plain text unchanged.
   * @throws kind `store_unavailable` when the key is missing; `internal` when the value was changed or moved
   */
  open(sealed: string, place: string): string;
}

/** A value is encrypted with a key that this process does not have. The message names the node and the key. */
export class MissingKeyError extends PassthruError {
  constructor(message: string) {
    super('store_unavailable', message);
  }
}

/** Keeps everything in plain text. */
export const PLAIN: SecretsCipher = createSecretsCipher([]);

/** @param keys of `KEY_BYTES` each; the first encrypts, all decrypt */
export function createSecretsCipher(keys: readonly Buffer[]): SecretsCipher {
  // As key objects: Node makes one of a buffer in each use, which takes longer than to decrypt a node.
  const byId = new Map(keys.map((key) => [keyIdOf(key), createSecretKey(key)]));
  const keyIds = [...byId.keys()];
  const keyId = keyIds[0] ?? null;
  let writing = keyId;
  return {
    keyId,
    keyIds,
    get writingKeyId() {
      return writing;
    },
    writeWith(id) {
      writing = id;
    },
    seal(text, place) {
      const key = writing === null ? undefined : byId.get(writing);
      if (key === undefined || text === '{}') return text;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(place));
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${writing}:${Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64')}`;
    },
    open(sealed, place) {
      const id = sealedWith(sealed);
      if (id === null) return sealed;
      const key = byId.get(id);
      if (key === undefined) {
        throw new MissingKeyError(
          `The secrets of ${place}, are encrypted with the key ${id}, which this process does not have; see secrets.key_file`,
        );
      }
      const bytes = Buffer.from(sealed.slice(ID_LENGTH + 1), 'base64');
      const tag = bytes.subarray(-TAG_BYTES);
      try {
        const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(place))
          .setAuthTag(tag);
        return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      } catch (error) {
        throw new PassthruError(
          'internal',
          `The secrets of ${place}, cannot be decrypted: they were changed in the store or belong to another node`,
          { cause: error },
        );
      }
    },
  };
}

/** Returns the id of a key: derived from it, so that another key never passes for it, without revealing it. */
export function keyIdOf(key: Buffer): string {
  return createHmac('sha256', key).update('passthru secrets key').digest('hex').slice(0, ID_LENGTH);
}

/** Returns the id of the key that a column's `text` is encrypted with; null for plain text. */
export function sealedWith(text: string): string | null {
  return SEALED.test(text) ? text.slice(0, ID_LENGTH) : null;
}
