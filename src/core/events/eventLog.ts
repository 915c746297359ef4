import { invalidArgument } from '../errors.ts';
import { storableText } from '../json.ts';
import type { Logger } from '../logger.ts';
import type { NodeManager } from '../nodeManager.ts';
import type { Store } from '../store.ts';
import { toCursor } from '../watch/cursor.ts';
import { EventFeed, type WatchedEvents } from '../watch/eventFeed.ts';
import { WatchHub } from '../watch/hub.ts';
import type { WatchSink } from '../watch/watchEvent.ts';
import type { StoredEvent } from './event.ts';
import { type EventFilter, messagePattern } from './eventFilter.ts';

import type { EventSelector, Events, EventsPage, EventsQuery, EventsWatch } from './events.ts';

/** The longest list of nodes or messages in a filter. */
const MOST_VALUES = 1000;

/** Implements `Events`. */
export class EventLog implements Events {
  readonly watched: WatchHub<StoredEvent, WatchedEvents, StoredEvent>;
  readonly #store: Store;
  readonly #nodes: NodeManager;

  constructor(store: Store, nodes: NodeManager, log: Logger) {
    this.#store = store;
    this.#nodes = nodes;
    this.watched = new WatchHub('event', store, new EventFeed(store), log);
  }

  async list({ limit, before, since, until, withRaw, ...selector }: EventsQuery): Promise<EventsPage> {
    const filter = await this.#filter(selector);
    const { log, last } = await this.#store.changeBounds('event');
    const query = { ...filter, limit, before: before ?? last + 1, since, until, withRaw };
    const { events, next } = await this.#store.listEvents(query);
    return { events, next, cursor: before === null ? toCursor('event', { log, position: last }) : null };
  }

  async watch(request: EventsWatch, sink: WatchSink<StoredEvent>, signal: AbortSignal): Promise<never> {
    const place = this.watched.place(request.cursor);
    const { withRaw } = request;
    const filter = await this.#filter(request);
    const { nodes, minSeverity, messages, origin } = filter;
    const key = JSON.stringify([nodes && [...nodes], minSeverity, messages, origin, withRaw]);
    return this.watched.watch({ ...filter, withRaw, key }, place, sink, signal);
  }

  async #filter({ nodes, minSeverity, messages, origin }: EventSelector): Promise<EventFilter> {
    checkLength('nodes', nodes);
    checkLength('messages', messages);
    return {
      nodes: await this.#nodes.resolveAll(nodes),
      minSeverity,
      messages: messages.length === 0 ? null : messages.map((text) => messagePattern(storableText(text))),
      origin: origin === null ? null : storableText(origin),
    };
  }
}

function checkLength(field: string, values: readonly string[]): void {
  if (values.length <= MOST_VALUES) return;
  const description = `must have at most ${MOST_VALUES} values, not ${values.length}`;
  throw invalidArgument(field, description, `${field} ${description}`);
}
