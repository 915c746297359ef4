import { pause } from '../core/waiting.ts';

const LIMIT_MS = 10_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 2000;

/**
 * Polls `look` with exponential backoff for up to 10 s, until it returns a value: a BMC that has accepted a request (202
 * without a Location) may not have carried it out yet.
 * @returns null when `look` returned none
 * @throws whatever `look` throws; `signal.reason` when it fires
 */
export async function poll<T>(look: () => Promise<T | null>, signal: AbortSignal): Promise<T | null> {
  const end = performance.now() + LIMIT_MS;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    const found = await look();
    if (found !== null || performance.now() + wait > end) return found;
    await pause(wait, signal);
  }
}
