/** A parsed user file in Apache's format. */
export interface Htpasswd {
  /** The bcrypt hash of each user. */
  hashes: ReadonlyMap<string, string>;
  /** One problem per invalid line (`line 3: …`); repeats no part of the file. */
  faults: readonly string[];
  /** A hash that matches no password and takes as long to compare as those of the file. */
  decoy: string;
}

/** bcrypt in modular crypt format: version, cost from 4 to 31, 22 characters of salt and 31 of digest. */
const HASH = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

/** The default cost of `htpasswd -B`. */
const MIN_DECOY_COST = '05';

/**
 * Parses `user:hash` lines as Ironic standalone does: bcrypt only, and the first line of a user counts. Skips empty
 * lines and those that begin with #.
 */
export function parseHtpasswd(text: string): Htpasswd {
  const hashes = new Map<string, string>();
  const faults: string[] = [];
  let cost = MIN_DECOY_COST;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [user, hash] = [line.slice(0, colon), line.slice(colon + 1)];
    if (colon < 1) faults.push(`line ${index + 1}: not USER:HASH`);
    else if (!HASH.test(hash)) faults.push(`line ${index + 1}: not a bcrypt hash; create one with "htpasswd -B"`);
    else if (!hashes.has(user)) {
      hashes.set(user, hash);
      const hashCost = hash.slice(4, 6);
      if (hashCost > cost) cost = hashCost;
    }
  }
  return { hashes, faults, decoy: `$2b$${cost}$${'.'.repeat(53)}` };
}
