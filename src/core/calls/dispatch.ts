// Calls: runs each one through the checks and the lock to its result or job.

import { type Caller, checkRole } from '../caller.ts';
import type { DriverCall, NodeCall, Outcome } from '../core.ts';
import { invalidArgument, PassthruError, toPassthruError, withTranscript } from '../errors.ts';
import type { Running, Workers } from '../inFlight.ts';
import { type Job, newJob } from '../job.ts';
import type { JobRun, JobRunner, JobWork } from '../jobs/jobRunner.ts';
import { wholeJob } from '../jobs/shownJob.ts';
import { type Json, MAX_DEPTH, nestsDeeperThan } from '../json.ts';
import { type EndSignal, LazyAbort } from '../lazyAbort.ts';
import type { Lease } from '../locks/lease.ts';
import type { Lock, Locks } from '../locks/locks.ts';
import { isCurrent, type NodeSnapshot } from '../locks/nodeCache.ts';
import { reservationKeyDigest } from '../locks/reservationKey.ts';
import type { Logger } from '../logger.ts';
import { Attachment, chooseHttpMethod } from '../method.ts';
import type { Node } from '../node.ts';
import type { NodeManager } from '../nodeManager.ts';
import { type CallReport, type Observer, reportCall } from '../observer.ts';
import { findMethod, type MethodTable, type Registry, unknownMethod } from '../registry.ts';
import type { Store, StoredNode } from '../store.ts';
import type { DriverTask, NodeEventSource, NodeTask } from '../task.ts';
import type { Transcripts } from '../transcripts/transcripts.ts';
import { untilAborted } from '../waiting.ts';
import { requiredRole } from './callRules.ts';
import { withoutSecrets } from './callSecrets.ts';
import type { CheckedCall } from './checkedCall.ts';
import { ifCutShort } from './cutShort.ts';
import { type Claim, type Idempotency, recordJob } from './idempotency.ts';
import { type MethodRun, runMethod } from './runMethod.ts';

/** The parts that a call passes through. */
interface DispatchParts {
  store: Store;
  registry: Registry;
  nodes: NodeManager;
  lease: Lease;
  locks: Locks;
  jobs: JobRunner;
  workers: Workers;
  running: Running;
  idempotency: Idempotency;
  transcripts: Transcripts;
  /** Returns the event source of a node for a call of `caller`. */
  sourceOf(nodeUuid: string, caller: Caller): NodeEventSource;
  /** The name that reservations show. */
  host: string;
  log: Logger;
  observer: Observer;
}

const nothing = () => {};

/**
 * Calls methods. The order of the checks is fixed: node or driver, method, verb, the rule for the method, free worker,
 * lock, arguments. The worker is taken when the lock is held.
 */
export class Dispatch {
  readonly #parts: DispatchParts;

  constructor(parts: DispatchParts) {
    this.#parts = parts;
  }

