import { randomUUID } from 'node:crypto';
import { checkAddresses } from './addresses.ts';
import type { Caller } from './caller.ts';
import { CallSecrets } from './calls/callSecrets.ts';
import type { LockedNode, LockRequest, Nodes, NodesWatch, RenewRequest } from './core.ts';
import { invalidArgument, PassthruError } from './errors.ts';
import type { Running } from './inFlight.ts';
import { canonicalJson, isJsonObject, type Json, MAX_DEPTH, nestsDeeperThan, storableText } from './json.ts';
import type { Holds } from './locks/holds.ts';
import { lostBeforeAcceptance } from './locks/lease.ts';
import type { Lock, Locks } from './locks/locks.ts';
import { isCurrent, type NodeSnapshot } from './locks/nodeCache.ts';
import type { Logger } from './logger.ts';
import {
  checkNodeIdent,
  checkRemovable,
  isNodeName,
  isUuid,
  type NewNode,
  type Node,
  type NodeChanges,
  type NodeUpdate,
} from './node.ts';
import type { NodeFollower } from './nodeFollower.ts';
import { type Page, readPage } from './page.ts';
import type { Registry } from './registry.ts';
import { findMask, MASK } from './secrets.ts';
import type { AttributeCount, NodeConflict, NodeQuery, Store, StoredNode } from './store.ts';
import { settledWithin } from './waiting.ts';
import { WatchHub } from './watch/hub.ts';
import { type ChangedNode, NodeFeed, type NodeFilter } from './watch/nodeFeed.ts';
import type { WatchSink } from './watch/watchEvent.ts';

/** How long a change of a node waits for `HardwareType.release`, in milliseconds. */
const RELEASE_TIME = 10_000;
const MAX_TEXT_LENGTH = 4096;

/** The maximum number of nodes that a watch names. */
const MAX_WATCHED_NODES = 1000;

/** What decides which methods a node has. */
type NodeInterface = Pick<Node, 'driver' | 'vendorInterface'>;

export class NodeManager implements Nodes {
  readonly watched: WatchHub<ChangedNode, NodeFilter, Node>;
  readonly #store: Store;
  readonly #registry: Registry;
  readonly #locks: Locks;
  readonly #holds: Holds;
  readonly #running: Running;
  readonly #host: string;
  readonly #log: Logger;
  /** What is told of changes of nodes that events depend on; set once. */
  follower: NodeFollower | null = null;

  constructor(
    store: Store,
    registry: Registry,
    locks: Locks,
    holds: Holds,
    running: Running,
    host: string,
    log: Logger,
  ) {
    this.watched = new WatchHub('node', store, new NodeFeed(store, locks), log);
    this.#store = store;
    this.#registry = registry;
    this.#locks = locks;
    this.#holds = holds;
    this.#running = running;
    this.#host = host;
    this.#log = log;
  }

