// The hand-over of events to another system: in their order, at least once.
import { isStoreUnavailable, shuttingDown } from '../../errors.ts';
import type { Lease, Tenure } from '../../locks/lease.ts';
import type { Logger } from '../../logger.ts';
import type { Observer } from '../../observer.ts';
import type { Store } from '../../store.ts';
import { pause, settledWithin } from '../../waiting.ts';
import type { StoredEvent } from '../event.ts';
import type { Attempt, Delivery, HandoverSettings } from './handoverTarget.ts';

/** The interval at which a process looks whether it may hand over, in milliseconds. */
const CLAIM_INTERVAL = 1000;

/** The number of events read at once, which is the most that are delivered together. */
const READ_AT_ONCE = 500;

/** The interval at which new events are looked for without a notification, in milliseconds. */
const POLL_INTERVAL = 2000;

/** The interval at which the position is stored while events are delivered, in milliseconds. */
const RECORD_INTERVAL = 250;

/** The pauses before an event is delivered again, in milliseconds: they double from the first to the last. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;

/** The longest pause that a receiver may ask for, in milliseconds. */
const LONGEST_RETRY_AFTER = 3_600_000;

/** How long a delivery that is under way may take to end at a shutdown, in milliseconds. */
const STOP_TIME = 2000;

interface HandoverParts extends HandoverSettings {
  store: Store;
  lease: Lease;
  observer: Observer;
  log: Logger;
}

/**
 * Hands over each stored event to a target, one delivery after the other. The position is stored after the target has taken an
 * event, so that the next process to hand over delivers none too few, and some of the last ones again.
 */
export class EventHandover {
  readonly #parts: HandoverParts;
  readonly #stop = new AbortController();
  /** Ends a delivery that is under way. */
  readonly #cut = new AbortController();
  #woken = Promise.withResolvers<void>();
  #ended: Promise<void> = Promise.resolve();

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** Begins to hand over what is stored from now on, or since an earlier process did. Throws kind `store_unavailable`. */
  async begin(): Promise<void> {
    await this.#parts.store.beginHandover();
    this.#ended = this.#run();
  }

