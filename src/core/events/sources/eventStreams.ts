import { isStoreUnavailable, PassthruError, toPassthruError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Node } from '../../node.ts';
import { pause, untilStored } from '../../waiting.ts';
import type { EventRecord } from '../event.ts';
import type { EventIntake } from '../eventIntake.ts';
import type { EventsWork } from './eventsWork.ts';

/** The pauses before a stream is opened again, in milliseconds: they double from the first to the last. */
const FIRST_PAUSE = 1000;
const LAST_PAUSE = 60_000;

/** How long a stream must last to count as one that works, in milliseconds. */
const STEADY = 30_000;

/** A stream that the service itself opens again sooner than this after it was heard, in milliseconds, has no gap to tell. */
const SHORT_BREAK = 1000;

/** Unreadable events are told together, as often as this, in milliseconds. */
const DROPPED_INTERVAL = 60_000;

/** How often storing an event is tried that the store, which can be reached, does not take. */
const MAX_REFUSALS = 3;

/** How a stream of a node is. */
export interface StreamStatus {
  state: 'opening' | 'open' | 'broken';
  /** Why it is broken; null otherwise. */
  error: unknown;
  /** The id of the last event that was stored; null before one with an id. */
  lastEventId: string | null;
}

/** When events could arrive for the last time, in milliseconds since 1970, and why they cannot since. */
export interface Received {
  until: number;
  why: string;
}

interface StreamParts {
  work: EventsWork;
  intake: EventIntake;
  /** Returns the records in what a BMC sent. Throws when it holds none. */
  parse: (body: string) => EventRecord[];
  /** Milliseconds since 1970. */
  now: () => number;
  /** Called when the status of a node's stream has changed. */
  changed: (nodeUuid: string) => void;
  /** Ends the attempts to store what has arrived. */
  storeClosed: AbortSignal;
  log: Logger;
}

/** The streams of events that this process reads, one for each node, each opened again until it is stopped. */
export class EventStreams {
  readonly #parts: StreamParts;
  readonly #streams = new Map<string, NodeStream>();

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  /** Returns the status of the node's stream; null when there is none. */
  status(nodeUuid: string): StreamStatus | null {
    return this.#streams.get(nodeUuid)?.status ?? null;
  }

  /**
   * Reads the stream of a node from now on, unless that is done already under the same key.
   * @param key equal while the node's BMC and the wish are the same
   * @param received when events could arrive for the last time, and why they cannot since; null when it is the first time
   */
  ensure(node: Node, key: string, lastEventId: string | null, received: Received | null): NodeStream {
    const known = this.#streams.get(node.uuid);
    if (known?.key === key) return known;
    known?.stop();
    const stream = new NodeStream(node, key, this.#parts, lastEventId, received);
    this.#streams.set(node.uuid, stream);
    return stream;
  }

  /** Ends the stream of a node. */
  stop(nodeUuid: string): void {
    this.#streams.get(nodeUuid)?.stop();
    this.#streams.delete(nodeUuid);
  }

  /** Ends all streams, and resolves when they have ended. */
  async stopAll(): Promise<void> {
    const all = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of all) stream.stop();
    await Promise.all(all.map(({ ended }) => ended));
  }
}

/** One stream. */
export class NodeStream {
  readonly key: string;
  readonly ended: Promise<void>;
  readonly status: StreamStatus;
  readonly #node: Node;
  readonly #parts: StreamParts;
  readonly #stop = new AbortController();
  /** Whether the service ended the last reading, and not the BMC. */
  #isRenewed = false;
  /** Ends the reading that is under way. */
  #renewal = new AbortController();
  /** When the BMC was last heard, in milliseconds since 1970; null before it was. */
  #heard: number | null;
  /** When it was opened, in milliseconds since 1970; null before it was. */
  #openTime: number | null = null;
  /** Why nothing arrives now. */
  #why: string;
  #settled = Promise.withResolvers<void>();
  /** When an event that could not be read was told last, and when the first one came that was not; milliseconds since 1970. */
  #droppedTold = 0;
  #droppedSince: number | null = null;

  constructor(node: Node, key: string, parts: StreamParts, lastEventId: string | null, received: Received | null) {
    this.key = key;
    this.#node = node;
    this.#parts = parts;
    this.#heard = received?.until ?? null;
    this.#why = received?.why ?? '';
    this.status = { state: 'opening', error: null, lastEventId };
    this.ended = this.#run();
  }

