import { makeBlueprint } from './blueprint.ts';
import type { Profile, Quirk } from './bmc.ts';
import { plainProfile } from './profiles/plain.ts';
import type { RecordedRequest } from './requestLog.ts';
import { SimulatedBmc } from './simulatedBmc.ts';

export interface FleetOptions {
  /** How many BMCs; 1 by default. */
  count?: number;
  /** The address to listen on; 127.0.0.1 by default. */
  host?: string;
  /** The port of the first BMC, the others follow; 0, the default, gives each any free port. */
  basePort?: number;
  /** What the BMCs are like; the plain profile by default. See `PROFILES` and `loadCapture`. */
  profile?: Profile;
  /** What they do otherwise, besides the quirks of the profile. See `QUIRKS`. */
  quirks?: readonly Quirk[];
  /** Passwords by user name; `{u: 'p'}` by default. */
  accounts?: Record<string, string>;
  /** Whether the BMCs ask for credentials; `required` by default. */
  auth?: 'required' | 'none';
  /** Milliseconds after which an unused session ends; half an hour by default. */
  sessionTimeout?: number;
  /** How many sessions a BMC holds; 16 by default. Then a log-in gets 503. */
  maxSessions?: number;
  /** Milliseconds for which a BMC that restarts refuses connections; 0, the default, restarts it on the spot. */
  bootTime?: number;
  /** Milliseconds that every answer takes; 0 by default. */
  latency?: number;
  /** Key and certificate (PEM) to serve HTTPS; HTTP by default. */
  tls?: { key: string | Buffer; cert: string | Buffer };
  /** How many requests each BMC keeps to look at; 1,000 by default. */
  keepRequests?: number;
  /** Called with each request as soon as its headers have come, in the order in which they come. */
  onRequest?: (request: RecordedRequest, bmc: SimulatedBmc) => void;
  /** Decides which requests a fault with a probability strikes; 1 by default. */
  seed?: number;
}

/** Simulated BMCs that listen. */
export interface Fleet {
  bmcs: SimulatedBmc[];
  /** Stops them all and cuts their connections. */
  close(): Promise<void>;
}

/**
 * Starts simulated BMCs in this process. They share what they have not changed. Rejects when one cannot listen, and
 * then none does.
 */
export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const { count = 1, host = '127.0.0.1', basePort = 0, sessionTimeout = 30 * 60 * 1000, seed = 1 } = options;
  const blueprint = makeBlueprint(options.profile ?? plainProfile, sessionTimeout, options.quirks);
  const accounts = options.auth === 'none' ? null : new Map(Object.entries(options.accounts ?? { u: 'p' }));
  const bmcs = Array.from(
    { length: count },
    (_, index) =>
      new SimulatedBmc({
        blueprint,
        accounts,
        maxSessions: options.maxSessions ?? 16,
        sessionTimeout,
        latency: options.latency ?? 0,
        bootTime: options.bootTime ?? 0,
        tls: options.tls ?? null,
        keepRequests: options.keepRequests ?? 1000,
        onRequest: options.onRequest ?? null,
        seed: seed + index,
      }),
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
