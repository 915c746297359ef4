import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { invalidArgument, PassthruError } from '../errors.ts';

/** Marks a reservation key, so that scanners for secrets and `maskText` find it in any text. */
const PREFIX = 'passthru_rsv_';

const RESERVATION_KEY = /^passthru_rsv_[\w-]{32}$/;

/** What a key must be, after the name of its field. */
export const RESERVATION_KEY_FORM = `must be a key that a lock of a node returned: ${PREFIX} and 32 letters, digits, - or _`;

/** Whether `text` has the form of a key. */
export function isReservationKey(text: string): boolean {
  return RESERVATION_KEY.test(text);
}

/** Returns a new key of 192 random bits, in characters that need no escaping in a URL. */
export function newReservationKey(): string {
  return PREFIX + randomBytes(24).toString('base64url');
}

/**
 * Returns the digest of a reservation key, by which alone it is stored and compared.
 * @throws kind `invalid_argument`, without the value, when it is malformed
 */
export function reservationKeyDigest(key: string): string {
  if (!isReservationKey(key)) {
    throw invalidArgument('reservation_key', RESERVATION_KEY_FORM, `reservation_key ${RESERVATION_KEY_FORM}`);
  }
  return createHash('sha256').update(key).digest('base64url');
}

/** Compares two digests in a time that does not depend on them. */
export function isSameDigest(one: string | null, other: string | null): boolean {
  if (one === null || other === null) return false;
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}

/** Returns the error for the key of a hold that has ended, or of another node. */
export function reservationEnded(nodeUuid: string): PassthruError {
  return new PassthruError(
    'reservation_ended',
    `Node ${nodeUuid} is not reserved with the given reservation_key: that reservation has ended, or is of another node. Lock the node again to get a new key.`,
  );
}
