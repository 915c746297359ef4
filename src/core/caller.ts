import { PassthruError } from './errors.ts';

/** The roles of callers in ascending order; each includes those before it. */
export const ROLES = ['reader', 'operator', 'admin'] as const;

/** One of `ROLES`. */
export type Role = (typeof ROLES)[number];

/** An authenticated caller. */
export interface Caller {
  /** The name shown by jobs, reservations and logs; unique to the caller. */
  name: string;
  /** Null for a caller without a role, who may do nothing. */
  role: Role | null;
}

/** Every caller when authentication is off (`auth.type: none`). */
export const ANONYMOUS: Caller = { name: 'anonymous', role: 'admin' };

/** Whether the caller has `role`, or one that includes it. */
export function hasRole(caller: Caller, role: Role): boolean {
  return caller.role !== null && ROLES.indexOf(caller.role) >= ROLES.indexOf(role);
}

/** Returns the highest of `roles`; null when there is none. */
export function highestRole(roles: Iterable<Role | undefined>): Role | null {
  let highest = -1;
  for (const role of roles) if (role !== undefined) highest = Math.max(highest, ROLES.indexOf(role));
  return ROLES[highest] ?? null;
}

/**
 * Checks that the caller has `role`.
 * @param what the action, such as `call redfish.eject_vmedia`
 * @throws kind `permission_denied`
 */
export function checkRole(caller: Caller, role: Role, what: string): void {
  if (hasRole(caller, role)) return;
  const has = caller.role === null ? 'none' : `role ${caller.role}`;
  throw new PassthruError('permission_denied', `Role ${role} is required to ${what}; ${caller.name} has ${has}.`);
}

/**
 * Checks that the caller is an admin or the owner.
 * @param owner the name of the caller who started the job or took the reservation
 * @param what the action, such as `cancel job 7`
 * @throws kind `permission_denied`
 */
export function checkOwner(caller: Caller, owner: string, what: string): void {
  if (hasRole(caller, 'admin') || caller.name === owner) return;
  throw new PassthruError('permission_denied', `Only ${owner} or an admin may ${what}; ${caller.name} is neither.`);
}
