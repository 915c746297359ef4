// Nodes: the table of all, one node with its methods, and the forms that change them.
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { orderKey } from '../parts/order.ts';

/** What the table can be narrowed to. */
export const STATES = ['locked', 'free', 'failed', 'maintenance'] as const;
export type NodeState = (typeof STATES)[number];

export function isIn(node: Node, state: string): boolean {
  switch (state) {
    case 'locked':
      return node.reservation !== undefined;
    case 'free':
      return node.reservation === undefined;
    case 'failed':
      return node.lastError !== '';
    case 'maintenance':
      return node.maintenance;
    default:
      return true;
  }
}

/** Returns the name, or the UUID of a node without one. */
export function nodeTitle({ name, uuid }: Pick<Node, 'name' | 'uuid'>): string {
  return name === '' ? uuid : name;
}

/** Returns what the operator has entered as the vendor of the machine. */
export function vendorOf({ properties }: Node): string {
  const vendor = properties?.vendor ?? properties?.manufacturer;
  return typeof vendor === 'string' ? vendor : '';
}

/** Returns the firmware version that the operator has entered, as `discover` reports it. */
export function firmwareOf({ properties }: Node): string {
  const firmware = properties?.firmware;
  return typeof firmware === 'string' ? firmware : '';
}

/** Nodes do not change in place: a change is another object. */
const searched = new WeakMap<Node, string>();
const ordered = new WeakMap<Node, string>();

/** Whether the words of `words` (in lower case) are all found in what describes the node. */
export function matches(node: Node, words: readonly string[]): boolean {
  let text = searched.get(node);
  if (text === undefined) {
    const { name, uuid, driver, vendorInterface, description, driverInfo, reservation } = node;
    const addresses = Object.entries(driverInfo ?? {}).filter(([key]) => key.endsWith('_address'));
    const parts = [name, uuid, driver, vendorInterface, description, vendorOf(node), reservation?.holder ?? ''];
    text = [...parts, ...addresses.map(([, value]) => String(value))].join('\n').toLowerCase();
    searched.set(node, text);
  }
  return words.every((word) => text.includes(word));
}

export function titleKey(node: Node): string {
  let key = ordered.get(node);
  if (key === undefined) {
    key = orderKey(nodeTitle(node));
    ordered.set(node, key);
  }
  return key;
}
