import { makeBlueprint } from './blueprint.ts';
import type { Profile, Quirk } from './bmc.ts';
import { plainProfile } from './profiles/plain.ts';
import type { BmcOptions } from './simulatedBmc.ts';
import { SimulatedBmc } from './simulatedBmc.ts';

export interface FleetOptions extends BmcOptions {
  /** The number of BMCs; 1 by default. */
  count?: number;
  /** The address to listen on; 127.0.0.1 by default. */
  host?: string;
  /** The port of the first BMC, followed by the others; 0, the default, gives each any free port. */
  basePort?: number;
  /** The kind of BMC, from `PROFILES` or `loadCapture`; the plain profile by default. */
  profile?: Profile;
  /** Quirks besides those of the profile, from `QUIRKS`. */
  quirks?: readonly Quirk[];
  /** Passwords by user name; `{u: 'p'}` by default. */
  accounts?: Record<string, string>;
  /** Whether the BMCs require credentials; as the profile says by default, which is `required` for most. */
  auth?: 'required' | 'none';
}

/** Simulated BMCs that listen. */
export interface Fleet {
  bmcs: SimulatedBmc[];
  /** Stops all BMCs and cuts their connections. */
  close(): Promise<void>;
}

/** Starts simulated BMCs in this process. When one cannot listen, stops all and rejects. */
export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const { count = 1, host = '127.0.0.1', basePort = 0, sessionTimeout = 30 * 60 * 1000, seed = 1 } = options;
  const blueprint = makeBlueprint(options.profile ?? plainProfile, sessionTimeout, options.quirks);
  const accounts =
    (options.auth ?? options.profile?.auth) === 'none' ? null : new Map(Object.entries(options.accounts ?? { u: 'p' }));
  const bmcs = Array.from(
    { length: count },
    (_, index) => new SimulatedBmc(blueprint, accounts, { ...options, sessionTimeout, seed: seed + index }),
  );
  const close = async () => {
    await Promise.all(bmcs.map((bmc) => bmc.close()));
  };
  try {
    for (const [index, bmc] of bmcs.entries()) await bmc.listen(host, basePort === 0 ? 0 : basePort + index);
  } catch (error) {
    await close();
    throw error;
  }
  return { bmcs, close };
}
