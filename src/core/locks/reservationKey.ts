import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { invalidArgument, PassthruError } from '../errors.ts';

/** Marks a reservation key, so that scanners for secrets and `maskText` find it in any text. */
const PREFIX = 'passthru_rsv_';

const RESERVATION_KEY = /^passthru_rsv_[\w-]{32}$/;

/** Returns a new key of 192 random bits, in characters that need no escaping in a URL. */
export function newReservationKey(): string {
  return PREFIX + randomBytes(24).toString('base64url');
}

/**
 * Returns the digest of a reservation key, by which alone it is stored and compared.
 * @throws kind `invalid_argument`, without the value, when it is malformed
 */
export function reservationKeyDigest(key: string): string {
  if (!RESERVATION_KEY.test(key)) {
    const allowed = `must be the key that LockNode returned, ${PREFIX} and 32 letters, digits, - or _`;
    throw invalidArgument('reservation_key', allowed, `reservation_key ${allowed}`);
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
