import { NO_RAW, type StoredEvent, severityRank } from '../events/event.ts';
import { type EventFilter, selects } from '../events/eventFilter.ts';
import { messageKeys } from '../events/messageId.ts';
import type { Store } from '../store.ts';
import type { Feed, WatchEvent } from './watchEvent.ts';

/** The number of events read at once. */
const READ_AT_ONCE = 200;

/** Selects the events that a watcher is told of. */
export interface WatchedEvents extends EventFilter {
  /** Equal for equal filters. */
  key: string;
  withRaw: boolean;
}

/** Tells events. */
export class EventFeed implements Feed<StoredEvent, WatchedEvents, StoredEvent> {
  readonly current = null;
  readonly #store: Store;
  /** The events without `raw`, so that watchers who see the same get the same object. */
  readonly #withoutRaw = new WeakMap<StoredEvent, StoredEvent>();

  constructor(store: Store) {
    this.#store = store;
  }

  async read(after: number): Promise<StoredEvent[] | null> {
    const events = await this.#store.eventsAbove(after, READ_AT_ONCE);
    return after < (await this.#store.changeFloor('event')) ? null : events;
  }

  isOf({ id, position }: StoredEvent, log: string): boolean {
    return id === `${log}-${position}`;
  }

  select(event: StoredEvent, filter: WatchedEvents, cursor: string): WatchEvent<StoredEvent> | null {
    if (!selects(filter, keysOf(event))) return null;
    return { kind: 'item', item: filter.withRaw ? event : this.#strip(event), cursor };
  }

  #strip(event: StoredEvent): StoredEvent {
    if (event.content.kind === 'gap') return event;
    let stripped = this.#withoutRaw.get(event);
    if (stripped === undefined) {
      stripped = { ...event, content: { ...event.content, raw: NO_RAW } };
      this.#withoutRaw.set(event, stripped);
    }
    return stripped;
  }
}

function keysOf({ nodeUuid, content }: StoredEvent) {
  if (content.kind === 'gap') return { nodeUuid, severity: 0, registry: '', message: '', origin: '' };
  const severity = severityRank(content.severity);
  return { nodeUuid, severity, ...messageKeys(content.messageId), origin: content.origin };
}
