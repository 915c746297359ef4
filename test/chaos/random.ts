/** What is decided by chance; the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to `below`. */
  below(below: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below;
  }

  between(least: number, most: number): number {
    return least + this.below(most - least);
  }

  happens(probability: number): boolean {
    return this.below(1) < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.below(list.length))] as T;
  }

  /** Another, whose course does not depend on how often this one is asked later. */
  fork(): Random {
    return new Random(this.below(2 ** 32));
  }
}
