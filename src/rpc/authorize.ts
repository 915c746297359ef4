import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { Access, Subject } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';

/** The authenticated caller, possibly still being authenticated; null for a method without authentication. */
export const identityKey = createContextKey<Caller | Promise<Caller> | null>(null);

/** An authenticated caller, the action of the method that they call, and its message. */
interface Admission {
  caller: Caller;
  action: Action | undefined;
  subject: Subject | null;
}

const admissionKey = createContextKey<Admission | null>(null);

/**
 * Returns the core to a caller whose role allows the method of `context`. Methods call it once their input is
 * well-formed, as the order of checks demands.
 * @throws kind `permission_denied`
 */
export type Enter = (context: HandlerContext) => { core: Core; caller: Caller };

/**
 * Waits until the caller is authenticated and the call may begin; returns undefined when that is so already.
 * @param action the action of the method
 * @param isOpen whether the method needs no authentication
 * @param subject the message, for the record of a refusal; null when it is not known yet
 * @throws kind `unauthenticated`, also when no one has authenticated the call; `rate_limited`
 */
export function admit(
  context: HandlerContext,
  { action, isOpen }: { action: Action | undefined; isOpen: boolean },
  subject: Subject | null,
): Promise<void> | undefined {
  const identity = context.values.get(identityKey);
  const enter = (caller: Caller | null) => {
    if (isOpen) return;
    if (caller === null) throw new PassthruError('unauthenticated', 'Authorization required');
    context.values.set(admissionKey, { caller, action, subject });
  };
  if (identity instanceof Promise) return identity.then(enter);
  enter(identity);
}

export function createEnter(core: Core, access: Access): Enter {
  return (context) => {
    const admission = context.values.get(admissionKey);
    if (admission === null) throw new PassthruError('unauthenticated', 'Authorization required');
    access.check(admission.caller, admission.action, admission.subject);
    return { core, caller: admission.caller };
  };
}
