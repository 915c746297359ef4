import { RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import { toPassthruError } from '../core/errors.ts';
import type { Exchange } from './context.ts';
import { sendJson } from './response.ts';

/** GET /healthz: 200 when the service takes calls, else 503 with the reason. */
export async function showHealth(exchange: Exchange): Promise<void> {
  try {
    await exchange.guardedCore.checkReady();
  } catch (thrown) {
    const { message } = toPassthruError(thrown);
    const retry = ['Retry-After', String(RETRY_AFTER_SECONDS)];
    sendJson(exchange, 503, { status: 'unavailable', reason: message }, retry);
    return;
  }
  sendJson(exchange, 200, { status: 'ok' });
}
