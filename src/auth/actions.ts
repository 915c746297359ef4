import type { Role } from '../core/caller.ts';

/**
 * What can be done from outside, and the role that it takes; `open` takes no credentials. The one table: each route of
 * REST and each RPC names its entry, and one that names none is refused.
 */
export const ACTIONS = {
  'check the health': 'open',
  /** Ironic's `public_api_routes`: clients read them to find the version before they sign in. */
  'read the root documents': 'open',

  'read the descriptions of the services': 'reader',
  'list nodes': 'reader',
  'show a node': 'reader',
  'validate a node': 'reader',
  'list drivers': 'reader',
  'list conductors': 'reader',
  'list methods': 'reader',
  'list jobs': 'reader',
  'show a job': 'reader',
  'watch a job': 'reader',
  /** What Ironic has and this service has not: answered with 400. */
  'ask for what is not served': 'reader',

  /** `auth.rules` say otherwise of single methods. */
  'call a method': 'operator',
  /** Another's job: admin. */
  'cancel a job': 'operator',
  'lock a node': 'operator',
  /** What another has locked: admin. */
  'unlock a node': 'operator',

  'enrol a node': 'admin',
  'change a node': 'admin',
  'remove a node': 'admin',
} as const satisfies Record<string, Role | 'open'>;

/** One of `ACTIONS`. */
export type Action = keyof typeof ACTIONS;