  /** Events were stored. */
  wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  /** Lets another process hand over. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort(shuttingDown());
    if (!(await settledWithin([this.#ended], STOP_TIME))) this.#cut.abort(shuttingDown());
    await this.#ended;
    await this.#parts.target.close();
  }

  async #run(): Promise<void> {
    const { store, lease, log } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const tenure = lease.current();
        const position = await store.claimHandover(tenure.id);
        if (position !== null) await this.#handOver(tenure, position);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'handing over events was interrupted, retrying');
      }
      await pause(CLAIM_INTERVAL, signal, false).catch(() => {});
    }
  }

  /** Hands over what is stored after `position` until this process stops, or loses its lease or the hand-over. */
  async #handOver(tenure: Tenure, position: number): Promise<void> {
    const { store, log } = this.#parts;
    const lost = new AbortController();
    tenure.guard(lost);
    const turn = new Turn(this.#parts, tenure, position, AbortSignal.any([this.#stop.signal, lost.signal]));
    const cut = AbortSignal.any([this.#cut.signal, lost.signal]);
    log.info({ position }, 'this process hands over events');
    try {
      for (let owns = true; owns; ) {
        const woken = this.#woken.promise;
        const more = await turn.handOverPage(cut);
        owns = await turn.record();
        if (owns && !more) await turn.idle(woken);
      }
      log.info({}, 'another process hands over events');
    } finally {
      tenure.unguard(lost);
      if (!tenure.lost) {
        await turn
          .record()
          .then(() => store.releaseHandover(tenure.id))
          .catch((error: unknown) => {
            if (!isStoreUnavailable(error)) log.warn({ err: error }, 'letting go of the hand-over of events failed');
          });
      }
    }
  }
}

/** The time in which one process hands over under one lease. */
class Turn {
  readonly #parts: HandoverParts;
  readonly #tenure: Tenure;
  /** Fires when nothing more is to be delivered. */
  readonly #signal: AbortSignal;
  #position: number;
  #recorded: number;
  #recordTime = performance.now();
  /** Whether no other process has taken over, as far as is known. */
  #owns = true;

  constructor(parts: HandoverParts, tenure: Tenure, position: number, signal: AbortSignal) {
    this.#parts = parts;
    this.#tenure = tenure;
    this.#position = position;
    this.#recorded = position;
    this.#signal = signal;
  }

  /**
   * Delivers the next events. Returns whether there may be more.
   * @param cut ends a delivery that is under way
   * @throws the reason of a signal that fired
   */
  async handOverPage(cut: AbortSignal): Promise<boolean> {
    const { store } = this.#parts;
    const events = await store.eventsAbove(this.#position, READ_AT_ONCE);
    const { log, floor } = await store.changeBounds('event');
    if (this.#position < floor) {
      await this.#tellMissed(log, floor, cut);
      return true;
    }
    for (let next = 0; next < events.length; ) {
      this.#signal.throwIfAborted();
      const { count, isDelivered } = await this.#deliver(events.slice(next), cut);
      if (isDelivered) this.#count('delivered', count);
      next += count;
      this.#position = events[next - 1]!.position;
      if (performance.now() - this.#recordTime >= RECORD_INTERVAL && !(await this.record())) return true;
    }
    return events.length > 0;
  }

  /** Stores how far events were handed over. Returns false when another process hands over by now. */
  async record(): Promise<boolean> {
    const position = this.#position;
    if (this.#owns && position !== this.#recorded) {
      this.#owns = await this.#parts.store.recordHandover(this.#tenure.id, position);
      this.#recorded = position;
      this.#recordTime = performance.now();
    }
    return this.#owns;
  }

  /** Waits until there may be new events. */
  async idle(woken: Promise<void>): Promise<void> {
    const over = new AbortController();
    try {
      const signal = AbortSignal.any([this.#signal, over.signal]);
      await Promise.race([woken, pause(POLL_INTERVAL, signal, false)]);
    } finally {
      over.abort();
    }
    this.#signal.throwIfAborted();
  }

  /** Tells that the events up to `floor` were removed before they could be delivered. */
  async #tellMissed(log: string, floor: number, cut: AbortSignal): Promise<void> {
    const count = floor - this.#position;
    const missed = { first: `${log}-${this.#position + 1}`, last: `${log}-${floor}`, count };
    this.#parts.log.error(missed, 'events were removed before they could be handed over: see events.keep_time');
    const deliver = async () => ({ delivery: await this.#parts.target.deliverMissed(missed, cut), count: 1 });
    await this.#insist(missed.last, deliver);
    this.#count('missed', count);
    this.#position = floor;
  }

  /** Delivers the first of some events, however long that takes. */
  async #deliver(events: readonly StoredEvent[], cut: AbortSignal): Promise<{ count: number; isDelivered: boolean }> {
    let given = events;
    return this.#insist(events[0]!.id, async () => {
      const attempt = await this.#parts.target.deliver(given, cut);
      const { count } = attempt;
      // One of them is what the receiver refuses: each half is less for it to stand in the way of.
      const isDivided = attempt.delivery.outcome === 'refused' && count > 1;
      given = events.slice(0, isDivided ? Math.ceil(count / 2) : count);
      return isDivided ? null : attempt;
    });
  }

  /**
   * Makes attempts until one succeeds.
   * @param deliver makes one; returns null when another is to follow at once
   * @returns what it was about; not delivered when it was skipped, since the receiver refuses it
   */
  async #insist(id: string, deliver: () => Promise<Attempt | null>): Promise<{ count: number; isDelivered: boolean }> {
    const { skipAfter, log } = this.#parts;
    let refusedSince: number | null = null;
    for (let attempt = 1; ; ) {
      this.#tenure.check();
      this.#signal.throwIfAborted();
      const made = await deliver();
      if (made === null) continue;
      const { delivery, count } = made;
      if (delivery.outcome === 'delivered') {
        if (attempt > 1) log.info({ event: id, attempt }, 'events are handed over again');
        return { count, isDelivered: true };
      }
      const { outcome, reason } = delivery;
      this.#count(outcome, 1);
      if (outcome === 'refused') refusedSince ??= performance.now();
      if (refusedSince !== null && skipAfter !== null && performance.now() - refusedSince >= skipAfter) {
        log.error({ event: id, attempt, reason }, 'an event that the receiver of the hand-over refuses was skipped');
        this.#count('skipped', 1);
        return { count, isDelivered: false };
      }
      const wait = retryAfter(delivery, attempt);
      const fields = { event: id, attempt, reason, retry_ms: Math.round(wait) };
      log.warn(fields, 'an event could not be handed over, retrying; the next ones wait for it');
      await pause(wait, this.#signal, false);
      attempt++;
    }
  }

  #count(outcome: Parameters<Observer['eventsHandedOver']>[0], count: number): void {
    this.#parts.observer.eventsHandedOver(outcome, count);
  }
}

/** Returns how long to wait before an event is delivered again, in milliseconds. */
function retryAfter(delivery: Exclude<Delivery, { outcome: 'delivered' }>, attempt: number): number {
  const wait = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(attempt - 1, 20)) * (0.5 + Math.random() / 2);
  return Math.max(wait, Math.min(delivery.retryAfter ?? 0, LONGEST_RETRY_AFTER));
}
