import { PassthruError } from '../../errors.ts';
import type { Node } from '../../node.ts';
import { maskOwnSecrets } from '../../secrets.ts';
import type { Store } from '../../store.ts';
import type { EventTransport } from '../eventSource.ts';
import type { BmcState, EventSubscription, EventsInterface } from '../eventsInterface.ts';
import type { Arrivals } from './arrivals.ts';
import type { EventStreams, NodeStream } from './eventStreams.ts';
import type { EventsWork } from './eventsWork.ts';
import { sameUri, stateChange } from './sourceChange.ts';
import { SWITCHED_OFF, sourceFault } from './sourceFault.ts';
import { gapOf, restartTime } from './sourceGap.ts';
import type { SourceProgress, StoredSource } from './sourceStore.ts';
import { newSourceToken, sourceTokenDigest } from './sourceToken.ts';
import { SubscriptionMarks } from './subscriptionMarks.ts';
import { isSelective, NOT_ARRIVED, testSource } from './testEvent.ts';

/** The kinds of errors by which a BMC refuses to send a test event. */
const REFUSALS: ReadonlySet<string> = new Set(['bmc_refused', 'bmc_failed']);

/** How long a stream may take to open within a pass, in milliseconds. */
const OPEN_TIME = 20_000;

export interface PassParts {
  store: Store;
  work: EventsWork;
  streams: EventStreams;
  arrivals: Arrivals;
  /** The URL by which BMCs reach the receiver, without a slash at its end. */
  url: string;
  serviceId: string;
  /** Milliseconds. */
  testInterval: number | null;
  testTimeout: number;
  /** The interval at which a source is verified, in milliseconds. */
  verifyInterval: number;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A stream that says nothing for so many intervals is proven by a test event, or opened again. */
const SILENT_INTERVALS = 2;

/** Why nothing arrives by a transport that a source had before it has another one. */
const PUSH_LOST = 'the BMC had lost the subscription, and takes no other';
const STREAM_LOST = 'the BMC had ended the stream of events, and opens no other';
const NO_POSTS = 'no post of the BMC has arrived';

/** The part of `SourceProgress` that a pass records before its end. */
type Record = (progress: Partial<SourceProgress>) => Promise<void>;

/**
 * One look after a source: it finds out what the BMC has, and makes it what is wished. Nothing is removed from a BMC but
 * subscriptions that this service has made for this node.
 */
export class SourcePass {
  readonly #parts: PassParts;
  readonly #source: StoredSource;
  readonly #node: Node;
  readonly #events: EventsInterface;
  readonly #marks: SubscriptionMarks;
  readonly #record: Record;
  readonly #signal: AbortSignal;
  /** What has changed so far. */
  #progress: Partial<SourceProgress> = {};
  #drift: string | null = null;
  /** See `BmcState.subscriptions`, as one text; null when the BMC did not tell. */
  found: string | null = null;

  /**
   * @param record stores a part of the progress at once; throws when another replica has the source by now
   * @throws as `EventsWork.interfaceOf`
   */
  constructor(parts: PassParts, source: StoredSource, node: Node, record: Record, signal: AbortSignal) {
    this.#parts = parts;
    this.#source = source;
    this.#node = node;
    this.#events = parts.work.interfaceOf(node);
    this.#marks = new SubscriptionMarks(parts.serviceId, node.uuid, parts.url);
    this.#record = record;
    this.#signal = signal;
  }

