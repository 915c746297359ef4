import { CallSecrets } from '../../calls/callSecrets.ts';
import { PassthruError } from '../../errors.ts';
import type { Lease } from '../../locks/lease.ts';
import type { Locks } from '../../locks/locks.ts';
import { isCurrent } from '../../locks/nodeCache.ts';
import type { Logger } from '../../logger.ts';
import type { Node } from '../../node.ts';
import type { NodeManager } from '../../nodeManager.ts';
import type { Registry } from '../../registry.ts';
import type { EventsInterface, EventsTask } from '../eventsInterface.ts';

/** The method that a reservation shows while a subscription is made or removed. */
const METHOD = 'event_source';

interface WorkParts {
  registry: Registry;
  nodes: NodeManager;
  locks: Locks;
  lease: Lease;
  host: string;
  /** Whether other processes may use the store. */
  shared: boolean;
  log: Logger;
}

/**
 * Runs work on the events of nodes by their hardware types. What changes a BMC runs under the node's reservation, as
 * `create_subscription` does, and is refused at once while the node is reserved: it can wait, and calls should not. What only
 * reads runs beside calls.
 */
export class EventsWork {
  readonly #parts: WorkParts;

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  /**
   * Returns the interface of the node's hardware type.
   * @throws kind `driver_not_found`; `bmc_unsupported` when it has none
   */
  interfaceOf(node: Pick<Node, 'driver'>): EventsInterface {
    const { events } = this.#parts.registry.get(node.driver);
    if (events !== undefined) return events;
    throw new PassthruError('bmc_unsupported', `The driver '${node.driver}' does not receive events.`);
  }

  /** Runs work that changes nothing. Its errors have no secrets of the node. */
  read<T>(node: Node, signal: AbortSignal, work: (task: EventsTask) => Promise<T>): Promise<T> {
    return this.#run(node, null, signal, () => {}, work);
  }

  /**
   * Runs work that changes the BMC of `node`, under its reservation.
   * @throws kind `node_locked`; `failed_precondition` when the node has changed since it was read
   */
  async change<T>(node: Node, signal: AbortSignal, work: (task: EventsTask) => Promise<T>): Promise<T> {
    const { nodes, locks, lease, registry, host, shared } = this.#parts;
    const snapshot = await nodes.read(node.uuid);
    const purpose = {
      holder: host,
      kind: 'call' as const,
      method: METHOD,
      requestedBy: 'passthru',
      job: null,
      reason: null,
    };
    const lock = await locks.acquire(snapshot.node, purpose, 0, signal);
    const abort = new AbortController();
    lock.tenure.guard(abort);
    try {
      const current = isCurrent(snapshot, lock) ? snapshot.node : await nodes.get(node.uuid);
      if (current.driver !== node.driver || current.updateTime?.getTime() !== node.updateTime?.getTime()) {
        throw new PassthruError('failed_precondition', `Node ${node.uuid} was changed meanwhile.`);
      }
      if (shared) await lease.cover(lock.tenure, registry.longestRequest(node));
      const check = () => lock.tenure.check();
      return await this.#run(node, lock.fence, AbortSignal.any([signal, abort.signal]), check, work);
    } finally {
      lock.tenure.unguard(abort);
      await lock.release();
    }
  }

  /** Runs work on the BMC of a node that was deleted. */
  async changeFormer<T>(node: Node, signal: AbortSignal, work: (task: EventsTask) => Promise<T>): Promise<T> {
    const tenure = this.#parts.lease.current();
    return this.#run(node, null, signal, () => tenure.check(), work);
  }

  async #run<T>(
    node: Node,
    fence: number | null,
    signal: AbortSignal,
    beforeSend: () => void,
    work: (task: EventsTask) => Promise<T>,
  ): Promise<T> {
    const secrets = new CallSecrets([node.driverInfo]);
    const log = secrets.log(this.#parts.log, { node: node.uuid, node_name: node.name });
    try {
      return await work({ node, fence, signal, beforeSend, log, recorder: null });
    } catch (error) {
      throw error === signal.reason ? error : secrets.mask(error);
    }
  }
}
