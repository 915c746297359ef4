import type { StoredNode } from '../store.ts';

/** A node as it was under the reservation `fence`. */
export interface KnownNode {
  readonly node: StoredNode;
  readonly fence: number;
}

/** So many nodes are kept; the one that was called longest ago goes first. */
const MOST = 10_000;

/**
 * The nodes that were called last, so that a call need not read its node: all of a node but its `last_error` changes
 * under a reservation alone, so that one known at fence N is still true for the one who takes N + 1. Whoever takes
 * another has to read it. A node keeps its identity here while it is the same, so that what is made of it can be kept
 * beside it.
 */
export class KnownNodes {
  readonly #byUuid = new Map<string, KnownNode>();
  readonly #uuids = new Map<string, string>();
  readonly #byName: boolean;

  /** @param byName whether nodes are renamed by this process alone, so that a name can be known too */
  constructor(byName: boolean) {
    this.#byName = byName;
  }

  /** @param ident UUID or name; null when the node is not known */
  get(ident: string): KnownNode | null {
    return this.#byUuid.get(this.#uuids.get(ident) ?? ident) ?? null;
  }

  /** The node is as it says under the reservation `fence`, or will be when that has ended. */
  keep(node: StoredNode, fence: number): void {
    this.forget(node.uuid);
    this.#byUuid.set(node.uuid, { node, fence });
    if (this.#byName && node.name !== null) this.#uuids.set(node.name, node.uuid);
    if (this.#byUuid.size > MOST) this.forget(this.#byUuid.keys().next().value as string);
  }

  /** The node is about to change. */
  forget(uuid: string): void {
    const name = this.#byUuid.get(uuid)?.node.name;
    if (name != null && this.#uuids.get(name) === uuid) this.#uuids.delete(name);
    this.#byUuid.delete(uuid);
  }
}
