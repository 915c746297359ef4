import type { StoredNode } from '../store.ts';

/**
 * The content of a node, and the fence after which it was final.
 *
 * A node changes only under a reservation, except for its `last_error`. Content that was final after reservation N is
 * therefore current under reservation N + 1 and no other; content read while N was held may have changed under N since.
 */
export interface NodeSnapshot {
  readonly node: StoredNode;
  /** Null when the node was held, or may have been, while it was read. */
  readonly fence: number | null;
}

/** Whether the content is current under `lock`; otherwise the node must be read again. */
export function isCurrent({ fence }: Pick<NodeSnapshot, 'fence'>, lock: { readonly fence: number }): boolean {
  return fence !== null && lock.fence === fence + 1;
}

/** The maximum number of nodes kept, of some 1.3 kB each; the least recently called or read is dropped first. */
const MAX_NODES = 10_000;

/**
 * The nodes called or listed most recently, so that a call need not read its node. A node is the same object while its content is the
 * same, so that values derived from it can be cached beside it.
 */
export class NodeCache {
  readonly #byUuid = new Map<string, NodeSnapshot>();
  readonly #uuids = new Map<string, string>();
  readonly #byName: boolean;

  /** @param byName whether nodes are renamed by this process alone, so that nodes can be found by name too */
  constructor(byName: boolean) {
    this.#byName = byName;
  }

  /** @param ident UUID or name; null when the node is not cached */
  get(ident: string): NodeSnapshot | null {
    return this.#byUuid.get(this.#uuids.get(ident) ?? ident) ?? null;
  }

  /** Keeps content that is final after `fence`: a node that a call holds, which does not change it, or that was free. */
  keep(node: StoredNode, fence: number): void {
    if (this.#byUuid.get(node.uuid)?.node === node) {
      // Behind all others.
      this.#byUuid.delete(node.uuid);
      this.#byUuid.set(node.uuid, { node, fence });
      return;
    }
    this.forget(node.uuid);
    this.#byUuid.set(node.uuid, { node, fence });
    if (this.#byName && node.name !== null) this.#uuids.set(node.name, node.uuid);
    if (this.#byUuid.size > MAX_NODES) this.forget(this.#byUuid.keys().next().value as string);
  }

  /** Drops a node that is about to change. */
  forget(uuid: string): void {
    const name = this.#byUuid.get(uuid)?.node.name;
    if (name != null && this.#uuids.get(name) === uuid) this.#uuids.delete(name);
    this.#byUuid.delete(uuid);
  }
}
