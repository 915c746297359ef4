import type { ServerResponse } from 'node:http';
import type { Json, JsonObject } from '../../core/json.ts';
import type { BmcState, EventOutlet } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { lastSegment, linkPath, memberPaths } from '../documents.ts';
import { addSubscription } from '../subscriptions.ts';
import { type EventCounters, noEvents } from './counters.ts';
import { isWanted, takesReports } from './filters.ts';
import { DEFAULT_HABITS, type EventHabits } from './habits.ts';
import { messagesOf } from './messageTexts.ts';
import type { Post } from './pushSender.ts';
import { PushSender } from './pushSender.ts';
import type { EventInput, ReportInput, SimEvent } from './records.ts';
import { envelopeOf, makeEvent, recordOf, reportOf } from './records.ts';
import type { StreamedEvent } from './streams.ts';
import { EventStream, Replay } from './streams.ts';

/** What the events of a BMC need of it. */
export interface BmcEventsOptions {
  state: () => BmcState;
  /** Returns the BMC's clock, in milliseconds since the epoch. */
  now: () => number;
  /** Whether it is booting: nothing is noticed then. */
  isBooting: () => boolean;
  /** Resolves when the BMC is on the network; null while it is. */
  present: () => Promise<void> | null;
  /** Called when the retries of a subscription are used up. Returns whether the BMC has a reaction of its own. */
  deliveryFailed: (path: string) => boolean;
  /** Milliseconds between two attempts; null: as its event service says. */
  retryInterval: number | null;
  /** Milliseconds that a subscriber has to respond. */
  timeout: number;
  /** Certificates (PEM) that the BMC trusts in place of the usual ones. */
  trusted: string | Buffer | undefined;
  /** The number of acknowledged ids that are kept at least, the newest ones. */
  keepAcknowledged: number;
}

/** The events of one BMC: made on request, and sent to its subscriptions and streams. */
export class BmcEvents implements EventOutlet {
  readonly habits: EventHabits;
  readonly #options: BmcEventsOptions;
  /** Those that a client made; others, of a capture, may name real hosts. By path. */
  readonly #senders = new Map<string, PushSender>();
  readonly #headers = new Map<string, Json>();
  readonly #streams = new Map<string, EventStream>();
  readonly #replay: Replay;
  #acknowledged: string[] = [];
  #counters = noEvents();
  #lastId = 0;
  #messageIds: readonly string[] | null = null;

  constructor(habits: readonly (Partial<EventHabits> | undefined)[], options: BmcEventsOptions) {
    this.habits = Object.assign({}, DEFAULT_HABITS, ...habits);
    this.#options = options;
    this.#replay = new Replay(this.habits.replays);
  }

  /** The EventIds that subscribers have acknowledged, oldest first, once for each subscription. */
  get acknowledged(): readonly string[] {
    return this.#acknowledged;
  }

  get counters(): Readonly<EventCounters> {
    return { ...this.#counters };
  }

  /** The messages of its registries that are events, by their ids; never empty. */
  get messageIds(): readonly string[] {
    this.#messageIds ??= this.#findMessageIds();
    return this.#messageIds;
  }

  /** The number of posts that wait to be sent. */
  get waiting(): number {
    return [...this.#senders.values()].reduce((sum, sender) => sum + sender.waiting, 0);
  }

  /** The number of open streams. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Makes an event, or several that are sent in one post, and sends it. Returns the EventIds. */
  send(input: EventInput | readonly EventInput[] = {}): string[] {
    const inputs = Array.isArray(input) ? (input as readonly EventInput[]) : [input as EventInput];
    return this.#send(inputs, false);
  }

  /** Sends the event that SubmitTestEvent asks for. */
  sendTest(input: EventInput): string[] {
    return this.#send([input], true);
  }

  /** Sends a metric report to the subscriptions that take them. Returns its ReportSequence. */
  sendReport(input: ReportInput): string {
    const { state, now, isBooting } = this.#options;
    const id = this.#nextId();
    this.#counters.made++;
    if (isBooting()) return id;
    const time = now();
    this.#deliver(id, (subscription) => {
      if (!takesReports(subscription)) return null;
      return { ids: [id], body: this.#bodyOf(reportOf(id, input, time, subscription.Context ?? ''), state()) };
    });
    return id;
  }

  /** Whether the queue of a subscription is full, so that it would drop the next event. */
  get isFull(): boolean {
    return [...this.#senders.values()].some((sender) => sender.waiting >= this.habits.queue);
  }

  /** Resolves when nothing waits to be sent any more. */
  async idle(): Promise<void> {
    await Promise.all([...this.#senders.values()].map((sender) => sender.idle()));
  }

  subscribed(path: string, headers: Json): void {
    this.#headers.set(path, headers);
    this.#senders.set(path, this.#makeSender(path));
  }

  headersChanged(path: string, headers: Json): void {
    this.#headers.set(path, headers);
  }

  /** Loses a subscription by its Id, or all that clients made, as a BMC does without a word. Returns their number. */
  drop(id?: string): number {
    return this.#each(id, (path) => {
      this.#options.state().documents.removeMember(path);
      this.unsubscribed(path);
    });
  }

  /** Disables a subscription by its Id, or all that clients made. Returns their number. */
  disable(id?: string): number {
    return this.#each(id, (path, document) => {
      const { documents } = this.#options.state();
      documents.set(path, { ...document, Status: { State: 'Disabled', Health: 'Warning' } });
    });
  }

