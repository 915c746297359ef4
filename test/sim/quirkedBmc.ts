import { expect } from 'vitest';
import type { FleetOptions, Quirk, SimulatedBmc } from '../../src/sim/index.ts';
import { PROFILES, QUIRKS, startFleet } from '../../src/sim/index.ts';

/** A BMC that is closed at the end of the block. */
export interface QuirkedBmc extends AsyncDisposable {
  bmc: SimulatedBmc;
}

/** Starts one BMC with quirks, given by name or as values. */
export async function bmcWith(
  quirks: (Quirk | string)[],
  options: FleetOptions = {},
  profile = 'plain',
): Promise<QuirkedBmc> {
  const chosen = quirks.map((quirk) => (typeof quirk === 'string' ? QUIRKS.get(quirk)! : quirk));
  expect(chosen).not.toContain(undefined);
  const fleet = await startFleet({ ...options, profile: PROFILES.get(profile)!, quirks: chosen });
  return { bmc: fleet.bmcs[0]!, [Symbol.asyncDispose]: () => fleet.close() };
}
