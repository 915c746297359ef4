import { PassthruError } from '../core/errors.ts';

/**
 * How early a cancellation may come and still count as the deadline, in ms: the caller's clock started before ours, by
 * the time that the request took to arrive.
 */
const CLOCK_LEAD = 50;

export function deadlinePassed(): PassthruError {
  return new PassthruError('deadline_exceeded', 'The deadline of the call passed before it ended.');
}

/**
 * Returns why a call ends whose caller has gone.
 * @param endsAt its deadline by the monotonic clock, so that a step of the wall clock makes no deadline of a
 *   cancellation; null when it has none
 */
export function callerGone(endsAt: number | null): PassthruError {
  if (endsAt !== null && endsAt - CLOCK_LEAD <= performance.now()) return deadlinePassed();
  return new PassthruError('cancelled', 'The caller cancelled the call or went away.');
}
