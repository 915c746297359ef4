import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { PassthruError } from '../core/errors.ts';

/** The bytes of a key of AES-256. */
export const KEY_BYTES = 32;

const ALGORITHM = 'aes-256-gcm';
const ID_LENGTH = 16;
const SEALED = /^[0-9a-f]{16}:/;
/** What NIST SP 800-38D, 8.2.2, has for random ones; good for 2^32 values under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts what a store keeps in a column: a JSON object with secrets in it, or a digest of secrets. Encrypted it reads
 * `KEYID:BASE64` (nonce, ciphertext, tag), which neither of the two does.
 */
export interface SecretsCipher {
  /** The key that values are encrypted with; null when there is none, and they are kept plain. */
  readonly keyId: string | null;
  /** Every key that can be read with. */
  readonly keyIds: readonly string[];
  /**
   * @param text an empty JSON object stays as it is
   * @param place where it stands; the ciphertext reads nowhere else, so that nobody can move it to another node
   */
  seal(text: string, place: string): string;
  /**
   * The text that was sealed; a plain one as it is.
   * @throws kind `store_unavailable` when this process does not have the key; `internal` when the value was changed or
   *   comes from another place
   */
  open(sealed: string, place: string): string;
}

/** Keeps everything plain, and reads nothing else. */
export const PLAIN: SecretsCipher = createSecretsCipher([]);

/** @param keys of 32 bytes each; the first encrypts, every one decrypts */
export function createSecretsCipher(keys: readonly Buffer[]): SecretsCipher {
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]));
  const keyIds = [...byId.keys()];
  const [first] = keys;
  const keyId = keyIds[0] ?? null;
  return {
    keyId,
    keyIds,
    seal(text, place) {
      if (first === undefined || text === '{}') return text;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, first, nonce).setAAD(Buffer.from(place));
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${keyId}:${Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64')}`;
    },
    open(sealed, place) {
      const id = sealedWith(sealed);
      if (id === null) return sealed;
      const key = byId.get(id);
      if (key === undefined) {
        throw new PassthruError(
          'store_unavailable',
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
          `The secrets of ${place}, cannot be decrypted: they were changed in the store, or are another node's`,
          { cause: error },
        );
      }
    },
  };
}

/** What names a key and tells nothing of it: so one that was swapped for another is never taken for it. */
export function keyIdOf(key: Buffer): string {
  return createHmac('sha256', key).update('passthru secrets key').digest('hex').slice(0, ID_LENGTH);
}

/** The id of the key that `text` of a column is encrypted with; null when it is plain. */
export function sealedWith(text: string): string | null {
  return SEALED.test(text) ? text.slice(0, ID_LENGTH) : null;
}
