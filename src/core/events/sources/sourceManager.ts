import type { Caller } from '../../caller.ts';
import { invalidArgument, PassthruError } from '../../errors.ts';
import { storableText } from '../../json.ts';
import type { Logger } from '../../logger.ts';
import type { Node } from '../../node.ts';
import type { NodeManager } from '../../nodeManager.ts';
import type { Registry } from '../../registry.ts';
import type { Store } from '../../store.ts';
import type { NodeEventSource } from '../../task.ts';
import type { EventSelection, EventSource, EventSourceState } from '../eventSource.ts';
import type { EventSources, SourcePage } from '../eventSources.ts';
import type { EventReconciler } from './eventReconciler.ts';
import type { SourceSenders } from './sourceSenders.ts';
import type { SourceQuery, SourceWish, StoredSource } from './sourceStore.ts';
import { type TestParts, testSource } from './testEvent.ts';

/** The longest list of a selection, and the longest text in it. */
const MOST_VALUES = 100;
const LONGEST_VALUE = 255;

/** How long the deletion of a node waits until its subscription is removed, in milliseconds. */
const REMOVAL_WAIT = 10_000;

interface SourcesParts {
  store: Store;
  nodes: NodeManager;
  registry: Registry;
  senders: SourceSenders;
  now: () => number;
  log: Logger;
}

/** Implements `EventSources`. */
export class SourceManager implements EventSources {
  /** Null while no events are received here. */
  receiving: { reconciler: EventReconciler; test: TestParts } | null = null;
  readonly #parts: SourcesParts;

  constructor(parts: SourcesParts) {
    this.#parts = parts;
  }

  async set(ident: string, { transport, selection }: SourceWish, caller: Caller): Promise<EventSource> {
    const { store, nodes, registry, now, log } = this.#parts;
    const { reconciler } = this.#receiving();
    checkSelection(selection);
    const node = await nodes.get(ident);
    const { events } = registry.get(node.driver);
    if (events === undefined) {
      throw new PassthruError(
        'failed_precondition',
        `The driver '${node.driver}' of node ${node.uuid} does not receive events.`,
      );
    }
    if (transport === 'sse' && events.stream === undefined) {
      throw invalidArgument('transport', `The driver '${node.driver}' reads no streams of events; leave it out.`);
    }
    const known = await store.getEventSource(node.uuid);
    const wish = { transport, selection };
    if (known !== null && known.state !== 'deleting' && isSame(known, wish)) return known;
    const source = await store.setEventSource(node.uuid, wish, new Date(now()));
    if (source === null) throw new PassthruError('node_not_found', `Node ${node.uuid} could not be found.`);
    log.info({ node: node.uuid, transport, caller: caller.name }, 'event source set');
    void reconciler.wake();
    return source;
  }

  async get(ident: string): Promise<EventSource> {
    return this.#get(await this.#parts.nodes.get(ident));
  }

  async list(query: SourceQuery): Promise<SourcePage> {
    const { limit } = query;
    const sources = await this.#parts.store.listEventSources({ ...query, limit: limit + 1 });
    if (sources === null) throw invalidArgument('page_token', 'The source that the page follows is gone; begin anew.');
    const page = sources.slice(0, limit);
    return { sources: page, next: sources.length > limit ? (page.at(-1)?.nodeUuid ?? null) : null };
  }

  async delete(ident: string, caller: Caller): Promise<void> {
    const { store, nodes, senders, now, log } = this.#parts;
    const node = await nodes.get(ident);
    await this.#get(node);
    if (!(await store.deleteEventSource(node.uuid, new Date(now())))) throw sourceNotFound(node);
    senders.forget(node.uuid);
    log.info({ node: node.uuid, caller: caller.name }, 'event source to be removed');
    void this.receiving?.reconciler.wake();
  }

  async test(ident: string, caller: Caller, signal: AbortSignal): Promise<EventSource> {
    const { store, nodes, log } = this.#parts;
    const { test: parts, reconciler } = this.#receiving();
    const node = await nodes.get(ident);
    const { state, activeTransport, selection } = await this.#get(node);
    if (state === 'deleting' || activeTransport === null) {
      const message = `The event source of node ${node.uuid} is ${state}; it can be tested once it is active.`;
      throw new PassthruError('failed_precondition', message);
    }
    const test = await testSource(parts, node, selection, signal);
    if (test === null) {
      throw new PassthruError('bmc_unsupported', `The BMC of node ${node.uuid} has no test events (SubmitTestEvent).`);
    }
    await store.recordEventTest(node.uuid, test);
    void reconciler.wake();
    log.info({ node: node.uuid, round_trip_ms: test.roundTrip, caller: caller.name }, 'event source tested');
    if (test.error !== null) throw new PassthruError('deadline_exceeded', `Node ${node.uuid}: ${test.error}.`);
    return this.#get(node);
  }