  /**
   * Makes the events of the node arrive. Returns what is to be recorded.
   * @param thorough whether to look for duplicates too
   * @param before `found` of the pass before; where it differs, the look is thorough
   * @throws what the steps throw that decide about the source
   */
  async run(thorough: boolean, before: string | null): Promise<Partial<SourceProgress>> {
    const { transport: wished, activeTransport, tokenGeneration, generation } = this.#source;
    this.#checkAddress();
    const stays = wished === null && activeTransport === 'sse' && tokenGeneration === generation;
    if (wished === 'sse') return this.#stream(thorough);
    try {
      return await (stays ? this.#stream(thorough) : this.#push(thorough, before));
    } catch (error) {
      if (wished !== null || !sourceFault(error).refused || this.#events.stream === undefined) throw error;
      // What the BMC refuses by one transport it may send by the other; if not, the first refusal says more.
      return await (stays ? this.#push(true, before) : this.#stream(true, PUSH_LOST)).catch(() => {
        if (!stays) this.#parts.streams.stop(this.#node.uuid);
        throw error;
      });
    }
  }

  /** Removes all subscriptions of this service for the node. */
  async remove(former: boolean): Promise<void> {
    const { work } = this.#parts;
    const { subscription } = this.#source;
    const removeAll = async (task: Parameters<EventsInterface['unsubscribe']>[0]) => {
      const { subscriptions, complete } = await this.#events.listSubscriptions(task);
      const own = subscriptions.filter((each) => this.#isOwn(each)).map(({ uri }) => uri);
      if (subscription !== null && !complete && !own.includes(subscription)) {
        // It may be the one that cannot be read, or by now that of another.
        const one = await this.#events.getSubscription(task, subscription);
        if (one !== null && this.#isOwn(one)) own.push(subscription);
      }
      for (const uri of own) await this.#events.unsubscribe(task, uri);
    };
    if (former) await work.changeFormer(this.#node, this.#signal, removeAll);
    else await work.change(this.#node, this.#signal, removeAll);
  }

  /** A node with another BMC gets another secret: the BMC that it had must not speak for it any more. */
  #checkAddress(): void {
    const address = this.#events.address(this.#node);
    const { address: before } = this.#source;
    if (before !== null && before !== address) {
      this.#note('the node has another BMC');
      this.#set({ subscription: null, tokenDigest: null, previousDigest: null, tokenGeneration: 0, lastReset: null });
      this.#set({ lastEventId: null, verifyTime: null });
    }
    this.#set({ address });
  }

  async #push(thorough: boolean, before: string | null): Promise<Partial<SourceProgress>> {
    const { work, streams } = this.#parts;
    const state = await work.read(this.#node, this.#signal, (task) => this.#readState(task));
    this.found = state.subscriptions?.toSorted().join('\n') ?? null;
    const changed = this.found !== null && this.found !== before;
    const reset = this.#restartedAt(state);
    const known = await this.#known();
    let fault = this.#fault(known);
    if (fault !== null || reset !== null || thorough || changed || this.#get('previousDigest') !== null) {
      fault = await this.#repair(fault, reset);
    }
    streams.stop(this.#node.uuid);
    if (fault === null) await this.#tellGap(null, reset);
    this.#set({ lastReset: state.lastReset ?? this.#get('lastReset') });
    const made = fault !== null;
    const tested = await this.#test(made);
    const again = tested !== null && this.#source.lastTest?.error != null;
    if (again && this.#source.transport === null && this.#events.stream !== undefined) {
      // Posts do not arrive, time after time; the stream may.
      const streamed = await this.#stream(true, NO_POSTS).catch(() => null);
      if (streamed !== null) return streamed;
    }
    return this.#active('push', tested);
  }

  /** Returns the subscription that was recorded, as the BMC shows it; null when it has none. */
  async #known(): Promise<EventSubscription | null> {
    const uri = this.#get('subscription');
    if (uri === null) return null;
    return this.#parts.work.read(this.#node, this.#signal, (task) => this.#events.getSubscription(task, uri));
  }

  /** Returns why a subscription is not as wished; null when it is. */
  #fault(subscription: EventSubscription | null): string | null {
    const isChanged = this.#get('tokenGeneration') !== this.#source.generation;
    if (this.#get('tokenDigest') === null) {
      return this.#source.activeTransport === 'sse' && !isChanged ? STREAM_LOST : 'new';
    }
    if (isChanged) return 'the wish was changed';
    if (subscription === null) return this.#get('subscription') === null ? 'new' : 'the BMC had lost the subscription';
    if (subscription.fault !== null) return `the BMC had disabled the subscription (${subscription.fault})`;
    return this.#marks.fault(subscription, this.#get('tokenDigest')!);
  }

  /**
   * Looks at all subscriptions of the BMC, makes the one that is missing, and removes others of this service.
   * @returns the fault if a subscription was made; null when it was there
   */
  async #repair(fault: string | null, reset: number | null): Promise<string | null> {
    const { work } = this.#parts;
    const { subscriptions, complete } = await work.read(this.#node, this.#signal, (task) =>
      this.#events.listSubscriptions(task),
    );
    const own = subscriptions.filter((each) => this.#isOwn(each));
    // One may have been made by a process that was lost before it could tell, or the BMC has given it another URI.
    const isKnown = ({ uri }: { uri: string }) => sameUri(uri, this.#get('subscription') ?? '');
    const alike = own.filter((each) => this.#isGood(each));
    const good: { uri: string } | undefined =
      alike.find(isKnown) ?? alike[0] ?? (fault === null ? this.#hidden() : undefined);
    const stale = own.filter(({ uri }) => good === undefined || !sameUri(uri, good.uri)).map(({ uri }) => uri);
    if (good !== undefined) {
      if (this.#source.subscription !== null && !isKnown(good)) this.#note('the BMC had moved the subscription');
      this.#set({ subscription: good.uri });
    } else if (!complete && fault === 'the BMC had lost the subscription') {
      // It may be one of those that cannot be read.
      throw new PassthruError('bmc_failed', 'Some subscriptions of the BMC cannot be read, of which one may be ours.');
    }
    if (good !== undefined && stale.length === 0) {
      if (complete) this.#set({ previousDigest: null });
      return null;
    }
    const reason = fault ?? 'the BMC had lost the subscription';
    await work.change(this.#node, this.#signal, async (task) => {
      if (good === undefined) {
        await this.#subscribe(task, stale);
        // At once: whatever fails from here on, the next pass finds the subscription as wished.
        await this.#tellGap(reason, reset);
      }
      for (const uri of stale) await this.#events.unsubscribe(task, uri);
    });
    if (stale.length > 0)
      this.#note(`removed ${stale.length} subscription${stale.length > 1 ? 's' : ''} of an earlier time`);
    this.#set({ previousDigest: null });
    if (good !== undefined) return null;
    if (reason !== 'new') this.#note(reason);
    return reason;
  }

  /** Returns the recorded subscription, which is as wished as far as the BMC shows it. */
  #hidden(): { uri: string } {
    return { uri: this.#get('subscription')! };
  }

  /** Makes a subscription. Its secret is stored before, so that it is known whatever becomes of this process. */
  async #subscribe(task: Parameters<EventsInterface['subscribe']>[0], stale: string[]): Promise<void> {
    const { generation, selection, renewals } = this.#source;
    const token = newSourceToken();
    const inUse = this.#get('subscription') !== null;
    this.#set({
      // The one before may send until the new one does.
      previousDigest: inUse ? this.#get('tokenDigest') : this.#get('previousDigest'),
      tokenDigest: sourceTokenDigest(token),
      tokenGeneration: generation,
      subscription: null,
    });
    await this.#record(this.#progress);
    const subscription = {
      destination: this.#marks.destination(token),
      context: this.#marks.context(generation),
      selection,
    };
    let uri: string;
    try {
      uri = await this.#events.subscribe(task, subscription);
    } catch (error) {
      if (stale.length === 0 || !sourceFault(error).refused) throw error;
      // Those of an earlier time may be what takes the room.
      for (const old of stale.splice(0)) await this.#events.unsubscribe(task, old);
      uri = await this.#events.subscribe(task, subscription);
    }
    const isFirst = this.#source.verifyTime === null && renewals === 0 && !inUse;
    this.#set({ subscription: uri, renewals: isFirst ? renewals : renewals + 1 });
    await this.#record(this.#progress);
  }

  /** Whether a subscription is the one that is wished. */
  #isGood(subscription: EventSubscription): boolean {
    const digest = this.#get('tokenDigest');
    if (digest === null || this.#get('tokenGeneration') !== this.#source.generation) return false;
    return subscription.fault === null && this.#marks.fault(subscription, digest) === null;
  }

  #isOwn(subscription: EventSubscription): boolean {
    const digests = [this.#source.tokenDigest, this.#source.previousDigest, this.#get('tokenDigest')];
    return this.#marks.isOwn(subscription, digests);
  }

  /** @param why why nothing arrives by the transport that the source has without another wish; null when that is the stream */
  async #stream(thorough: boolean, why: string | null = null): Promise<Partial<SourceProgress>> {
    const { streams, work, now, verifyInterval } = this.#parts;
    const { generation, verifyTime, lastEventId, activeTransport, reason } = this.#source;
    const state = await work.read(this.#node, this.#signal, (task) => this.#readState(task));
    const reset = this.#restartedAt(state);
    const key = JSON.stringify([generation, this.#get('address'), this.#node.updateTime]);
    const had = activeTransport === 'sse' ? 'the service did not read the stream' : why;
    const received = verifyTime === null || had === null ? null : { until: verifyTime.getTime(), why: had };
    const stream = streams.ensure(this.#node, key, lastEventId, received);
    if (reset !== null) {
      this.#note('the BMC had restarted');
      const { opened } = stream.times;
      if (opened !== null && opened < reset) stream.renew('The BMC has restarted.');
    }
    // The BMC can be reached, as its state was read.
    if (stream.status.state === 'broken') stream.renew('');
    await this.#opened(stream);
    if (thorough || this.#get('subscription') !== null) await this.#unsubscribe();
    if (reason?.startsWith(SWITCHED_OFF)) await this.#tellGap(null, null);
    this.#set({ tokenGeneration: generation, lastReset: state.lastReset ?? this.#get('lastReset') });
    const { heard } = stream.times;
    const isSilent = heard !== null && now() - heard > SILENT_INTERVALS * verifyInterval;
    let tested = await this.#test(activeTransport !== 'sse' || isSilent);
    if (isSilent && stream.times.heard === heard) {
      stream.renew('The BMC has said nothing for long.');
      await this.#opened(stream);
      tested = await this.#test(true);
    }
    this.#set({ lastEventId: stream.status.lastEventId });
    return this.#active('sse', tested);
  }

  /** Waits until a stream is open. Throws why it is not. */
  async #opened(stream: NodeStream): Promise<void> {
    await stream.settled(OPEN_TIME);
    const { state, error, lastEventId } = stream.status;
    if (state === 'open') return;
    if (error instanceof PassthruError && error.kind === 'bmc_unsupported') this.#parts.streams.stop(this.#node.uuid);
    this.#set({ lastEventId });
    throw error ?? new PassthruError('bmc_timeout', 'The stream of events does not open.');
  }

  /** Removes the subscriptions of this service, which would send everything twice. */
  async #unsubscribe(): Promise<void> {
    const { work } = this.#parts;
    const { subscriptions } = await work.read(this.#node, this.#signal, (task) => this.#events.listSubscriptions(task));
    const own = subscriptions.filter((each) => this.#isOwn(each));
    if (own.length > 0) {
      await work.change(this.#node, this.#signal, async (task) => {
        for (const { uri } of own) await this.#events.unsubscribe(task, uri);
      });
    }
    this.#set({ subscription: null, tokenDigest: null, previousDigest: null });
  }

  async #readState(task: Parameters<EventsInterface['subscribe']>[0]): Promise<BmcState> {
    return (await this.#events.readState?.(task)) ?? { clock: null, lastReset: null, subscriptions: null };
  }

  /** Returns when the BMC has restarted since the last pass; null when it has not, or does not tell. */
  #restartedAt(state: BmcState): number | null {
    return restartTime(this.#get('lastReset'), state, this.#parts.now());
  }

  /**
   * Tells that nothing could arrive for a time.
   * @param fault why a subscription was made; null when it was there
   * @param reset when the BMC has restarted; null when it has not
   */
  async #tellGap(fault: string | null, reset: number | null): Promise<void> {
    if (reset !== null) this.#note('the BMC had restarted');
    const gap = gapOf(this.#source, fault, reset, this.#parts.now());
    if (gap !== null) await this.#parts.arrivals.noteGap(this.#node.uuid, gap);
  }

  /**
   * Requests a test event when one is due.
   * @returns why it did not arrive; null when it did, none was due, or that proves nothing
   */
  async #test(isNew: boolean): Promise<string | null> {
    const { testInterval, now } = this.#parts;
    const { lastTest, lastEventTime, selection } = this.#source;
    const proves = !isSelective(selection);
    const heardSince = lastTest !== null && (lastEventTime?.getTime() ?? 0) > lastTest.requestTime.getTime();
    const failed = proves && lastTest?.error?.startsWith(NOT_ARRIVED) === true && !heardSince;
    const old = testInterval !== null && (lastTest === null || now() - lastTest.requestTime.getTime() > testInterval);
    if (testInterval === null || !(isNew || failed || old)) return null;
    const requestTime = new Date(now());
    try {
      const test = await testSource(this.#parts, this.#node, selection, this.#signal);
      if (test === null) return null;
      this.#set({ lastTest: test });
      return proves ? test.error : null;
    } catch (error) {
      if (!(error instanceof PassthruError) || !REFUSALS.has(error.kind)) throw error;
      // The subscription is there; that it cannot be proven is no fault of it.
      this.#set({ lastTest: { requestTime, roundTrip: null, error: maskOwnSecrets(error.message) } });
      return null;
    }
  }

  #active(transport: EventTransport, testError: string | null): Partial<SourceProgress> {
    const now = new Date(this.#parts.now());
    const state = testError === null ? 'active' : 'degraded';
    this.#set({ activeTransport: transport, verifyTime: now, ...stateChange(this.#source, state, testError, now) });
    if (this.#drift !== null) this.#set({ lastDrift: this.#drift, lastDriftTime: now });
    return this.#progress;
  }

  #note(drift: string): void {
    this.#drift = this.#drift === null ? drift : `${this.#drift}; ${drift}`;
  }

  #set(progress: Partial<SourceProgress>): void {
    this.#progress = { ...this.#progress, ...progress };
  }

  #get<K extends keyof SourceProgress>(member: K): SourceProgress[K] {
    return member in this.#progress ? (this.#progress[member] as SourceProgress[K]) : this.#source[member];
  }
}
