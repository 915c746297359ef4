// The service loads it for the first connection to a BMC, which would be part of the short timeouts of the first test.
import 'undici';
import { expect } from 'vitest';
import { RedfishError, type RedfishTarget } from '../../src/redfish/index.ts';

/** Takes no time for the pauses before repeats, which count all the same. */
export async function noPause(_ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
}

/** Returns a target for tests: one attempt, 5 s a request, no pauses before repeats, account u/p, unless changed. */
export function target(origin: string, change: Partial<RedfishTarget> = {}): RedfishTarget {
  return {
    origin,
    root: '/redfish/v1/',
    account: { username: 'u', password: 'p', authType: 'auto' },
    connection: { tls: { verifyCa: true, minimumVersion: null, ciphers: null }, keepAlive: true },
    limits: { timeoutMs: 5000, connectionAttempts: 1, connectionRetryIntervalMs: 10, pause: noPause },
    ...change,
  };
}

/** A signal that never fires. */
export const forever = new AbortController().signal;

/** Returns the RedfishError of `promise`; fails the test if there is none. */
export async function failure(promise: Promise<unknown>): Promise<RedfishError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RedfishError);
  return error as RedfishError;
}