  /** Returns the source of a node for a task of `caller`. */
  ofTask(nodeUuid: string, caller: Caller): NodeEventSource {
    return new TaskSource(this, this.#parts.store, nodeUuid, caller);
  }

  counts(): Promise<{ state: EventSourceState; count: number }[]> {
    return this.#parts.store.countEventSources();
  }

  /** Has the source of a node that was changed looked at. Never rejects. */
  nodeChanged(nodeUuid: string): Promise<void> {
    this.#parts.senders.forget(nodeUuid);
    return this.look(nodeUuid);
  }

  /** Has the source of a node looked at by the replica that owns it. Never rejects. */
  async look(nodeUuid: string): Promise<void> {
    const { store, log } = this.#parts;
    try {
      await store.wakeEventSource(nodeUuid);
      void this.receiving?.reconciler.wake();
    } catch (error) {
      log.warn({ err: error, node: nodeUuid }, 'an event source is looked at later');
    }
  }

  /** Another replica has made sources due. */
  othersDue(): void {
    void this.receiving?.reconciler.wake();
  }

  /** Waits a while until the subscription of a deleted node is removed. Never rejects. */
  async nodeDeleted(nodeUuid: string): Promise<void> {
    this.#parts.senders.forget(nodeUuid);
    await this.receiving?.reconciler.passed(nodeUuid, REMOVAL_WAIT).catch(() => {});
  }

  async #get(node: Node): Promise<StoredSource> {
    const source = await this.#parts.store.getEventSource(node.uuid);
    if (source === null) throw sourceNotFound(node);
    return source;
  }

  #receiving(): NonNullable<SourceManager['receiving']> {
    if (this.receiving !== null) return this.receiving;
    throw new PassthruError(
      'failed_precondition',
      'Events are not received here: set events.listen and events.url in the configuration.',
    );
  }
}

/** Implements `NodeEventSource`. */
class TaskSource implements NodeEventSource {
  readonly #sources: SourceManager;
  readonly #store: Store;
  readonly #nodeUuid: string;
  readonly #caller: Caller;

  constructor(sources: SourceManager, store: Store, nodeUuid: string, caller: Caller) {
    this.#sources = sources;
    this.#store = store;
    this.#nodeUuid = nodeUuid;
    this.#caller = caller;
  }

  async set(selection: EventSelection): Promise<void> {
    await this.#sources.set(this.#nodeUuid, { transport: null, selection }, this.#caller);
  }

  async delete(): Promise<boolean> {
    const source = await this.#store.getEventSource(this.#nodeUuid);
    if (source === null || source.state === 'deleting') return false;
    await this.#sources.delete(this.#nodeUuid, this.#caller);
    return true;
  }

  async subscription(): Promise<string | null> {
    return (await this.#store.getEventSource(this.#nodeUuid))?.subscription ?? null;
  }
}

function sourceNotFound({ uuid }: Node): PassthruError {
  return new PassthruError('event_source_not_found', `Node ${uuid} has no event source.`);
}

function isSame(known: SourceWish, wish: SourceWish): boolean {
  return known.transport === wish.transport && JSON.stringify(known.selection) === JSON.stringify(wish.selection);
}

function checkSelection(selection: EventSelection): void {
  for (const [name, values] of Object.entries(selection) as [keyof EventSelection, readonly string[]][]) {
    const field = `selection.${FIELD_NAMES[name]}`;
    if (values.length > MOST_VALUES) throw invalidArgument(field, `must have at most ${MOST_VALUES} values`);
    const wrong = values.find((value) => value === '' || value.length > LONGEST_VALUE || storableText(value) !== value);
    if (wrong !== undefined) throw invalidArgument(field, `each value must have 1 to ${LONGEST_VALUE} characters`);
  }
}

const FIELD_NAMES: Record<keyof EventSelection, string> = {
  registryPrefixes: 'registry_prefixes',
  messageIds: 'message_ids',
  resourceTypes: 'resource_types',
  severities: 'severities',
};
