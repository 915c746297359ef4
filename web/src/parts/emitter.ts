// Parts: what several pages of the console are made of.
import { useSyncExternalStore } from 'react';

/** Something outside React whose changes components follow. */
export class Emitter {
  readonly #listeners = new Set<() => void>();
  #version = 0;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** A number that differs after every change. */
  readonly version = (): number => this.#version;

  emit(): void {
    this.#version++;
    for (const listener of this.#listeners) listener();
  }
}

/** Renders again after each change of `emitter`; returns its version. */
export function useChanges(emitter: Emitter): number {
  return useSyncExternalStore(emitter.subscribe, emitter.version);
}
