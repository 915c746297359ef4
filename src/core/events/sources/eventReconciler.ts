import { AsyncLocalStorage } from 'node:async_hooks';
import { CallSecrets } from '../../calls/callSecrets.ts';
import { isStoreUnavailable, PassthruError, shuttingDown } from '../../errors.ts';
import type { Lease, Tenure } from '../../locks/lease.ts';
import type { Logger } from '../../logger.ts';
import type { Node } from '../../node.ts';
import type { NodeManager } from '../../nodeManager.ts';
import type { Registry } from '../../registry.ts';
import { type Periodic, periodically, settledWithin } from '../../waiting.ts';
import { asFormerNode, leaveFormerBmc } from './formerBmc.ts';
import { faultChange } from './sourceChange.ts';
import { sourceFault } from './sourceFault.ts';
import { type PassParts, SourcePass } from './sourcePass.ts';
import type { SourceProgress, StoredSource } from './sourceStore.ts';

/**
 * The interval at which due sources are looked for, in milliseconds; others are claimed every few times, and at the next one while
 * there are as many as are claimed at once.
 */
const TICK = 1000;
const TICKS_TO_CLAIM = 5;

/** The number of sources claimed at once, so that replicas that start together share them. */
const CLAIM = 100;

/** The number of passes that run at once. */
const PASSES = 64;

/** The longest time of one pass, in milliseconds. */
const PASS_TIME = 10 * 60_000;

/** The pause before a source that failed is looked at again, in milliseconds; it doubles up to the interval. */
const FIRST_RETRY = 5000;

/** How long a pass that has recorded a part of its progress keeps the source from being due, in milliseconds. */
const PASS_GRACE = 60_000;

/** Every how many passes duplicates are looked for, where the BMC does not tell that subscriptions have come or gone. */
const THOROUGH = 12;

/** How long a subscription that cannot be removed is tried, in milliseconds: then its BMC counts as gone for good. */
const REMOVAL_TIME = 7 * 86_400_000;

/** How often a BMC that a node has no more is tried for the removal of a subscription. */
const FORMER_TRIES = 5;

/** How long passes may take to end at a shutdown, in milliseconds. */
const STOP_TIME = 5000;

interface ReconcilerParts extends PassParts {
  nodes: NodeManager;
  registry: Registry;
  lease: Lease;
  log: Logger;
}

/** What this process knows of a source beside the store. */
interface Memory {
  passes: number;
  failures: number;
  /** How often the BMC that the node has no more was tried. */
  formerTries: number;
  /** `SourcePass.found` of the last pass. */
  found: string | null;
}

const NO_MEMORY: Memory = { passes: 0, failures: 0, formerTries: 0, found: null };

/**
 * Keeps the event sources of this process as they are wished. A process owns a source by its lease; when that ends, another one
 * takes over. All that decides is in the store: when a source is due, and what was found of it. Passes over sources with the
 * same BMC run one after the other.
 */
