import type { Duration } from '@bufbuild/protobuf/wkt';
import { refuseField } from './errors.ts';

/**
 * A caller's `lock_wait` in milliseconds, rounded up; null when not given. The core holds it against the maximum.
 * @throws kind `invalid_argument` when it is negative or no valid Duration
 */
export function lockWaitMs(duration: Duration | undefined): number | null {
  if (duration === undefined) return null;
  const { seconds, nanos } = duration;
  if (seconds < 0n || nanos < 0 || nanos > 999_999_999) {
    throw refuseField('lock_wait', 'must be a duration of 0 or more seconds');
  }
  return Number(seconds) * 1000 + Math.ceil(nanos / 1e6);
}