  async create(given: NewNode, caller: Caller): Promise<Node> {
    this.#running.checkOpen();
    if (given.uuid !== undefined && !isUuid(given.uuid)) {
      throw invalidArgument('uuid', `Expected UUID for uuid: ${given.uuid}`);
    }
    const name = given.name ?? null;
    if (name !== null && !isNodeName(name))
      throw invalidArgument('name', `Cannot create node with invalid name '${name}'`);
    const uuid = given.uuid?.toLowerCase() ?? randomUUID();
    const node = {
      uuid,
      name,
      driver: given.driver,
      vendorInterface: this.#vendorInterface(given.driver, given.vendorInterface ?? null),
      driverInfo: given.driverInfo ?? {},
      extra: given.extra ?? {},
      properties: given.properties ?? {},
      description: given.description ?? null,
      maintenance: given.maintenance ?? false,
      maintenanceReason: given.maintenanceReason ?? null,
      attributes: given.attributes ?? {},
      createTime: new Date(),
      fence: this.#locks.firstFence(uuid),
    };
    checkFields(node);
    checkAddresses(node.driverInfo, this.#registry.get(node.driver), {});
    const created = await this.#store.createNode(node);
    if ('taken' in created) throw taken(created, node);
    this.#log.info({ node: node.uuid, name, driver: node.driver, caller: caller.name }, 'node enrolled');
    return created;
  }

  async get(ident: string): Promise<StoredNode> {
    return (await this.read(ident)).node;
  }

  /** Returns the driver and the vendor interface of a node, without reading it where only this process changes nodes. */
  interfaceOf(ident: string): NodeInterface | Promise<NodeInterface> {
    return this.#locks.knownInterface(ident) ?? this.read(ident, true).then(({ node }) => node);
  }

  /**
   * As `get`, with the fence that decides whether the content is current once the node is reserved.
   * @param keep whether to cache it for `interfaceOf`
   */
  async read(ident: string, keep = false): Promise<NodeSnapshot> {
    checkNodeIdent(ident);
    const step = () =>
      isUuid(ident) ? this.#store.getNodeByUuid(ident.toLowerCase()) : this.#store.getNodeByName(ident);
    const snapshot = await this.#locks.read(step, keep);
    if (snapshot === null) throw nodeNotFound(ident);
    return snapshot;
  }

  /**
   * Reads the node with this UUID again for a caller that named it `ident`.
   * @throws kind `node_not_found` when it is gone, or has another name by now
   */
  async getAgain(uuid: string, ident: string): Promise<StoredNode> {
    const node = await this.get(uuid);
    if (!isUuid(ident) && node.name !== ident) throw nodeNotFound(ident);
    return node;
  }

  async list(query: NodeQuery): Promise<Page<Node>> {
    const marker = query.marker?.toLowerCase() ?? null;
    if (marker !== null && !isUuid(marker))
      throw invalidArgument('marker', `Expected UUID for marker: ${query.marker}`);
    // No store can hold such a text, and PostgreSQL refuses it as a parameter.
    const { driver = '', vendorInterface = '', descriptionContains = '' } = query;
    const texts = driver + vendorInterface + descriptionContains;
    if (storableText(texts) !== texts) return { items: [], more: false };
    const page = await readPage(
      query.limit,
      (limit) => this.#store.sizeNodes({ ...query, marker, limit }),
      (limit, within) => this.#locks.readAll(() => this.#store.listNodes({ ...query, marker, limit, within })),
    );
    if (page === null) throw nodeNotFound(marker ?? '');
    return page;
  }

  shards(): Promise<AttributeCount[]> {
    return this.#store.countAttribute('shard');
  }

  async update(ident: string, change: (node: Node) => NodeUpdate, caller: Caller, signal: AbortSignal): Promise<Node> {
    const { before, after } = await this.#exclusively(ident, 'update', caller, signal, async (node, lock) => {
      const changes = this.#check(node, change(node));
      // Repeating an update is no change: nothing is stored, and no watcher is told.
      if (changesNothing(node, changes)) return { before: node, after: node };
      const changed = await this.#store.updateNode(node.uuid, lock.storedFence, changes, new Date());
      if (changed === null) throw await this.#notHeld(node.uuid);
      if ('taken' in changed) throw taken(changed, { ...node, ...changes });
      return { before: node, after: changed };
    });
    if (before.driver !== after.driver || canonicalJson(before.driverInfo) !== canonicalJson(after.driverInfo)) {
      await this.follower?.nodeChanged(after.uuid);
      await this.#forget(before);
    }
    // It was read with the reservation of this update.
    return { ...after, reservation: null };
  }

  async delete(ident: string, caller: Caller, signal: AbortSignal): Promise<void> {
    const deleted = await this.#exclusively(ident, 'delete', caller, signal, async (node, lock) => {
      checkRemovable(node);
      if (!(await this.#store.deleteNode(node.uuid, lock.storedFence))) throw await this.#notHeld(node.uuid);
      return node;
    });
    await this.follower?.nodeDeleted(deleted.uuid);
    await this.#forget(deleted);
    this.#log.info({ node: deleted.uuid, name: deleted.name, caller: caller.name }, 'node removed');
  }

  async lock(ident: string, request: LockRequest): Promise<LockedNode> {
    this.#holds.check(request);
    return this.#awaited(request.signal, async (signal) => {
      const node = await this.get(ident);
      const reservationKey = await this.#holds.take(node, { ...request, signal });
      return { node: await this.get(node.uuid), reservationKey };
    });
  }

  async renewLock(ident: string, request: RenewRequest): Promise<Node> {
    const node = await this.get(ident);
    await this.#holds.renew(node, request);
    return this.get(node.uuid);
  }

  async unlock(ident: string, caller: Caller, reservationKey: string | null = null): Promise<Node> {
    const node = await this.get(ident);
    await this.#holds.end(node, reservationKey, caller);
    return this.get(node.uuid);
  }

  async validate(ident: string): Promise<string | null> {
    const node = await this.get(ident);
    const vendorInterface = this.#registry.vendorInterface(node.driver, node.vendorInterface);
    if (vendorInterface === null) {
      return `The driver '${node.driver}' with vendor interface '${node.vendorInterface}' is not loaded.`;
    }
    try {
      await this.#registry.validate(node);
      return null;
    } catch (error) {
      if (error instanceof PassthruError) return new CallSecrets([node.driverInfo]).text(error.message);
      throw error;
    }
  }

  async watch(request: NodesWatch, sink: WatchSink<Node>, signal: AbortSignal): Promise<never> {
    const { driver } = request;
    const place = this.watched.place(request.cursor);
    const nodes = await this.resolveAll(request.nodes);
    const filter = { nodes, driver, key: JSON.stringify([nodes && [...nodes], driver]) };
    return this.watched.watch(filter, place, sink, signal);
  }

  /** Returns the UUIDs of nodes given as UUIDs or names; null for an empty list. Throws kind `node_not_found` for a name. */
  async resolveAll(idents: readonly string[]): Promise<Set<string> | null> {
    if (idents.length > MAX_WATCHED_NODES) {
      throw invalidArgument('nodes', `at most ${MAX_WATCHED_NODES} nodes can be named; name none to watch all`);
    }
    if (idents.length === 0) return null;
    for (const ident of idents) checkNodeIdent(ident);
    const uuids = new Set<string>();
    for (const ident of idents) uuids.add(isUuid(ident) ? ident.toLowerCase() : (await this.get(ident)).uuid);
    return uuids;
  }

  /** Runs `work`, which a shutdown waits for, then aborts, as it does calls. */
  #awaited<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#running.checkOpen();
    const controller = new AbortController();
    const running = work(AbortSignal.any([signal, controller.signal]));
    this.#running.add(running, controller);
    return running;
  }

  /** Runs `work` on the node as it is under its reservation. */
  #exclusively<T>(
    ident: string,
    method: string,
    caller: Caller,
    signal: AbortSignal,
    work: (node: StoredNode, lock: Lock) => Promise<T>,
  ): Promise<T> {
    return this.#awaited(signal, async (signal) => {
      const snapshot = await this.read(ident);
      const { uuid } = snapshot.node;
      const purpose = {
        holder: this.#host,
        kind: 'call' as const,
        method,
        requestedBy: caller.name,
        job: null,
        reason: null,
      };
      const lock = await this.#locks.acquire(snapshot.node, purpose, this.#locks.wait(null), signal);
      try {
        this.#locks.cache.forget(uuid);
        const node = isCurrent(snapshot, lock) ? snapshot.node : await this.getAgain(uuid, ident);
        return await work(node, lock);
      } finally {
        await lock.release();
      }
    });
  }

  /** Returns why the store refused a step under a reservation. */
  async #notHeld(uuid: string): Promise<PassthruError> {
    if ((await this.#store.getNodeByUuid(uuid)) === null) return nodeNotFound(uuid);
    return lostBeforeAcceptance('the node was changed');
  }

  #check(node: Node, update: NodeUpdate): NodeChanges {
    const { vendorInterface, ...changes } = update;
    const { name = null, driver = node.driver } = changes;
    if (name !== null && !isNodeName(name)) {
      throw invalidArgument('name', `Cannot update node with invalid name '${name}'`);
    }
    const checked: NodeChanges = { ...changes };
    if (changes.driver !== undefined || vendorInterface !== undefined) {
      const same = this.#registry.vendorInterface(driver, node.vendorInterface) === null ? null : node.vendorInterface;
      checked.vendorInterface = this.#vendorInterface(driver, vendorInterface === undefined ? same : vendorInterface);
    }
    checkFields(changes);
    // A node may be of a driver that is not loaded any more.
    if ((changes.driverInfo !== undefined || changes.driver !== undefined) && this.#registry.has(driver)) {
      const before = changes.driver === undefined ? node.driverInfo : {};
      checkAddresses(changes.driverInfo ?? node.driverInfo, this.#registry.get(driver), before);
    }
    return checked;
  }

  /** Returns the vendor interface of a node of `driver`; the default one when `requested` is null. */
  #vendorInterface(driver: string, requested: string | null): string {
    if (!this.#registry.has(driver)) {
      const drivers = this.#registry.list().map((type) => type.name);
      // Begins as Ironic words it (recorded: "create unknown driver").
      throw invalidArgument(
        'driver',
        `No valid host was found. Reason: No conductor service registered which supports driver ${driver}. Known drivers: ${drivers.join(', ')}.`,
      );
    }
    const { vendorInterfaces } = this.#registry.get(driver);
    if (requested === null) return vendorInterfaces[0].name;
    if (vendorInterfaces.some(({ name }) => name === requested)) return requested;
    const valid = vendorInterfaces.map(({ name }) => name).join(', ');
    throw invalidArgument(
      'vendor_interface',
      `Driver ${driver} has no vendor interface '${requested}'. Valid interfaces are: ${valid}.`,
    );
  }

  /** Lets the driver drop what it cached for the node: sessions, connections. A failure or a timeout is only logged. */
  async #forget(node: Node): Promise<void> {
    const release = async () => {
      try {
        if (this.#registry.has(node.driver)) await this.#registry.get(node.driver).release?.(node);
      } catch (error) {
        const err = new CallSecrets([node.driverInfo]).mask(error);
        this.#log.warn({ err, node: node.uuid }, 'releasing what a driver cached for a node failed');
      }
    };
    if (await settledWithin([release()], RELEASE_TIME)) return;
    this.#log.warn({ node: node.uuid, driver: node.driver }, 'releasing what a driver cached for a node has not ended');
  }
}