export class EventReconciler {
  readonly #parts: ReconcilerParts;
  /** Leaves the request that wakes it: a pass may be over the source of another. */
  readonly #outside = AsyncLocalStorage.snapshot();
  readonly #running = new Map<string, Promise<void>>();
  readonly #memory = new Map<string, Memory>();
  /** Ends the passes that run. */
  readonly #limits = new Map<string, AbortController>();
  /** The last pass over each BMC. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #loop: Periodic | null = null;
  #ticks = 0;
  #conductor: string | null = null;
  /** Whether more sources were due than could be looked at. */
  #isBehind = false;
  #ticking: Promise<void> | null = null;
  #again = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  start(): void {
    const failure = 'looking for due event sources failed, retrying';
    this.#loop = periodically(TICK, () => this.#tick(), this.#parts.log, failure);
  }

  /** Makes a source of this process due. Never rejects. */
  async look(nodeUuid: string): Promise<void> {
    const { store, log } = this.#parts;
    if (this.#stop.signal.aborted) return;
    // A pass waits for the stream itself.
    if (this.#running.has(nodeUuid)) return;
    try {
      await store.wakeEventSource(nodeUuid);
      await this.#tick();
    } catch (error) {
      log.warn({ err: error, node: nodeUuid }, 'an event source is looked at later');
    }
  }

  /** Looks for due sources now. Never rejects. */
  async wake(): Promise<void> {
    this.#ticks = 0;
    await this.#tick().catch((error: unknown) =>
      this.#parts.log.warn({ err: error }, 'looking for due event sources failed, retrying'),
    );
  }

  /** Whether a pass over the source of a node is under way. */
  running(nodeUuid: string): boolean {
    return this.#running.has(nodeUuid);
  }

  /** Ends the pass over a source that was changed, and waits up to `time` milliseconds for the next one. */
  async passed(nodeUuid: string, time: number): Promise<void> {
    this.#limits.get(nodeUuid)?.abort(late());
    await this.#running.get(nodeUuid);
    await this.wake();
    const pass = this.#running.get(nodeUuid);
    if (pass !== undefined) await settledWithin([pass], time);
  }

  /** Ends all passes and streams, and lets other processes take the sources. */
  async stop(): Promise<void> {
    const { streams, store, log } = this.#parts;
    this.#stop.abort(shuttingDown());
    await this.#loop?.stop();
    await this.#ticking?.catch(() => {});
    await settledWithin([...this.#running.values()], STOP_TIME);
    await streams.stopAll();
    if (this.#conductor === null) return;
    await store
      .releaseEventSources(this.#conductor)
      .catch((error: unknown) => log.warn({ err: error }, 'letting go of event sources failed; the lease ends'));
  }

  /** One run at a time; a call during one makes another follow. */
  #tick(): Promise<void> {
    if (this.#ticking !== null) {
      this.#again = true;
      return this.#ticking;
    }
    const run = async () => {
      do {
        this.#again = false;
        await this.#look();
      } while (this.#again && !this.#stop.signal.aborted);
    };
    this.#ticking = this.#outside(run).finally(() => {
      this.#ticking = null;
    });
    return this.#ticking;
  }

  async #look(): Promise<void> {
    const { store, streams, lease, now } = this.#parts;
    if (this.#stop.signal.aborted) return;
    const tenure = currentTenure(lease);
    if (tenure?.id !== this.#conductor) {
      // What this process owned may be another's.
      await streams.stopAll();
      this.#ticks = 0;
    }
    this.#conductor = tenure?.id ?? null;
    if (tenure === null) return;
    if (this.#ticks++ % TICKS_TO_CLAIM === 0 && (await store.claimEventSources(tenure.id, CLAIM)) === CLAIM) {
      this.#ticks = 0;
    }
    const free = PASSES - this.#running.size;
    if (free <= 0) return;
    // Those that run may be due again.
    const due = await store.dueEventSources(tenure.id, new Date(now()), free + this.#running.size);
    const waiting = due.filter(({ nodeUuid }) => !this.#running.has(nodeUuid));
    this.#isBehind = waiting.length >= free;
    for (const source of waiting.slice(0, free)) {
      const pass = this.#pass(source, tenure).finally(() => {
        this.#running.delete(source.nodeUuid);
        if (this.#isBehind && this.#running.size < PASSES / 2) void this.#tick().catch(() => {});
      });
      this.#running.set(source.nodeUuid, pass);
    }
  }

  /** Looks after one source, and records what came of it. Never rejects. */
  async #pass(source: StoredSource, tenure: Tenure): Promise<void> {
    const { store, now, log } = this.#parts;
    const { nodeUuid, revision } = source;
    const limit = new AbortController();
    this.#limits.set(nodeUuid, limit);
    const timer = setTimeout(() => limit.abort(late()), PASS_TIME).unref();
    tenure.guard(limit);
    const signal = AbortSignal.any([this.#stop.signal, limit.signal]);
    const record = async (progress: Partial<SourceProgress>, wait: number) => {
      const due = new Date(now() + wait);
      if (await store.recordEventSource(nodeUuid, tenure.id, revision, progress, due)) return;
      this.#parts.streams.stop(nodeUuid);
      throw new PassthruError('worker_lost', 'Another replica looks after the source by now.');
    };
    try {
      if (source.state === 'deleting') await this.#remove(source, signal, record);
      else await this.#keep(source, signal, record);
    } catch (error) {
      if (this.#stop.signal.aborted || isStoreUnavailable(error)) return;
      log.warn({ err: error, node: nodeUuid }, 'looking after an event source failed, retrying');
    } finally {
      clearTimeout(timer);
      tenure.unguard(limit);
      this.#limits.delete(nodeUuid);
    }
  }

  async #keep(
    source: StoredSource,
    signal: AbortSignal,
    record: (progress: Partial<SourceProgress>, wait: number) => Promise<void>,
  ): Promise<void> {
    const { nodes, verifyInterval, now, work, log } = this.#parts;
    const { nodeUuid } = source;
    const memory = this.#memory.get(nodeUuid) ?? { ...NO_MEMORY };
    this.#memory.set(nodeUuid, memory);
    let progress: Partial<SourceProgress>;
    let node: Node | null = null;
    try {
      node = await nodes.get(nodeUuid);
      const address = work.interfaceOf(node).address(node);
      const given = node;
      progress = await this.#inTurn(address, () => {
        const early = (part: Partial<SourceProgress>) => record(part, PASS_GRACE);
        const pass = new SourcePass(this.#parts, source, given, early, signal);
        const thorough = memory.passes % THOROUGH === 0 || memory.failures > 0;
        return pass.run(thorough, memory.found).finally(() => {
          memory.found = pass.found;
        });
      });
      memory.passes++;
    } catch (error) {
      if (this.#stop.signal.aborted || isStoreUnavailable(error)) throw error;
      if (isKind(error, 'worker_lost')) return;
      if (isKind(error, 'node_not_found')) return;
      const shown = error === signal.reason ? late() : new CallSecrets([node?.driverInfo ?? {}]).mask(error);
      const fault = sourceFault(shown);
      if (!(shown instanceof PassthruError)) log.error({ err: shown, node: nodeUuid }, 'an event source failed');
      progress = faultChange(source, fault, new Date(now()));
    }
    const healthy = progress.state === 'active';
    memory.failures = healthy ? 0 : memory.failures + 1;
    const { state = source.state, reason = null } = progress;
    if (state !== source.state || reason !== source.reason) {
      log.info({ node: nodeUuid, state, reason }, 'event source changed its state');
    }
    const wait = spread(healthy ? verifyInterval : this.#retryAfter(memory));
    await record(progress, wait);
    if (node !== null && source.formerNode !== null && (await this.#leaveFormer(source, node, memory, signal))) {
      await record({ formerNode: null }, wait);
    }
  }

  /** Removes what is left at the BMC that a node had before. Returns whether that is done or was tried for long enough. */
  async #leaveFormer(source: StoredSource, node: Node, memory: Memory, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const inTurn = (address: string, work: () => Promise<void>) => this.#inTurn(address, work);
    const done = await leaveFormerBmc({ ...this.#parts, inTurn }, source, node, signal);
    if (!done && ++memory.formerTries < FORMER_TRIES) return false;
    if (!done)
      this.#parts.log.warn({ node: node.uuid }, 'an event subscription stays at the BMC that the node had before');
    memory.formerTries = 0;
    return true;
  }

  async #remove(
    source: StoredSource,
    signal: AbortSignal,
    record: (progress: Partial<SourceProgress>, wait: number) => Promise<void>,
  ): Promise<void> {
    const { store, nodes, registry, work, log, now } = this.#parts;
    const { nodeUuid, revision, formerNode, updateTime, stateTime } = source;
    const memory = this.#memory.get(nodeUuid) ?? { ...NO_MEMORY };
    this.#memory.set(nodeUuid, memory);
    const node = formerNode === null ? await nodes.get(nodeUuid) : asFormerNode(nodeUuid, formerNode);
    this.#parts.streams.stop(nodeUuid);
    try {
      if (mayHaveSubscription(source)) {
        await this.#inTurn(work.interfaceOf(node).address(node), () =>
          new SourcePass(this.#parts, source, node, async () => {}, signal).remove(formerNode !== null),
        );
      }
    } catch (error) {
      if (this.#stop.signal.aborted || isStoreUnavailable(error)) throw error;
      const shown = new CallSecrets([node.driverInfo]).mask(error);
      const gone = ['driver_not_found', 'bmc_unsupported', 'invalid_argument'].some((kind) => isKind(error, kind));
      const since = (updateTime ?? stateTime).getTime();
      if (!gone && now() - since < REMOVAL_TIME) {
        memory.failures++;
        const { reason } = sourceFault(shown);
        return record({ state: 'deleting', reason, stateTime }, spread(this.#retryAfter(memory)));
      }
      log.warn({ err: shown, node: nodeUuid }, 'the subscription of a removed event source stays at its BMC');
    }
    this.#memory.delete(nodeUuid);
    if (await store.removeEventSource(nodeUuid, revision)) log.info({ node: nodeUuid }, 'event source removed');
    if (formerNode !== null && registry.has(node.driver)) await registry.get(node.driver).release?.(node);
  }

  /** Runs `work` after what runs for the same BMC. */
  async #inTurn<T>(address: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(address) ?? Promise.resolve();
    const result = before.then(work);
    const ended = result.then(
      () => {},
      () => {},
    );
    this.#turns.set(address, ended);
    try {
      return await result;
    } finally {
      if (this.#turns.get(address) === ended) this.#turns.delete(address);
    }
  }

  #retryAfter({ failures }: Memory): number {
    return Math.min(this.#parts.verifyInterval, FIRST_RETRY * 2 ** Math.min(failures - 1, 20));
  }
}

/** Whether a BMC may have a subscription of the source. */
function mayHaveSubscription({ address, tokenDigest, previousDigest, subscription }: StoredSource): boolean {
  return address !== null || tokenDigest !== null || previousDigest !== null || subscription !== null;
}

/** Returns `time` with up to a tenth more or less, so that sources spread out. */
function spread(time: number): number {
  return time * (0.9 + Math.random() / 5);
}

function currentTenure(lease: Lease): Tenure | null {
  try {
    return lease.current();
  } catch {
    return null;
  }
}

function isKind(error: unknown, kind: string): boolean {
  return error instanceof PassthruError && error.kind === kind;
}

function late(): PassthruError {
  return new PassthruError('bmc_timeout', `The BMC took more than ${PASS_TIME / 60_000} minutes.`);
}
