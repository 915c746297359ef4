import type { HttpRequest } from '../http/message.ts';
import { header } from './context.ts';
import { badParameter } from './query.ts';

/** The header `Idempotency-Key`; null when absent. The core checks it. */
export function idempotencyKey(request: HttpRequest): string | null {
  return header(request, 'idempotency-key') ?? null;
}

/**
 * The header `Passthru-Lock-Wait`, which is in seconds and may have decimals, in milliseconds; null when absent.
 * Throws `invalid_argument` for what is not a number of seconds.
 */
export function lockWait(request: HttpRequest): number | null {
  const text = header(request, 'passthru-lock-wait');
  if (text === undefined) return null;
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Math.round(Number(text) * 1000);
  throw badParameter(
    'Passthru-Lock-Wait',
    'must be a number of seconds, such as 0, 2.5 or 30',
    'The header Passthru-Lock-Wait must be a number of seconds, such as 0, 2.5 or 30',
  );
}
