import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { sameUrl } from '../destinations.ts';
import { bare, textOf } from '../links.ts';

/** What a subscription was made with. */
export interface Wanted {
  destination: string;
  context: string;
}

/** A subscription that was made here. */
interface Made {
  sent: Wanted;
  /** What the BMC showed of it when it was first read; null before. */
  shown: { destination: string | null; context: string | null } | null;
}

/**
 * Whether a subscription is the wanted one: it was made here so, shows the same, shows nothing else, may be (its context
 * differs, and it is not known whether the BMC keeps contexts), or is another.
 */
export type Match = 'made' | 'same' | 'alike' | 'possible' | 'other';

/** Subscriptions that are remembered for one BMC; the oldest are forgotten first. */
const MAX_MADE = 500;
const KEY = 'made subscriptions';

/**
 * The subscriptions that were made at one BMC, by which they are recognised where the BMC changes or hides what it was sent;
 * and whether the BMC changes contexts.
 */
export class KnownSubscriptions {
  readonly #made = new Map<string, Made>();
  #contexts: 'unknown' | 'kept' | 'changed' = 'unknown';

  /** Returns those of a client's BMC. They are dropped with its discovered paths, as it may have reused the ids. */
  static of({ discovered }: RedfishClient): KnownSubscriptions {
    const known = discovered.peek<KnownSubscriptions>(KEY) ?? new KnownSubscriptions();
    discovered.set(KEY, known);
    return known;
  }

  /** Remembers the subscription at `path`, whose path the BMC has told. */
  add(path: string, sent: Wanted): void {
    const key = bare(path);
    this.#made.delete(key);
    this.#made.set(key, { sent, shown: null });
    const [oldest] = this.#made.keys();
    if (this.#made.size > MAX_MADE && oldest !== undefined) this.#made.delete(oldest);
  }

  forget(path: string): void {
    this.#made.delete(bare(path));
  }

  /** Whether the subscription at `path` was made here. */
  has(path: string): boolean {
    return this.#made.has(bare(path));
  }

  /** Whether the subscription at `path`, which cannot be read, was made here as `wanted`. */
  isMade(path: string, wanted: Wanted): boolean {
    const made = this.#made.get(bare(path));
    return made !== undefined && areSame(made.sent, wanted);
  }

  /** Compares the subscription at `path`, as it was read, with the wanted one. */
  match(path: string, document: JsonObject, wanted: Wanted): Match {
    const shown = { destination: textOf(document, 'Destination'), context: contextOf(document) };
    const made = this.#made.get(bare(path));
    if (made !== undefined && this.#stillShows(made, shown)) return areSame(made.sent, wanted) ? 'made' : 'other';
    // The BMC has given the path to another subscription.
    if (made !== undefined) this.forget(path);
    if (shown.destination === null || !sameUrl(shown.destination, wanted.destination)) return 'other';
    if (shown.context === wanted.context) return 'same';
    if (shown.context === null || this.#contexts === 'changed') return 'alike';
    return this.#contexts === 'kept' ? 'other' : 'possible';
  }

  /** Whether a subscription that was made here is shown as before; the first time, learns how the BMC shows it. */
  #stillShows(made: Made, shown: NonNullable<Made['shown']>): boolean {
    if (made.shown !== null) {
      return made.shown.destination === shown.destination && made.shown.context === shown.context;
    }
    made.shown = shown;
    if (shown.context === null) return true;
    if (shown.context !== made.sent.context) this.#contexts = 'changed';
    // An empty one is shown alike by a BMC that drops contexts.
    else if (shown.context !== '' && this.#contexts === 'unknown') this.#contexts = 'kept';
    return true;
  }
}

/** Returns the context that a document shows; null when it shows none. */
export function contextOf({ Context }: JsonObject): string | null {
  return typeof Context === 'string' ? Context : null;
}

function areSame(a: Wanted, b: Wanted): boolean {
  return a.context === b.context && sameUrl(a.destination, b.destination);
}
