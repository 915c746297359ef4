/** A parsed user file in Apache's format. */
export interface Htpasswd {
  /** The bcrypt hash of each user. */
  hashes: ReadonlyMap<string, string>;
  /** One problem per invalid line (`line 3: …`); repeats no part of the file. */
  faults: readonly string[];
  /** The highest cost of its hashes, and at least that of `htpasswd -B`. */
  cost: number;
}

/** bcrypt in modular crypt format: version, cost from 4 to 31, 22 characters of salt and 31 of digest. */
const HASH = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

/** What bcrypt reads of a password. */
export const MAX_PASSWORD_BYTES = 72;

/** The default cost of `htpasswd -B`. */
const LEAST_COST = 5;

/**
 * Parses `user:hash` lines as Ironic standalone does: bcrypt only, and the first line of a user counts. Skips empty
 * lines and those that begin with #.
 */
export function parseHtpasswd(text: string): Htpasswd {
  const hashes = new Map<string, string>();
  const faults: string[] = [];
  let cost = LEAST_COST;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [user, hash] = [line.slice(0, colon), line.slice(colon + 1)];
    if (colon < 1) faults.push(`line ${index + 1}: not USER:HASH`);
    else if (!HASH.test(hash))
      faults.push(`line ${index + 1}: not a bcrypt hash; create one with "passthru user set" or "htpasswd -B"`);
    else if (!hashes.has(user)) {
      hashes.set(user, hash);
      cost = Math.max(cost, costOf(hash));
    }
  }
  return { hashes, faults, cost };
}

/** Returns the text of a user file with this hash for `user`, in the place of the earlier one or at the end. */
export function withUser(text: string, user: string, hash: string): string {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const at = lines.findIndex((line) => isOf(line, user));
  lines.splice(at < 0 ? lines.length : at, at < 0 ? 0 : 1, `${user}:${hash}`);
  return `${lines.join('\n')}\n`;
}

/** Returns the text of a user file without `user`: without all its lines, of which only the first counts. */
export function withoutUser(text: string, user: string): string {
  return text
    .split('\n')
    .filter((line) => !isOf(line, user))
    .join('\n');
}

function isOf(line: string, user: string): boolean {
  return line.trim().startsWith(`${user}:`);
}

/**
 * Returns hashes that match no password. A comparison with `hash` and with all of them takes as long for each user of the
 * file, and for an unknown one (`hash` undefined), whatever the costs: 2^c + (2^c + 2^(c+1) + … + 2^(max-1)) = 2^max.
 */
export function decoysFor(hash: string | undefined, { cost }: Pick<Htpasswd, 'cost'>): string[] {
  if (hash === undefined) return [decoy(cost)];
  const own = costOf(hash);
  return Array.from({ length: cost - own }, (_, index) => decoy(own + index));
}

function decoy(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
}

function costOf(hash: string): number {
  return Number(hash.slice(4, 6));
}
