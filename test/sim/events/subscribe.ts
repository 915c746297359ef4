import { expect } from 'vitest';
import type { FleetOptions, SimulatedBmc } from '../../../src/sim/index.ts';
import { call, SUBSCRIPTIONS } from '../client.ts';

/** Retries that a test need not wait for. */
export const QUICK: FleetOptions = { eventRetryInterval: 1 };

/** Makes a subscription at a BMC whose responses name it; returns its path. */
export async function subscribe(bmc: SimulatedBmc, url: string, properties: object = {}): Promise<string> {
  const body = { Destination: url, Protocol: 'Redfish', ...properties };
  const reply = await call(bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([reply.status, reply.text]).toEqual([201, expect.anything()]);
  return reply.headers.get('Location')!;
}
