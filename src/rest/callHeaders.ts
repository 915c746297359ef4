// Request headers that stand for fields of the contract.
import { isReservationKey, RESERVATION_KEY_FORM } from '../core/locks/reservationKey.ts';
import { RECORDINGS, type Recording } from '../core/transcript.ts';
import type { HttpRequest } from '../http/message.ts';
import { header } from './context.ts';
import { badParameter } from './query.ts';

/** Reads the header `Passthru-Lock-Wait`, in seconds with decimals. Returns milliseconds; null when absent. */
export function readLockWait(request: HttpRequest): number | null {
  const text = header(request, 'passthru-lock-wait');
  if (text === undefined) return null;
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Math.round(Number(text) * 1000);
  throw badHeader('Passthru-Lock-Wait', 'must be a number of seconds, such as 0, 2.5 or 30');
}

/** Reads the header `Passthru-Reservation-Key`, whose value no error shows; null when absent. */
export function readReservationKey(request: HttpRequest): string | null {
  const text = header(request, 'passthru-reservation-key');
  if (text === undefined || isReservationKey(text)) return text ?? null;
  throw badHeader('Passthru-Reservation-Key', RESERVATION_KEY_FORM);
}

/** Reads the header `Passthru-Recorder`; undefined when absent. */
export function readRecording(request: HttpRequest): Recording | undefined {
  const text = header(request, 'passthru-recorder');
  if (text === undefined) return undefined;
  const recording = RECORDINGS.find((each) => each === text);
  if (recording !== undefined) return recording;
  throw badHeader('Passthru-Recorder', `must be one of ${RECORDINGS.join(', ')}`);
}

function badHeader(name: string, description: string) {
  return badParameter(name, description, `The header ${name} ${description}`);
}
