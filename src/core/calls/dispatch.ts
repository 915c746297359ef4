import type { DriverCall, NodeCall, Outcome } from '../core.ts';
import { isStoreUnavailable, PassthruError, toPassthruError } from '../errors.ts';
import type { Running, Workers } from '../inFlight.ts';
import type { Job } from '../job.ts';
import type { JobRunner } from '../jobs/jobRunner.ts';
import { isCurrent, type KnownNode } from '../locks/knownNodes.ts';
import { type Lease, lostBeforeAcceptance, type Tenure } from '../locks/lease.ts';
import type { Lock, Locks } from '../locks/locks.ts';
import type { Logger } from '../logger.ts';
import { Attachment, chooseHttpMethod } from '../method.ts';
import type { Node } from '../node.ts';
import type { NodeManager } from '../nodeManager.ts';
import { type CallReport, type Observer, reportCall } from '../observer.ts';
import { findMethod, type Registry } from '../registry.ts';
import { SHORT_SECRET } from '../secrets.ts';
import type { JobHold, Store, StoredNode } from '../store.ts';
import { uuid7 } from '../uuid7.ts';
import { untilAborted } from '../waiting.ts';
import { CallSecrets } from './callSecrets.ts';
import { type CheckedCall, checkDepth, checkRule, ifCutShort } from './checkedCall.ts';
import { type Claim, type Idempotency, recordJob } from './idempotency.ts';
import { checkResult, type MethodRun, runMethod } from './runMethod.ts';

/** The parts that a call passes through. */
export interface DispatchParts {
  store: Store;
  registry: Registry;
  nodes: NodeManager;
  lease: Lease;
  locks: Locks;
  jobs: JobRunner;
  workers: Workers;
  running: Running;
  idempotency: Idempotency;
  /** The name that reservations show. */
  host: string;
  log: Logger;
  observer: Observer;
}

/**
 * Takes calls to their methods. The checks come in the one order that DESIGN fixes: node or driver, method, verb, the
 * rule for the method, free worker, lock, arguments.
 */
export class Dispatch {
  readonly #parts: DispatchParts;

  constructor(parts: DispatchParts) {
    this.#parts = parts;
  }

