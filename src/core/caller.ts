import { PassthruError } from './errors.ts';

/** What a caller may do, from the least to the most; each may do what those before it may. */
export const ROLES = ['reader', 'operator', 'admin'] as const;

/** One of `ROLES`. */
export type Role = (typeof ROLES)[number];

/** Who calls. */
export interface Caller {
  /** The name that jobs, reservations and logs show. Two callers that are told apart have two names. */
  name: string;
  /** Null for one who is known but was given no role: it may do nothing. */
  role: Role | null;
}

/** Everyone, as long as nobody is asked who they are (`auth.type: none`). */
export const ANONYMOUS: Caller = { name: 'anonymous', role: 'admin' };

/** Whether `caller` may do what needs `role`. */
export function hasRole(caller: Caller, role: Role): boolean {
  return caller.role !== null && ROLES.indexOf(caller.role) >= ROLES.indexOf(role);
}

/** The one of `roles` that may do the most; null when there is none. */
export function highestRole(roles: Iterable<Role | undefined>): Role | null {
  let highest = -1;
  for (const role of roles) if (role !== undefined) highest = Math.max(highest, ROLES.indexOf(role));
  return ROLES[highest] ?? null;
}

/**
 * Refuses a caller without `role`.
 * @param what what the role is needed for, such as `call eject_vmedia of redfish`
 * @throws kind `permission_denied`
 */
export function checkRole(caller: Caller, role: Role, what: string): void {
  if (hasRole(caller, role)) return;
  const has = caller.role === null ? 'no role' : `the role ${caller.role}`;
  throw new PassthruError('permission_denied', `To ${what} takes the role ${role}; ${caller.name} has ${has}.`);
}

/**
 * Refuses a caller who is neither an admin nor the `owner` of what is to be changed.
 * @param owner the name of the caller who began it
 * @throws kind `permission_denied`
 */
export function checkOwner(caller: Caller, owner: string, what: string): void {
  if (hasRole(caller, 'admin') || caller.name === owner) return;
  throw new PassthruError(
    'permission_denied',
    `To ${what} takes the role admin: it is ${owner}'s, and ${caller.name} is another.`,
  );
}
