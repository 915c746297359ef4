// Live: the nodes and jobs of the service, as they change.
import { Emitter } from '../parts/emitter.ts';
import { session } from '../session/session.ts';

/** Milliseconds between two checks of a connection on which nothing may be heard for long. */
const CHECK_INTERVAL = 15_000;
/** Milliseconds until a check, or a connection that failed, is given up. */
const CHECK_TIMEOUT = 10_000;
/** Milliseconds between two tries to reach the service again: the first, and the most. */
const RETRY_FIRST = 500;
const RETRY_MOST = 5_000;
/** Milliseconds after which a page that nobody sees lets go of its streams: a browser has six connections to a service. */
const HIDDEN_GRACE = 30_000;

/** Whether the service can be reached. A quiet stream does not tell: nothing is sent on it, even when it is dead. */
class Link extends Emitter {
  /** True until a request fails. */
  up = true;
  #stop = new AbortController();
  #seen = Promise.withResolvers<void>();
  #recovering: Promise<void> | null = null;

  constructor() {
    super();
    setInterval(() => void this.#check(), CHECK_INTERVAL);
    addEventListener('online', () => void this.#check());
    let hiding: ReturnType<typeof setTimeout> | undefined;
    document.addEventListener('visibilitychange', () => {
      clearTimeout(hiding);
      if (!document.hidden) return this.#seen.resolve();
      this.#seen = Promise.withResolvers();
      hiding = setTimeout(() => this.cut(), HIDDEN_GRACE);
    });
    this.#seen.resolve();
  }

  /** Aborted when the present streams are of no more use. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Ends the present streams. */
  cut(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  /** Resolves when the page is seen and the service can be reached, after a failure when it can be reached again. */
  async ready(failed: boolean): Promise<void> {
    if (failed) {
      this.#recovering ??= this.#recover().finally(() => {
        this.#recovering = null;
      });
      await this.#recovering;
    }
    await this.#seen.promise;
  }

  async #check(): Promise<void> {
    if (document.hidden || !this.up || (await this.#responds())) return;
    this.cut();
  }

  async #recover(): Promise<void> {
    for (let pause = RETRY_FIRST; !(await this.#responds()); pause = Math.min(2 * pause, RETRY_MOST)) {
      this.#set(false);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, pause);
        addEventListener('online', () => resolve(), { once: true });
      });
    }
    this.#set(true);
  }

  async #responds(): Promise<boolean> {
    try {
      const { ok } = await session.fetch('/healthz', { signal: AbortSignal.timeout(CHECK_TIMEOUT), cache: 'no-store' });
      return ok;
    } catch {
      return false;
    }
  }

  #set(up: boolean): void {
    if (this.up === up) return;
    this.up = up;
    this.emit();
  }
}

export const link = new Link();