  /** Waits until the first attempt to open it has ended, or the first one since `renew`, up to `time` milliseconds. */
  async settled(time: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, time).unref();
    });
    await Promise.race([this.#settled.promise, late]);
    clearTimeout(timer);
  }

  /** When the BMC was heard last, and when the stream was opened, in milliseconds since 1970; null before. */
  get times(): { heard: number | null; opened: number | null } {
    return { heard: this.#heard, opened: this.#openTime };
  }

  /** Opens the stream again, of which it is doubtful that it works, or which is broken: now, without another pause. */
  renew(why: string): void {
    this.#settled = Promise.withResolvers();
    if (this.status.state === 'open') this.status.state = 'opening';
    this.#renewal.abort(new PassthruError('bmc_unreachable', why));
  }

  stop(): void {
    this.#stop.abort(new PassthruError('cancelled', 'The stream of events was ended.'));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let wait = FIRST_PAUSE;
    while (!signal.aborted) {
      this.#renewal = new AbortController();
      const begun = this.#parts.now();
      let error: unknown = new PassthruError('bmc_unreachable', 'The BMC ended the stream of events.');
      try {
        await this.#read(AbortSignal.any([signal, this.#renewal.signal]));
      } catch (thrown) {
        error = thrown;
      }
      if (signal.aborted) break;
      this.#why = error instanceof PassthruError ? error.message : 'the stream of events broke';
      this.#isRenewed = this.#renewal.signal.aborted;
      if (this.#isRenewed) continue;
      this.#set('broken', error);
      this.#settled.resolve();
      wait = this.#parts.now() - begun > STEADY ? FIRST_PAUSE : Math.min(wait * 2, LAST_PAUSE);
      const over = AbortSignal.any([signal, this.#renewal.signal]);
      await pause(wait * (0.5 + Math.random() / 2), over, false).catch(() => {});
    }
    this.#settled.resolve();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { work, now } = this.#parts;
    const node = this.#node;
    const events = work.interfaceOf(node);
    if (events.stream === undefined) {
      throw new PassthruError('bmc_unsupported', `The driver '${node.driver}' reads no streams of events.`);
    }
    let told: Promise<void> = Promise.resolve();
    await work.read(node, signal, (task) =>
      events.stream!(task, this.status.lastEventId, {
        opened: () => {
          told = this.#noteGap();
          this.#heard = now();
          this.#openTime = now();
          this.#set('open', null);
          this.#settled.resolve();
        },
        alive: () => {
          this.#heard = now();
        },
        event: async (id, body) => {
          await told;
          if (body === null) await this.#drop('an event of more than 1 MiB, which was dropped');
          else await this.#store(body);
          if (id !== null) this.status.lastEventId = id;
        },
      }),
    );
    await told;
  }

  /** Stores an event however long the store is away: the BMC does not send it again. */
  async #store(body: string): Promise<void> {
    const { intake, parse, log } = this.#parts;
    let records: EventRecord[];
    try {
      records = parse(body);
    } catch (error) {
      log.warn({ err: error, node: this.#node.uuid }, 'a BMC sent an event that cannot be read, dropped');
      return this.#drop('an event that cannot be read, which was dropped');
    }
    let refusals = 0;
    const step = async () => {
      try {
        await intake.take(this.#node.uuid, records);
      } catch (error) {
        if (isPassing(error) || ++refusals < MAX_REFUSALS) throw error;
        log.error({ err: error, node: this.#node.uuid }, 'a BMC sent an event that cannot be stored, dropped');
        await this.#drop('an event that cannot be stored, which was dropped');
      }
    };
    await this.#insist(step);
  }

  /** Tells that an event was dropped, with those that were since it was told last: a BMC may send nothing else. */
  async #drop(what: string): Promise<void> {
    const { intake, now } = this.#parts;
    const end = now();
    this.#droppedSince ??= end;
    if (end - this.#droppedTold < DROPPED_INTERVAL) return;
    const gap = {
      kind: 'gap' as const,
      start: new Date(this.#droppedSince),
      end: new Date(end),
      message: `The BMC sent ${what}`,
    };
    this.#droppedTold = end;
    this.#droppedSince = null;
    await this.#insist(() => intake.noteGap(this.#node.uuid, gap));
  }

  /** Tells that nothing could arrive since the BMC was last heard. When it ended the stream, what it sent meanwhile is lost. */
  async #noteGap(): Promise<void> {
    const { intake, now } = this.#parts;
    const [start, end] = [this.#heard, now()];
    if (start === null || (this.#isRenewed && end - start < SHORT_BREAK)) return;
    const replay = this.status.lastEventId === null ? '' : '; the BMC sends again what it has kept';
    const message = `The stream of events was broken${replay}: ${this.#why}`;
    const gap = { kind: 'gap' as const, start: new Date(start), end: new Date(end), message };
    await this.#insist(() => intake.noteGap(this.#node.uuid, gap));
  }

  #insist(step: () => Promise<void>): Promise<void> {
    const { storeClosed, log } = this.#parts;
    const end = AbortSignal.any([storeClosed, this.#stop.signal]);
    return untilStored(step, end, (error) =>
      log.warn({ err: error, node: this.#node.uuid }, 'storing an event of a stream failed, retrying'),
    );
  }

  #set(state: StreamStatus['state'], error: unknown): void {
    const isChanged = this.status.state !== state;
    this.status.state = state;
    this.status.error = error;
    // Attempts that fail in turn are no news.
    if (isChanged) this.#parts.changed(this.#node.uuid);
  }
}

/** Whether the same event can be stored later. */
function isPassing(error: unknown): boolean {
  return isStoreUnavailable(error) || toPassthruError(error).kind === 'rate_limited';
}