  callNode(call: NodeCall): Promise<Outcome> {
    return reportCall(this.#parts.observer, call, (report) => this.#callNode(call, report));
  }

  callDriver(call: DriverCall): Promise<Outcome> {
    return reportCall(this.#parts.observer, call, (report) => this.#callDriver(call, report));
  }

  async #callNode(call: NodeCall, report: CallReport): Promise<Outcome> {
    const { nodes, locks, running } = this.#parts;
    running.checkOpen();
    checkDepth(call.arguments);
    const known = locks.known.get(call.node);
    if (known !== null) {
      try {
        return await this.#callKnown(call, known, true, report);
      } catch (error) {
        if (!(error instanceof NodeChanged)) throw error;
        locks.known.forget(known.node.uuid);
      }
    }
    return this.#callKnown(call, await nodes.read(call.node), false, report);
  }

  /** Throws NodeChanged, and nothing was done, when a node that is only remembered may be another by now. */
  async #callKnown(
    call: NodeCall,
    { node, fence }: KnownNode,
    remembered: boolean,
    report: CallReport,
  ): Promise<Outcome> {
    if (remembered && !this.#mayCall(call, node)) throw new NodeChanged();
    const { registry, locks } = this.#parts;
    report.node = node;
    const methods = registry.nodeMethods(node.driver, node.vendorInterface);
    report.driver = node.driver;
    const method = findMethod(methods, call.method);
    report.method = method.name;
    const httpMethod = chooseHttpMethod(method, call.httpMethod);
    report.httpMethod = httpMethod;
    checkRule(call, node.driver, method);
    const lockWait = locks.wait(call.lockWait);
    return this.#run({
      call,
      driver: node.driver,
      method,
      httpMethod,
      target: `node ${node.uuid}`,
      node,
      ident: call.node,
      fence,
      remembered,
      lockWait,
      begun: false,
      kept: false,
      report,
    });
  }

  async #callDriver(call: DriverCall, report: CallReport): Promise<Outcome> {
    this.#parts.running.checkOpen();
    checkDepth(call.arguments);
    const methods = this.#parts.registry.driverMethods(call.driver);
    report.driver = call.driver;
    const method = findMethod(methods, call.method);
    report.method = method.name;
    const httpMethod = chooseHttpMethod(method, call.httpMethod);
    report.httpMethod = httpMethod;
    checkRule(call, call.driver, method);
    return this.#run({
      call,
      driver: call.driver,
      method,
      httpMethod,
      target: `driver ${call.driver}`,
      node: null,
      ident: '',
      fence: null,
      remembered: false,
      lockWait: 0,
      begun: false,
      kept: false,
      report,
    });
  }

  /** Runs a checked call until it ends or its caller leaves. */
  async #run(checked: CheckedCall): Promise<Outcome> {
    const { call } = checked;
    // The shutdown may have begun, and the caller left, while the node was read.
    this.#parts.running.checkOpen();
    if (call.signal.aborted) throw toPassthruError(call.signal.reason);
    const controller = new AbortController();
    const work = this.#runOnce(checked, controller);
    this.#parts.running.add(work, controller);
    try {
      return await untilAborted(work, call.signal, () => {
        // A call with a key goes on once it has begun to act: its outcome is kept for the repeat. Before that it ends, since
        // no one expects a machine to be touched by a call that was given up long ago.
        if (!checked.kept) controller.abort(toPassthruError(call.signal.reason));
      });
    } catch (error) {
      throw checked.begun ? ifCutShort(error) : error;
    }
  }

  /** Runs a call, or returns the outcome of an earlier one with the same idempotency key. */
  async #runOnce(checked: CheckedCall, controller: AbortController): Promise<Outcome> {
    const { call, method, httpMethod, target } = checked;
    if (call.idempotencyKey === null) return this.#execute(checked, controller, null);
    const content = [target, method.name, httpMethod, call.arguments];
    const claim = await this.#parts.idempotency.claim(
      call.caller.name,
      call.idempotencyKey,
      content,
      controller.signal,
    );
    if ('outcome' in claim) return claim.outcome;
    let outcome: Outcome;
    try {
      outcome = await this.#execute(checked, controller, claim);
    } catch (error) {
      await claim.release(error);
      throw error;
    }
    await claim.finish(outcome);
    return outcome;
  }

  /** Runs a call from the free worker to its end; an asynchronous method to its acceptance. */
  async #execute(checked: CheckedCall, controller: AbortController, claim: Claim | null): Promise<Outcome> {
    const { method } = checked;
    const leaveWorker = method.async ? this.#parts.workers.reserve() : () => {};
    let lock: Lock | null = null;
    let unguard = () => {};
    let handedOver = false;
    try {
      let { node } = checked;
      if (node !== null && method.requireExclusiveLock) {
        lock = await this.#lock(checked, node, controller.signal);
        unguard = lock.tenure.guard(controller);
        node = await this.#currentNode(checked, node, lock);
      }
      const args = this.#validate(checked, node);
      if (this.#parts.store.shared && lock !== null && node !== null) {
        await this.#parts.lease.cover(lock.tenure, this.#parts.registry.longestRequest(node));
      }
      controller.signal.throwIfAborted();
      checked.begun = true;
      if (method.async) {
        const tenure = lock?.tenure ?? this.#parts.lease.current();
        const hold = { owner: tenure.id, fence: lock?.storedFence ?? null };
        const job = await this.#accept(checked, node, hold, claim);
        handedOver = true;
        lock?.nameJob(job.id);
        this.#start(checked, job, node, args, tenure, lock, leaveWorker);
        return { kind: 'job', job };
      }
      if (claim !== null) {
        checked.kept = true;
        await claim.accept();
      }
      return await this.#finish(checked, node, args, lock, controller.signal);
    } finally {
      unguard();
      if (!handedOver) {
        await lock?.release();
        leaveWorker();
      }
    }
  }

  /** Returns the node as it is under `lock`, and keeps it for the next call. */
  async #currentNode(checked: CheckedCall, known: StoredNode, lock: Lock): Promise<StoredNode> {
    let node = known;
    if (!isCurrent(checked, lock)) {
      node = await this.#readAgain(checked, known);
      // Another hardware type may have the very same method.
      checked.driver = node.driver;
      checked.report.driver = node.driver;
    }
    this.#parts.locks.known.keep(node, lock.fence);
    return node;
  }

  /** Whether a remembered node has the method under an exclusive lock, under which a later change would be noticed. */
  #mayCall(call: NodeCall, { driver, vendorInterface }: Node): boolean {
    const { byName } = this.#parts.registry.nodeMethods(driver, vendorInterface);
    return byName.get(call.method ?? '')?.requireExclusiveLock === true;
  }

  /** Validates the node, then the arguments, and returns the handler's arguments. */
  #validate({ method, call, report }: CheckedCall, node: Node | null): unknown {
    const from = performance.now();
    try {
      if (node !== null) this.#parts.registry.vendorInterface(node.driver, node.vendorInterface)?.validate?.(node);
      return method.parse(call.arguments);
    } catch (error) {
      // Ironic quotes arguments to their sender (recorded: "create_subscription bad headers").
      throw new CallSecrets([node?.driverInfo ?? {}, call.arguments], SHORT_SECRET).error(error);
    } finally {
      report.validation = { from, to: performance.now() };
    }
  }

  async #lock(checked: CheckedCall, node: StoredNode, signal: AbortSignal): Promise<Lock> {
    const from = performance.now();
    const purpose = {
      holder: this.#parts.host,
      kind: 'call' as const,
      method: checked.method.name,
      requestedBy: checked.call.caller.name,
      job: null,
    };
    try {
      return await this.#parts.locks.acquire(node, purpose, checked.lockWait, signal);
    } catch (error) {
      throw checked.remembered && isNodeGone(error) ? new NodeChanged() : error;
    } finally {
      checked.report.lock = { from, to: performance.now() };
    }
  }

  /** Reads the node again under its lock: another caller has held it since it was read. */
  async #readAgain({ method, remembered, ident }: CheckedCall, node: StoredNode): Promise<StoredNode> {
    const now = await this.#readNamed(node.uuid, ident, remembered);
    const methods = this.#parts.registry.nodeMethods(now.driver, now.vendorInterface);
    if (methods.byName.get(method.name) === method) return now;
    throw remembered ? new NodeChanged() : new PassthruError('unknown_method', `No handler for method ${method.name}`);
  }

  async #readNamed(uuid: string, ident: string, remembered: boolean): Promise<StoredNode> {
    try {
      return await this.#parts.nodes.getAgain(uuid, ident);
    } catch (error) {
      throw remembered && isNodeGone(error) ? new NodeChanged() : error;
    }
  }

  #methodRun(node: Node | null, args: unknown, lock: Lock | null, signal: AbortSignal): Omit<MethodRun, 'progress'> {
    const { registry, log } = this.#parts;
    const longestRequest = () => (node === null ? 0 : registry.longestRequest(node));
    return { node, args, lock, longestRequest, signal, log };
  }

  /** Runs a synchronous method to its end. */
  async #finish(
    checked: CheckedCall,
    node: Node | null,
    args: unknown,
    lock: Lock | null,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { method } = checked;
    signal.throwIfAborted();
    const run = { ...this.#methodRun(node, args, lock, signal), progress: () => {} };
    const returned = await runMethod(checked, run);
    if (!method.attach) return { kind: 'result', result: checkResult(method.name, returned) };
    if (returned instanceof Attachment && returned.data instanceof Uint8Array) {
      return { kind: 'attachment', attachment: returned };
    }
    throw new TypeError(`method ${method.name} of ${checked.driver} has attach set, but returned no Attachment`);
  }

  /** Stores the job of an asynchronous call. From here on the call is accepted. */
  async #accept(checked: CheckedCall, node: Node | null, hold: JobHold, claim: Claim | null): Promise<Job> {
    const { call, driver, method } = checked;
    const job: Job = {
      id: uuid7(),
      nodeUuid: node?.uuid ?? null,
      nodeName: node?.name ?? null,
      driver,
      method: method.name,
      state: 'running',
      revision: 1,
      createTime: new Date(),
      endTime: null,
      progress: null,
      result: null,
      error: null,
      requestedBy: call.caller.name,
    };
    const accepted = await this.#parts.store
      .acceptJob(job, hold, claim?.call ?? null, recordJob(job))
      .catch((error: unknown) => {
        // It may be stored all the same, if only the response was lost; no one runs it.
        if (isStoreUnavailable(error)) this.#parts.jobs.abandoned.add(job, hold.owner);
        throw error;
      });
    if (!accepted) throw lostBeforeAcceptance();
    const fields = { job: job.id, node: job.nodeUuid, driver, method: method.name, caller: job.requestedBy };
    this.#parts.log.info(fields, 'job accepted');
    return job;
  }

  /** Starts the work of an accepted job. It is not tied to the signal of the call that began it. */
  #start(
    checked: CheckedCall,
    job: Job,
    node: Node | null,
    args: unknown,
    tenure: Tenure,
    lock: Lock | null,
    leaveWorker: () => void,
  ): void {
    const controller = new AbortController();
    const end = this.#parts.jobs
      .run({
        job,
        tenure,
        lock,
        controller,
        run: async (progress) => {
          const run = { ...this.#methodRun(node, args, lock, controller.signal), progress };
          return checkResult(job.method, await runMethod(checked, run));
        },
      })
      .finally(leaveWorker);
    this.#parts.running.add(end, controller);
  }
}

/** The node of a call is no longer as it was remembered. */
class NodeChanged extends Error {}

function isNodeGone(error: unknown): boolean {
  return error instanceof PassthruError && error.kind === 'node_not_found';
}