  callNode(call: NodeCall): Promise<Outcome> {
    return this.#reported(call, async (report) => {
      const { nodes, locks } = this.#parts;
      const key = call.reservationKey == null ? null : reservationKeyDigest(call.reservationKey);
      const cached = locks.cache.get(call.node);
      if (cached !== null) {
        try {
          return await this.#callSnapshot(call, key, cached, true, report);
        } catch (error) {
          if (!(error instanceof NodeChanged)) throw error;
          locks.cache.forget(cached.node.uuid);
        }
      }
      return this.#callSnapshot(call, key, await nodes.read(call.node), false, report);
    });
  }

  callDriver(call: DriverCall): Promise<Outcome> {
    const noNode = { node: null, fence: null, cached: false, key: null };
    return this.#reported(call, (report) =>
      this.#check(call, call.driver, this.#parts.registry.driverMethods(call.driver), noNode, report),
    );
  }

  #reported(call: NodeCall | DriverCall, run: (report: CallReport) => Promise<Outcome>): Promise<Outcome> {
    return reportCall(this.#parts.observer, call, (report) => {
      this.#parts.running.checkOpen();
      if (!nestsDeeperThan(call.arguments)) return run(report);
      throw invalidArgument('arguments', `arguments nest deeper than ${MAX_DEPTH} levels`);
    });
  }

  /** Throws NodeChanged, before it does anything, when a cached node may be stale. */
  #callSnapshot(
    call: NodeCall,
    key: string | null,
    snapshot: NodeSnapshot,
    cached: boolean,
    report: CallReport,
  ): Promise<Outcome> {
    const { node, fence } = snapshot;
    if (!cached) report.node = node;
    const methods = this.#methods(node);
    // Without the exclusive lock, a later change of the node would go unnoticed.
    if (cached && !methods.byName.get(call.method ?? '')?.requireExclusiveLock) throw new NodeChanged();
    report.node = node;
    return this.#check(call, node.driver, methods, { node, fence, cached, key }, report);
  }

  /** Checks method, verb and role, and runs the call. */
  #check<T extends DriverTask>(
    call: NodeCall | DriverCall,
    driver: string,
    methods: MethodTable<T>,
    target: Pick<CheckedCall, 'node' | 'fence' | 'cached' | 'key'>,
    report: CallReport,
  ): Promise<Outcome> {
    report.driver = driver;
    const method = findMethod(methods, call.method);
    report.method = method.name;
    const httpMethod = chooseHttpMethod(method, call.httpMethod);
    report.httpMethod = httpMethod;
    // If the node gets another driver, its rules make another method, which `#readAgain` refuses.
    checkRole(call.caller, requiredRole(method), `call ${driver}.${method.name}`);
    const lockWait = 'node' in call ? this.#parts.locks.wait(call.lockWait) : 0;
    const recorder = this.#parts.transcripts.recorder(call.recording);
    const { node, fence, cached, key } = target;
    const checked: CheckedCall = {
      node,
      fence,
      cached,
      key,
      call,
      driver,
      method,
      httpMethod,
      lockWait,
      recorder,
      report,
      begun: false,
      detached: false,
    };
    return this.#run(checked);
  }

  #methods({ driver, vendorInterface }: Node): MethodTable<NodeTask> {
    return this.#parts.registry.nodeMethods(driver, vendorInterface);
  }

  /** Runs a checked call until it ends or its caller disconnects. */
  async #run(checked: CheckedCall): Promise<Outcome> {
    const { call } = checked;
    // While the node was read, the shutdown may have begun or the caller disconnected.
    this.#parts.running.checkOpen();
    if (call.signal.aborted) throw toPassthruError(call.signal.reason);
    const end = new LazyAbort();
    const work = this.#runOnce(checked, end);
    this.#parts.running.add(work, end);
    try {
      return await untilAborted(work, call.signal, () => {
        // Once it has begun to act, a call with a key continues: its outcome is stored for the repeat. Before that it ends,
        // since its caller does not expect it to act on a machine much later.
        if (!checked.detached) end.abort(toPassthruError(call.signal.reason));
      });
    } catch (error) {
      throw checked.begun ? ifCutShort(error) : error;
    }
  }

  /** Runs a call, or returns the outcome of an earlier one with the same idempotency key. */
  async #runOnce(checked: CheckedCall, end: LazyAbort): Promise<Outcome> {
    const claim = checked.call.idempotencyKey === null ? null : await this.#claim(checked, end);
    if (claim !== null && 'outcome' in claim) return claim.outcome;
    let outcome: Outcome;
    try {
      outcome = await this.#execute(checked, end, claim);
    } catch (thrown) {
      const error = await this.#withTranscript(checked, thrown);
      await claim?.release(error);
      throw error;
    }
    const { recorder } = checked;
    if (recorder?.keeps(true) && outcome.kind !== 'job') {
      const transcriptId = await this.#parts.transcripts.keepCall(recorder, checked, null);
      if (transcriptId !== null) outcome = { ...outcome, transcriptId };
    }
    if (claim !== null) await claim.finish(outcome);
    return outcome;
  }

  /** Claims the idempotency key of a call, or returns the outcome of the first call with it. */
  #claim(checked: CheckedCall, signal: EndSignal): Promise<Claim | { outcome: Outcome }> {
    const { call, driver, method, httpMethod, node } = checked;
    const target = node === null ? `driver ${driver}` : `node ${node.uuid}`;
    const content = [target, method.name, httpMethod, call.arguments];
    return this.#parts.idempotency.claim(call.caller.name, call.idempotencyKey ?? '', content, signal);
  }

  /** Keeps the transcript of a call that failed. Returns its error, with the transcript's id if one was kept. */
  async #withTranscript(checked: CheckedCall, thrown: unknown): Promise<unknown> {
    const { recorder } = checked;
    if (!recorder?.keeps(false)) return thrown;
    const error = toPassthruError(thrown);
    const id = await this.#parts.transcripts.keepCall(recorder, checked, error);
    return id === null ? thrown : withTranscript(error, id);
  }

  /** Runs a call from the check for a free worker to its end, or, if asynchronous, to its acceptance. */
  async #execute(checked: CheckedCall, end: LazyAbort, claim: Claim | null): Promise<Outcome> {
    const { method } = checked;
    const { store, registry, lease, locks, workers, log } = this.#parts;
    const user = { caller: checked.call.caller.name, node: checked.node?.uuid ?? null };
    // Before the lock, so that a full pool refuses at once; taken under it, so that a call that waits holds none.
    if (method.async) workers.check(user);
    let leaveWorker = nothing;
    let lock: Lock | null = null;
    let handedOver = false;
    // Waits only for what is not known at once: most calls get a free node that they know.
    try {
      let { node } = checked;
      if (node !== null && method.requireExclusiveLock) {
        const locking = this.#lock(checked, node, end);
        lock = locking instanceof Promise ? await locking : locking;
        lock.tenure.guard(end);
        node = isCurrent(checked, lock) ? node : await this.#readAgain(checked, node);
        locks.cache.keep(node, lock.fence);
      } else if (node !== null && checked.key !== null) await locks.checkHeld(node.uuid, checked.key);
      if (method.async) leaveWorker = workers.reserve(user);
      const validated = this.#validate(checked, node, end);
      const args = validated instanceof Promise ? await validated : validated;
      const longestRequest = () => (node === null ? 0 : registry.longestRequest(node));
      if (store.shared && lock !== null) await lease.cover(lock.tenure, longestRequest());
      end.throwIfAborted();
      checked.begun = true;
      const source = (uuid: string) => this.#parts.sourceOf(uuid, checked.call.caller);
      const run = { node, args, source, lock, longestRequest, end, progress: nothing, log };
      if (method.async) {
        const { jobs } = this.#parts;
        const tenure = lock?.tenure ?? lease.current();
        const hold = { owner: tenure.id, fence: lock?.storedFence ?? null };
        const idempotent = claim?.call ?? null;
        const job = newJob(node, jobOf(checked));
        const stored = !jobs.acceptance.mayFollow(idempotent);
        if (stored) await jobs.acceptance.before(job, hold, idempotent, recordJob(job));
        handedOver = true;
        const begun = this.#start(checked, { job, stored, tenure, lock }, run, leaveWorker);
        if (claim === null) await jobs.kept(job, begun);
        return { kind: 'job', job: wholeJob(job) };
      }
      if (claim !== null) {
        checked.detached = true;
        await claim.accept();
      }
      end.throwIfAborted();
      const returned = await runMethod(checked, run);
      return returned instanceof Attachment
        ? { kind: 'attachment', attachment: returned }
        : { kind: 'result', result: returned };
    } finally {
      lock?.tenure.unguard(end);
      if (!handedOver) {
        const released = lock?.release();
        if (released !== undefined) await released;
        leaveWorker();
      }
    }
  }

  #lock(checked: CheckedCall, node: StoredNode, signal: EndSignal): Lock | Promise<Lock> {
    const { call, method, lockWait, key, report } = checked;
    const { host: holder, locks } = this.#parts;
    const from = performance.now();
    const requestedBy = call.caller.name;
    const purpose = { holder, kind: 'call' as const, method: method.name, requestedBy, job: null, reason: null, key };
    try {
      const lock = locks.acquire(node, purpose, lockWait, signal);
      return lock instanceof Promise ? this.#waitForLock(checked, lock, from) : lock;
    } catch (error) {
      throw ifGone(checked, error);
    } finally {
      report.lock = { from, to: performance.now() };
    }
  }

  async #waitForLock(checked: CheckedCall, lock: Promise<Lock>, from: number): Promise<Lock> {
    try {
      return await lock;
    } catch (error) {
      throw ifGone(checked, error);
    } finally {
      checked.report.lock = { from, to: performance.now() };
    }
  }

  /** Returns a reserved node as it is now: another caller has held it since it was read. */
  async #readAgain(checked: CheckedCall, { uuid }: StoredNode): Promise<StoredNode> {
    const { call, method, cached, report } = checked;
    const node = await this.#parts.nodes.getAgain(uuid, 'node' in call ? call.node : uuid).catch((error: unknown) => {
      throw ifGone(checked, error);
    });
    if (this.#methods(node).byName.get(method.name) !== method) {
      throw cached ? new NodeChanged() : unknownMethod(method.name);
    }
    // Another hardware type may have the very same method.
    checked.driver = node.driver;
    report.driver = node.driver;
    return node;
  }

  /** Validates the node, then the arguments. Returns the handler's arguments, at once unless the driver takes its time. */
  #validate(checked: CheckedCall, node: Node | null, signal: EndSignal): unknown {
    const { method, call, report } = checked;
    const from = performance.now();
    let validating: Promise<void> | null;
    try {
      validating = node === null ? null : this.#parts.registry.validate(node);
      if (validating === null) return method.parse(call.arguments);
    } catch (error) {
      throw withoutSecrets(call.arguments, node, error);
    } finally {
      report.validation = { from, to: performance.now() };
    }
    return this.#validateInTime(checked, node, untilAborted(validating, signal), from);
  }

  async #validateInTime(
    checked: CheckedCall,
    node: Node | null,
    validating: Promise<void>,
    from: number,
  ): Promise<unknown> {
    try {
      await validating;
      return checked.method.parse(checked.call.arguments);
    } catch (error) {
      throw withoutSecrets(checked.call.arguments, node, error);
    } finally {
      checked.report.validation = { from, to: performance.now() };
    }
  }

  /** Starts the work of a job. It is not tied to the signal of the call that began it. */
  #start(
    checked: CheckedCall,
    accepted: Pick<JobWork, 'job' | 'stored' | 'tenure' | 'lock'>,
    run: Omit<MethodRun, 'end' | 'progress'>,
    leaveWorker: () => void,
  ): JobRun {
    const controller = new LazyAbort();
    // An asynchronous method has no attachment.
    const work = (progress: MethodRun['progress']) =>
      runMethod(checked, { ...run, end: controller, progress }) as Promise<Json>;
    const { jobs, running, transcripts } = this.#parts;
    const begun = jobs.run({ ...accepted, controller, run: work });
    const end = begun.ended.finally(leaveWorker);
    const { recorder } = checked;
    running.add(recorder === null ? end : transcripts.keepJob(recorder, checked, accepted.job.id, end), controller);
    return begun;
  }
}

/** Returns what a job tells of its call. */
function jobOf({ call, driver, method }: CheckedCall): Pick<Job, 'driver' | 'method' | 'role' | 'requestedBy'> {
  return { driver, method: method.name, role: requiredRole(method), requestedBy: call.caller.name };
}

/** The error of a call whose cached node is stale. */
class NodeChanged extends Error {}

/** Maps `node_not_found` to NodeChanged when the node was cached: its name may belong to another node by now. */
function ifGone({ cached }: CheckedCall, error: unknown): unknown {
  const isGone = error instanceof PassthruError && error.kind === 'node_not_found';
  return cached && isGone ? new NodeChanged() : error;
}
