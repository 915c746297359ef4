/** A user file in Apache's format, read. */
export interface Htpasswd {
  /** The bcrypt hash of each user. */
  hashes: ReadonlyMap<string, string>;
  /** What is wrong with it, a line each, without a part of the file: `line 3: …`. */
  faults: readonly string[];
  /** A hash of no password that takes as long to compare as those of the file. */
  decoy: string;
}

/** bcrypt in its modular form: version, cost from 4 to 31, 22 characters of salt and 31 of digest. */
const HASH = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

/** The cost that `htpasswd -B` and Python's bcrypt would hardly go below. */
const LEAST_DECOY_COST = '05';

/**
 * Reads `user:hash` lines as Ironic standalone does: bcrypt alone, and of two lines for one user the first counts. Empty
 * lines, and those that begin with #, are skipped.
 */
export function parseHtpasswd(text: string): Htpasswd {
  const hashes = new Map<string, string>();
  const faults: string[] = [];
  let cost = LEAST_DECOY_COST;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [user, hash] = [line.slice(0, colon), line.slice(colon + 1)];
    if (colon < 1) faults.push(`line ${index + 1}: is not USER:HASH`);
    else if (!HASH.test(hash)) faults.push(`line ${index + 1}: only bcrypt hashes are read; "htpasswd -B" makes them`);
    else if (!hashes.has(user)) {
      hashes.set(user, hash);
      const own = hash.slice(4, 6);
      if (own > cost) cost = own;
    }
  }
  return { hashes, faults, decoy: `$2b$${cost}$${'.'.repeat(53)}` };
}
