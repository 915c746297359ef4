/** The calls and jobs that run in this process, so that a shutdown can wait for them and end them. */
export class Running {
  readonly #work = new Map<Promise<unknown>, AbortController>();

  /** Keeps `work` until it settles. */
  add(work: Promise<unknown>, controller: AbortController): void {
    this.#work.set(work, controller);
    const remove = () => this.#work.delete(work);
    work.then(remove, remove);
  }

  /** Waits until nothing runs, at most `time` milliseconds; whether nothing runs then. */
  async drain(time: number): Promise<boolean> {
    const end = performance.now() + time;
    while (this.#work.size > 0) {
      const left = end - performance.now();
      if (left <= 0) return false;
      await settledWithin([...this.#work.keys()], left);
    }
    return true;
  }

  /** Fires the signal of everything that runs. */
  abort(reason: Error): void {
    for (const controller of this.#work.values()) controller.abort(reason);
  }
}

async function settledWithin(work: Promise<unknown>[], time: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, time);
  });
  await Promise.race([Promise.allSettled(work), timeout]);
  clearTimeout(timer);
}
