/** A random number generator with a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0, less than `below`. */
  below(below: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below;
  }

  between(min: number, max: number): number {
    return min + this.below(max - min);
  }

  chance(probability: number): boolean {
    return this.below(1) < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.below(list.length))] as T;
  }

  /** Returns an independent generator, which later use of this one does not affect. */
  fork(): Random {
    return new Random(this.below(2 ** 32));
  }
}
