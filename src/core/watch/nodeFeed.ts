import type { Locks } from '../locks/locks.ts';
import type { Node } from '../node.ts';
import { countFitting } from '../page.ts';
import type { Store } from '../store.ts';
import type { NodeChange, NodeScan } from './changeStore.ts';
import { pages } from './scan.ts';
import type { Feed, WatchEvent } from './watchEvent.ts';

/** The number of changes, or of nodes of the current state, read at once. */
const READ_AT_ONCE = 200;

/** Selects the nodes that a watcher is told of. */
export interface NodeFilter {
  /** Equal for equal filters. */
  key: string;
  /** UUIDs; null for all. */
  nodes: ReadonlySet<string> | null;
  driver: string | null;
}

/** A change of a node, with the whole node before and after it; null when it did not exist. */
export interface ChangedNode {
  position: number;
  /** About the size of what the change keeps in memory: the node, and its part before. */
  bytes: number;
  uuid: string;
  before: Node | null;
  after: Node | null;
}

/** Tells the changes of nodes: enrolment, content, reservation, `last_error`, removal. */
export class NodeFeed implements Feed<ChangedNode, NodeFilter, Node> {
  readonly #store: Store;
  readonly #locks: Locks;

  constructor(store: Store, locks: Locks) {
    this.#store = store;
    this.#locks = locks;
  }

  async read(after: number): Promise<ChangedNode[] | null> {
    let changes = await this.#store.nodeChanges(after, READ_AT_ONCE);
    while (changes.length > 0) {
      const sizes = await this.#sizeNodes(nodesOf(changes));
      changes = changes.slice(0, countFitting(sizesOfNew(changes, sizes)));
      const nodes = await this.#readNodes(nodesOf(changes));
      // After the nodes: what they show and is not in `changes` is in these.
      const next = await this.#store.nextNodeChanges(changes);
      if (next !== null) {
        const known = after >= (await this.#store.changeFloor('node'));
        return known ? undo(changes, nodes, next, sizes) : null;
      }
      changes = changes.slice(0, Math.ceil(changes.length / 2));
    }
    return after >= (await this.#store.changeFloor('node')) ? [] : null;
  }

  select({ uuid, before, after }: ChangedNode, filter: NodeFilter, cursor: string): WatchEvent<Node> | null {
    if (filter.nodes !== null && !filter.nodes.has(uuid)) return null;
    const matches = (node: Node | null) => node !== null && (filter.driver === null || node.driver === filter.driver);
    if (after !== null && matches(after)) return { kind: 'item', item: after, cursor };
    return matches(before) ? { kind: 'removed', uuid, cursor } : null;
  }

  async *current({ nodes, driver }: NodeFilter, since: number): AsyncGenerator<Node[], void> {
    const scan: NodeScan = { after: '', limit: READ_AT_ONCE };
    if (nodes !== null) scan.uuids = [...nodes];
    if (driver !== null) scan.driver = driver;
    for await (const uuids of pages(scan, (part) => this.#store.scanNodes(part))) {
      const found = await this.#readNodes(uuids);
      const changed = await this.#store.nodesChangedSince(uuids, since);
      yield found.filter(({ uuid }) => !changed.has(uuid));
    }
  }

  /** Returns about the bytes of those nodes that exist. */
  async #sizeNodes(uuids: readonly string[]): Promise<Map<string, number>> {
    const found = await this.#store.scanNodes({ after: '', limit: uuids.length, uuids });
    return new Map(found.map(({ key, size }) => [key, size]));
  }

  #readNodes(uuids: readonly string[]): Promise<Node[]> {
    return this.#locks.readAll(() => this.#store.nodesByUuid(uuids));
  }
}

function nodesOf(changes: readonly NodeChange[]): string[] {
  return [...new Set(changes.map(({ nodeUuid }) => nodeUuid))];
}

/** Returns for each change the size of its node, or 0 when an earlier change is of the same node. */
function sizesOfNew(changes: readonly NodeChange[], sizes: ReadonlyMap<string, number>): number[] {
  const rest = new Map(sizes);
  return changes.map(({ nodeUuid }) => {
    const size = rest.get(nodeUuid) ?? 0;
    rest.delete(nodeUuid);
    return size;
  });
}

/**
 * Returns the nodes before and after each change: those of now, with what came later taken back.
 * @param next the changes that follow, the first of each part of each node
 * @param sizes of the nodes of now
 */
function undo(
  changes: readonly NodeChange[],
  nodes: readonly Node[],
  next: readonly NodeChange[],
  sizes: ReadonlyMap<string, number>,
): ChangedNode[] {
  const states = new Map<string, Node | null>(nodes.map((node) => [node.uuid, node]));
  for (const change of [...next].sort((a, b) => b.order - a.order)) takeBack(states, change);
  const changed: ChangedNode[] = [];
  for (const change of [...changes].reverse()) {
    const after = states.get(change.nodeUuid) ?? null;
    const before = takeBack(states, change);
    const bytes = (sizes.get(change.nodeUuid) ?? 0) + change.bytes;
    changed.unshift({ position: change.position ?? 0, bytes, uuid: change.nodeUuid, before, after });
  }
  return changed;
}

/** Takes back a change in `states`, and returns the node before it. */
function takeBack(states: Map<string, Node | null>, { nodeUuid, part, before }: NodeChange): Node | null {
  const after = states.get(nodeUuid) ?? null;
  // A copy: the log keeps its own for long, and would keep what is derived from it.
  const node = part === 'existence' ? before && ({ ...before } as Node) : after && { ...after, ...before };
  states.set(nodeUuid, node);
  return node;
}
