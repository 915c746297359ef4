// Gives every wait of a test enough time. Vitest gives up after a second, in which a busy machine may do nothing at all.
import { vi } from 'vitest';

/** In milliseconds: below the limit of a test, so that the wait that failed is named. */
const TIMEOUT = 30_000;

const { waitFor, waitUntil } = vi;
type Options = Parameters<typeof waitFor>[1];

function patient(options: Options = {}): Options {
  return typeof options === 'number' ? options : { timeout: TIMEOUT, ...options };
}

vi.waitFor = (callback, options) => waitFor(callback, patient(options));
vi.waitUntil = (callback, options) => waitUntil(callback, patient(options));
