/** The length of the part of a needle that decides whether to compare the rest. */
const PREFIX = 3;
/** A power of two. */
const TABLE = 4096;

/** Some texts to look for at once, in time that does not grow with their number. */
export class Needles implements Iterable<string> {
  readonly #texts = new Set<string>();
  /** Whether the beginning of some text has a hash. */
  #hashes: Uint8Array | null = null;
  /** The texts by their beginnings. */
  readonly #byPrefix = new Map<string, string[]>();

  /** @param text of at least three characters */
  add(text: string): void {
    if (this.#texts.has(text)) return;
    this.#texts.add(text);
    const prefix = text.slice(0, PREFIX);
    this.#hashes ??= new Uint8Array(TABLE);
    this.#hashes[hash(text.charCodeAt(0), text.charCodeAt(1), text.charCodeAt(2))] = 1;
    const others = this.#byPrefix.get(prefix);
    if (others === undefined) this.#byPrefix.set(prefix, [text]);
    else others.push(text);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#texts.values();
  }

  /** Calls `found` with the place of the longest text at each position of `hay`; the places may overlap. */
  search(hay: string, found: (from: number, to: number) => void): void {
    const hashes = this.#hashes;
    if (hashes === null) return;
    let [first, second] = [hay.charCodeAt(0), hay.charCodeAt(1)];
    for (let at = 0; at + PREFIX <= hay.length; at++) {
      const third = hay.charCodeAt(at + 2);
      if (hashes[hash(first, second, third)] === 1) {
        const length = this.#longestAt(hay, at);
        // Another may begin within it.
        if (length > 0) found(at, at + length);
      }
      first = second;
      second = third;
    }
  }

  #longestAt(hay: string, at: number): number {
    let longest = 0;
    for (const text of this.#byPrefix.get(hay.slice(at, at + PREFIX)) ?? []) {
      if (text.length > longest && hay.startsWith(text, at)) longest = text.length;
    }
    return longest;
  }
}

function hash(first: number, second: number, third: number): number {
  return ((first * 31 + second) * 31 + third) & (TABLE - 1);
}
