import type { Role } from '../core/caller.ts';

/**
 * The role that each action requires; `open` requires no credentials. Every REST route and RPC names its entry; one that
 * names none is refused.
 */
export const ACTIONS = {
  'check the health': 'open',
  /** Ironic's `public_api_routes`: clients read the supported versions before they authenticate. */
  'read the root documents': 'open',

  'read the descriptions of the services': 'reader',
  'read the metrics': 'reader',
  'show the caller': 'reader',
  'show the activity': 'reader',
  'list nodes': 'reader',
  'show a node': 'reader',
  'validate a node': 'reader',
  'list drivers': 'reader',
  'list conductors': 'reader',
  'list methods': 'reader',
  'list jobs': 'reader',
  'show a job': 'reader',
  'watch a job': 'reader',
  'watch jobs': 'reader',
  'watch nodes': 'reader',
  'list events': 'reader',
  'watch events': 'reader',
  'list event sources': 'reader',
  'show an event source': 'reader',
  /** Routes of Ironic that this service does not have; they return 400. */
  'request an unserved route': 'reader',

  /** The role of most methods: each has its own, which `auth.rules` may change. */
  'call a method': 'operator',
  /** It shows documents of the machine. The role that its method requires, if that is higher. */
  'read a transcript': 'operator',
  /** Admin for jobs of other callers. */
  'cancel a job': 'operator',
  'set an event source': 'operator',
  'delete an event source': 'operator',
  'test an event source': 'operator',
  'lock a node': 'operator',
  'renew a lock': 'operator',
  /** Admin for nodes that another caller locked. */
  'unlock a node': 'operator',

  'enrol a node': 'admin',
  'change a node': 'admin',
  'remove a node': 'admin',
} as const satisfies Record<string, Role | 'open'>;

/**
 * With Keystone, the actions that Ironic's default policies keep from readers: `baremetal:node:vendor_passthru` and
 * `baremetal:driver:vendor_passthru` cover the lists of methods too, `baremetal:node:validate` is for members.
 */
export const IRONIC_ACTIONS: Readonly<Partial<Record<Action, Role>>> = {
  'list methods': 'operator',
  'validate a node': 'operator',
};

/** A key of `ACTIONS`. */
export type Action = keyof typeof ACTIONS;

/** Returns whether an action is to watch something: the request stays open, and counts as a stream and not as a call. */
export function isWatch(action: Action | undefined): boolean {
  return action?.startsWith('watch ') === true;
}
