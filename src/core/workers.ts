import { PassthruError } from './errors.ts';

/** The bounded pool that asynchronous methods run on: a job is accepted only with a place in it. */
export class Workers {
  readonly size: number;
  #busy = 0;

  /** @param size how many jobs may run at once */
  constructor(size: number) {
    this.size = size;
  }

  /** How many places are taken. */
  get busy(): number {
    return this.#busy;
  }

  /** Takes a place and answers what gives it back, once. Throws kind `no_free_worker` when all are taken. */
  reserve(): () => void {
    if (this.#busy >= this.size) {
      // Worded as Ironic's NoFreeConductorWorker.
      throw new PassthruError(
        'no_free_worker',
        `Requested action cannot be performed due to lack of free workers: all ${this.size} are busy. Try again later.`,
      );
    }
    this.#busy++;
    let taken = true;
    return () => {
      if (taken) this.#busy--;
      taken = false;
    };
  }
}