  moved(from: string, to: string): void {
    const headers = this.#headers.get(from) ?? null;
    if (!this.#senders.has(from)) return;
    this.unsubscribed(from);
    this.subscribed(to, headers);
  }

  unsubscribed(path: string): void {
    this.#senders.get(path)?.close();
    this.#senders.delete(path);
    this.#headers.delete(path);
    this.#streams.get(path)?.close();
    this.#streams.delete(path);
  }

  openStream(filters: JsonObject, lastEventId: string | undefined): (response: ServerResponse) => void {
    const { state } = this.#options;
    const path = addSubscription(state(), { SubscriptionType: 'SSE', ...filters, Destination: null });
    return (response) => {
      const stream = new EventStream(path, response, this.habits);
      this.#streams.set(path, stream);
      response.once('close', () => {
        this.#streams.delete(path);
        if (state().documents.get(path)) state().documents.removeMember(path);
      });
      const document = state().documents.get(path);
      if (lastEventId === undefined || !document) return;
      for (const event of this.#missed(lastEventId, document)) this.#write(stream, event);
    };
  }

  /** Ends all streams: by an end of the response, or by a reset. Returns their number. */
  endStreams(how: 'end' | 'reset' = 'end'): number {
    const streams = [...this.#streams.values()];
    for (const stream of streams) {
      if (how === 'reset') stream.cut();
      else stream.close();
    }
    return streams.length;
  }

  /** Forgets all streams, whose connections stay open: nothing is written to them any more. Returns their number. */
  forgetStreams(): number {
    const paths = [...this.#streams.keys()];
    for (const path of paths) {
      this.#streams.delete(path);
      this.#options.state().documents.removeMember(path);
    }
    return paths.length;
  }

  /** Writes a text to all streams, as it is. */
  writeToStreams(text: string): void {
    for (const stream of this.#streams.values()) stream.writeText(text);
  }

  /** Loses what a restart loses: what waits, what could be replayed, and the streams. */
  restarted(): void {
    for (const path of [...this.#senders.keys()]) {
      this.#senders.get(path)?.close();
      if (this.#options.state().documents.get(path)) this.#senders.set(path, this.#makeSender(path));
      else this.unsubscribed(path);
    }
    for (const path of [...this.#streams.keys()]) {
      this.#options.state().documents.removeMember(path);
      this.unsubscribed(path);
    }
    this.#replay.clear();
    if (this.habits.idsStartOver) this.#lastId = 0;
  }

  /** Restores the initial state. */
  reset(): void {
    this.close();
    this.#senders.clear();
    this.#headers.clear();
    this.#replay.clear();
    this.#counters = noEvents();
    this.#acknowledged = [];
    this.#lastId = 0;
  }

  /** Drops what waits, and closes connections and streams. */
  close(): void {
    for (const sender of this.#senders.values()) sender.close();
    for (const stream of this.#streams.values()) stream.close();
  }

  #each(id: string | undefined, change: (path: string, document: RedfishDocument) => void): number {
    const { documents } = this.#options.state();
    const paths = [...this.#senders.keys(), ...this.#streams.keys()].filter(
      (path) => documents.get(path) && (id === undefined || lastSegment(path) === id),
    );
    for (const path of paths) change(path, documents.get(path) as RedfishDocument);
    return paths.length;
  }

  /** Returns what a stream missed; all that is kept, with a warning before, when its last event is too old. */
  #missed(lastEventId: string, subscription: RedfishDocument): StreamedEvent[] {
    if (this.habits.replays === 0) return [];
    const missed = this.#replay.after(lastEventId, subscription);
    if (missed) return missed;
    const warning = this.#make({ messageId: 'Base.1.18.EventBufferExceeded' }, '');
    const envelope = envelopeOf(warning.id, [recordOf(warning, 0)], subscription.Context ?? '');
    return [{ id: warning.id, body: JSON.stringify(envelope) }, ...this.#replay.all(subscription)];
  }

  #findMessageIds(): string[] {
    const known = [...messagesOf(this.#options.state().blueprint.documents).values()].map(({ id }) => id);
    const ids = known.filter((id) => !id.startsWith('Base.'));
    return ids.length > 0 ? ids : [this.habits.messageId];
  }

  #nextId(): string {
    this.#lastId++;
    return String(this.#lastId);
  }

  #make(input: EventInput, messageId: string): SimEvent {
    const { state, now } = this.#options;
    const defaults = { id: () => this.#nextId(), messageId, origin: this.#system(), now: now() };
    return makeEvent(input, defaults, state().blueprint.documents);
  }

  #send(inputs: readonly EventInput[], isTest: boolean): string[] {
    const { messageId, testMessageId, filters: hasFilters, testsFiltered } = this.habits;
    const filters = hasFilters && (testsFiltered || !isTest);
    const events = inputs.map((input) => this.#make(input, isTest ? testMessageId : messageId));
    const ids = events.map(({ id }) => id);
    this.#counters.made += events.length;
    const { state, isBooting } = this.#options;
    const [id] = ids;
    if (isBooting() || id === undefined) return ids;
    const bmc = state();
    const records = events.map((event, member) =>
      bmc.blueprint.quirks.reduce(
        (record, quirk) => quirk.changeRecord?.(record, bmc, isTest) ?? record,
        recordOf(event, member),
      ),
    );
    this.#deliver(id, (subscription) => {
      const wanted = filters ? events.map((event) => isWanted(event, subscription)) : events.map(() => true);
      if (!wanted.includes(true)) return null;
      const chosen = records.filter((_, index) => wanted[index]);
      return {
        ids: ids.filter((_, index) => wanted[index]),
        body: this.#bodyOf(envelopeOf(id, chosen, subscription.Context ?? ''), bmc),
      };
    });
    return ids;
  }

  #bodyOf(body: JsonObject, bmc: BmcState): string {
    const changed = bmc.blueprint.quirks.reduce<Json>(
      (before, quirk) => quirk.changeEnvelope?.(before, bmc) ?? before,
      body,
    );
    return JSON.stringify(changed, null, this.habits.indent);
  }

  #deliver(id: string, postFor: (subscription: RedfishDocument) => Post | null): void {
    this.#replay.add(id, (subscription) => postFor(subscription)?.body ?? null);
    for (const [path, sender] of this.#senders) {
      const document = this.#document(path);
      const post = document && postFor(document);
      if (post) sender.push(post);
    }
    for (const [path, stream] of this.#streams) {
      const document = this.#document(path);
      const post = document && postFor(document);
      if (post) this.#write(stream, { id, body: post.body });
    }
  }

  #write(stream: EventStream, event: StreamedEvent): void {
    this.#counters.streamed++;
    stream.write(event);
  }

  #makeSender(path: string): PushSender {
    const { present, timeout, trusted, keepAcknowledged } = this.#options;
    return new PushSender({
      habits: this.habits,
      subscription: () => this.#document(path),
      headers: () => this.#headers.get(path) ?? null,
      retryInterval: () => this.#retryInterval(),
      timeout,
      trusted,
      present,
      counters: () => this.#counters,
      acknowledged: (ids) => {
        this.#acknowledged.push(...ids);
        // Not at every one, as it copies the list.
        if (this.#acknowledged.length > 2 * keepAcknowledged) {
          this.#acknowledged = this.#acknowledged.slice(-keepAcknowledged);
        }
      },
      failed: () => this.#failed(path),
    });
  }

  /** Ends the subscription as its policy, or the BMC's own reaction, has it. */
  #failed(path: string): void {
    const { state, deliveryFailed } = this.#options;
    const document = this.#document(path);
    if (!document) return;
    if (deliveryFailed(path)) {
      if (!state().documents.get(path)) this.unsubscribed(path);
      return;
    }
    const policy = document.DeliveryRetryPolicy ?? this.habits.retryPolicy;
    if (policy === 'None') return;
    if (policy === 'SuspendRetries') {
      this.disable(lastSegment(path));
    } else {
      state().documents.removeMember(path);
      this.unsubscribed(path);
    }
  }

  /** Returns the subscription; null when it is gone or switched off. */
  #document(path: string): RedfishDocument | null {
    const { documents, blueprint } = this.#options.state();
    const document = documents.get(path);
    if (!document || documents.get(blueprint.eventService ?? '')?.ServiceEnabled === false) return null;
    const { Status: status } = document;
    return typeof status === 'object' && status !== null && 'State' in status && status.State === 'Disabled'
      ? null
      : document;
  }

  #retryInterval(): number {
    const { retryInterval, state } = this.#options;
    const { documents, blueprint } = state();
    const seconds = documents.get(blueprint.eventService ?? '')?.DeliveryRetryIntervalSeconds;
    return retryInterval ?? (typeof seconds === 'number' ? seconds : 30) * 1000;
  }

  #system(): string {
    const { documents } = this.#options.state();
    return memberPaths(documents.get(linkPath(documents.get(ROOT)?.Systems) ?? ''))[0] ?? ROOT;
  }
}
