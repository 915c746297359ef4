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

/**
 * The size of a generation, as characters of JSON: some 47,000 small nodes, of 1.3 kB of memory each. The nodes that are called in
 * turn have to fit in one: a call that reads its node costs some 28 µs more.
 */
const GENERATION_SIZE = 16 << 20;

interface Entry extends NodeSnapshot {
  fence: number;
  readonly size: number;
}

/**
 * The nodes called or listed most recently, so that a call need not read its node. A node is the same object while its content is the
 * same, so that values derived from it can be cached beside it.
 *
 * They are kept in two generations: once the recent one is full, the older one is dropped as a whole. A call of a recent node thus
 * changes nothing but its fence. An order of use, which deletes and inserts a key of a Map for each call, leaves a deleted entry
 * behind each time, and a Map looks for a key among those too.
 */
export class NodeCache {
  #recent: Generation;
  #older: Generation;
  readonly #byName: boolean;
  readonly #generationSize: number;

  /** @param byName whether nodes are renamed by this process alone, so that nodes can be found by name too */
  constructor(byName: boolean, generationSize: number = GENERATION_SIZE) {
    this.#byName = byName;
    this.#generationSize = generationSize;
    this.#recent = new Generation(byName);
    this.#older = new Generation(byName);
  }

  /** @param ident UUID or name; null when the node is not cached */
  get(ident: string): NodeSnapshot | null {
    return this.#recent.get(ident) ?? this.#older.get(ident) ?? null;
  }

  /** Keeps content that is final after `fence`: a node that a call holds, which does not change it, or that was free. */
  keep(node: StoredNode, fence: number): void {
    const recent = this.#recent.get(node.uuid);
    if (recent?.node === node) {
      recent.fence = fence;
      return;
    }
    const older = this.#older.get(node.uuid);
    this.forget(node.uuid);
    const size = older?.node === node ? older.size : JSON.stringify(node).length;
    if (this.#recent.size + size > this.#generationSize) {
      this.#older = this.#recent;
      this.#recent = new Generation(this.#byName);
    }
    this.#recent.add({ node, fence, size });
  }

  /** Drops a node that is about to change. */
  forget(uuid: string): void {
    this.#recent.delete(uuid);
    this.#older.delete(uuid);
  }
}

class Generation {
  size = 0;
  /** By UUID and by name; no name looks like a UUID. */
  readonly #entries = new Map<string, Entry>();
  readonly #byName: boolean;

  constructor(byName: boolean) {
    this.#byName = byName;
  }

  get(ident: string): Entry | undefined {
    return this.#entries.get(ident);
  }

  add(entry: Entry): void {
    this.size += entry.size;
    this.#entries.set(entry.node.uuid, entry);
    if (this.#byName && entry.node.name !== null) this.#entries.set(entry.node.name, entry);
  }

  delete(uuid: string): void {
    const entry = this.#entries.get(uuid);
    if (entry === undefined) return;
    this.size -= entry.size;
    this.#entries.delete(uuid);
    const { name } = entry.node;
    // Another node may have taken the name since.
    if (name !== null && this.#entries.get(name) === entry) this.#entries.delete(name);
  }
}
