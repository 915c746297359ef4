import { invalidArgument } from '../core/errors.ts';

/** Which requests a fault strikes; absent parts strike all. */
export interface RequestMatch {
  /** Any case. HEAD is not GET here. */
  method?: string;
  /** The path without query and trailing slash; in a string `*` stands for any characters. */
  path?: string | RegExp;
}

/** What goes wrong. */
export type FaultKind =
  /** The answer takes `ms` milliseconds longer; other faults still apply. */
  | { kind: 'delay'; ms: number }
  /** No answer ever comes, and the connection stays. With `afterRead` the request was carried out. */
  | { kind: 'hang'; afterRead?: boolean }
  /**
   * The connection is reset. With `afterRead` the request was carried out and its answer lost, which the client
   * cannot tell from one that was not; without it nothing was done.
   */
  | { kind: 'reset'; afterRead?: boolean }
  /** This status instead of an answer; without `body` a Redfish error. Nothing was done. */
  | { kind: 'status'; status: number; body?: string; headers?: Record<string, string> }
  /** 200 with an HTML page, or with JSON that ends too early. Nothing was done. */
  | { kind: 'garbage'; form?: 'html' | 'broken-json' };

/** A fault to set on a BMC. */
export type Fault = FaultKind & {
  match?: RequestMatch;
  /** How many requests it strikes before it is gone; unlimited by default. */
  times?: number;
  /** The share of matching requests that it strikes, 0 to 1; 1 by default. The same seed gives the same ones. */
  probability?: number;
};

/** A fault that is set. */
export interface SetFault {
  id: number;
  fault: Fault;
  /** How many requests it still strikes; null: no limit. */
  left: number | null;
}

/** What faults make of one request. */
export interface Strike {
  /** Milliseconds to wait first. */
  delay: number;
  /** What then takes the place of the answer; null: the answer comes. */
  instead: Exclude<Fault, { kind: 'delay' }> | null;
}

/** The faults set on one BMC. They are tried in the order in which they were added. */
export class FaultList {
  readonly #random: () => number;
  #faults: SetFault[] = [];
  #lastId = 0;

  /** `seed` decides which requests a fault with a probability strikes. */
  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  /** Sets a fault; returns the id to remove it by. Throws `invalid_argument` for numbers out of range. */
  add(fault: Fault): number {
    checkFault(fault);
    this.#lastId++;
    this.#faults.push({ id: this.#lastId, fault, left: fault.times ?? null });
    return this.#lastId;
  }

  /** Takes a fault away; false when it is not there (any more). */
  remove(id: number): boolean {
    const before = this.#faults.length;
    this.#faults = this.#faults.filter((set) => set.id !== id);
    return this.#faults.length < before;
  }

  /** Takes all faults away. */
  clear(): void {
    this.#faults = [];
  }

  list(): SetFault[] {
    return this.#faults.map((set) => ({ ...set }));
  }

  /** What the faults make of a request: every matching delay, and the first matching fault of another kind. */
  strike(method: string, path: string): Strike {
    const strike: Strike = { delay: 0, instead: null };
    for (const set of this.#faults) {
      const { fault } = set;
      if (fault.kind !== 'delay' && strike.instead) continue;
      if (!matches(fault.match, method, path)) continue;
      if (fault.probability !== undefined && this.#random() >= fault.probability) continue;
      if (set.left !== null) set.left--;
      if (fault.kind === 'delay') strike.delay += fault.ms;
      else strike.instead = fault;
    }
    this.#faults = this.#faults.filter((set) => set.left !== 0);
    return strike;
  }
}

/** Whether a request is one of those that `match` means. */
export function matches(match: RequestMatch | undefined, method: string, path: string): boolean {
  if (match?.method !== undefined && match.method.toUpperCase() !== method) return false;
  if (match?.path === undefined) return true;
  if (typeof match.path === 'string') return wildcard(match.path).test(path);
  // A RegExp with the flag g or y remembers where it stopped.
  match.path.lastIndex = 0;
  return match.path.test(path);
}

function wildcard(path: string): RegExp {
  const literal = path.replace(/\/+$/, '').split('*').map(escaped).join('.*');
  return new RegExp(`^${literal}$`, 's');
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

function checkFault(fault: Fault): void {
  const { times, probability } = fault;
  if (times !== undefined && !(Number.isSafeInteger(times) && times >= 1)) refuse('times', 'a whole number from 1');
  if (probability !== undefined && !(probability >= 0 && probability <= 1)) refuse('probability', 'from 0 to 1');
  if (fault.kind === 'delay' && !(fault.ms >= 0 && fault.ms <= MAX_DELAY)) refuse('ms', `from 0 to ${MAX_DELAY}`);
  if (fault.kind === 'status' && !(Number.isInteger(fault.status) && fault.status >= 200 && fault.status <= 599)) {
    refuse('status', 'from 200 to 599');
  }
}

/** A timer of Node's holds no more milliseconds than this. */
export const MAX_DELAY = 2 ** 31 - 1;

function refuse(field: string, allowed: string): never {
  throw invalidArgument(field, allowed, `A fault's ${field} is ${allowed}`);
}

/** A small generator of numbers from 0 up to 1 that repeats for the same seed (Math.random has no seed). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
