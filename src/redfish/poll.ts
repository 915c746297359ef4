import { pause } from '../core/waiting.ts';

const LIMIT_MS = 10_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;

/**
 * What `look` sees, asked again with growing waits while it sees nothing, for some ten seconds: a BMC that has accepted a
 * request (202 without a Location) may not have carried it out yet.
 * @returns null when there was nothing to the end
 * @throws what `look` throws; `signal.reason` when it fires
 */
export async function lookAgain<T>(look: () => Promise<T | null>, signal: AbortSignal): Promise<T | null> {
  const end = performance.now() + LIMIT_MS;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const seen = await look();
    if (seen !== null || performance.now() + wait > end) return seen;
    await pause(wait, signal);
  }
}