function changesNothing(node: Node, changes: NodeChanges): boolean {
  return Object.entries(changes).every(([key, value]) => {
    return (
      value === undefined || canonicalJson(value as Json) === canonicalJson(node[key as keyof NodeChanges] as Json)
    );
  });
}

function checkFields(fields: NodeChanges): void {
  for (const key of ['driverInfo', 'extra', 'properties', 'attributes'] as const) {
    const value: unknown = fields[key];
    if (value === undefined) continue;
    const field = FIELD_NAMES[key];
    if (!isJsonObject(value)) throw invalidArgument(field, `${field} must be an object`);
    if (nestsDeeperThan(value)) throw invalidArgument(field, `${field} nests deeper than ${MAX_DEPTH} levels`);
  }
  for (const key of ['description', 'maintenanceReason'] as const) {
    const text = fields[key];
    if (typeof text !== 'string') continue;
    const field = FIELD_NAMES[key];
    if (text.length > MAX_TEXT_LENGTH) {
      throw invalidArgument(field, `${field} must be at most ${MAX_TEXT_LENGTH} characters long`);
    }
    if (text !== storableText(text)) throw invalidArgument(field, `${field} must be well-formed text without NUL`);
  }
  const masked = fields.driverInfo === undefined ? null : findMask(fields.driverInfo);
  if (masked === null) return;
  const field = `driver_info.${masked}`;
  throw invalidArgument(field, `${field} is '${MASK}', which is how a secret is shown; give its value`);
}

const FIELD_NAMES = {
  driverInfo: 'driver_info',
  extra: 'extra',
  properties: 'properties',
  attributes: 'attributes',
  description: 'description',
  maintenanceReason: 'maintenance_reason',
} as const;

function nodeNotFound(ident: string): PassthruError {
  return new PassthruError('node_not_found', `Node ${ident} could not be found.`);
}

/** Returns the error of a value of `node` that another node has already. */
function taken({ taken: field }: NodeConflict, node: Pick<Node, 'uuid' | 'name' | 'attributes'>): PassthruError {
  const what =
    field === 'uuid'
      ? `UUID ${node.uuid}`
      : field === 'name'
        ? `name ${node.name}`
        : `${field} ${node.attributes[field]}`;
  return new PassthruError('already_exists', `A node with ${what} already exists.`, {
    violations: [{ field, description: 'is taken by another node' }],
  });
}
