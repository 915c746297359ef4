import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { Access } from '../auth/access.ts';
import type { Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import { rpcAction } from './actions.ts';

/** Who makes a call, which the listener is told or learns while the call is read. */
export const identityKey = createContextKey<Caller | Promise<Caller> | null>(null);

const callerKey = createContextKey<Caller | null>(null);

/**
 * Gives the core to a caller whose role allows what the method of `context` does. Methods call it when what they were
 * given is well-formed: that is the order of the checks.
 * @throws kind `permission_denied`
 */
export type Enter = (context: HandlerContext) => { core: Core; caller: Caller };

/**
 * Waits until it is known who calls, and whether the call may begin.
 * @param isOpen whether the method takes no credentials
 * @throws kind `unauthenticated`, also when the listener has asked nobody; `rate_limited`
 */
export async function admit(context: HandlerContext, isOpen: boolean): Promise<void> {
  const caller = await context.values.get(identityKey);
  if (isOpen) return;
  if (caller === null) throw new PassthruError('unauthenticated', 'Authorization required');
  context.values.set(callerKey, caller);
}

export function createEnter(core: Core, access: Access): Enter {
  return (context) => {
    const caller = context.values.get(callerKey);
    if (caller === null) throw new PassthruError('unauthenticated', 'Authorization required');
    access.check(caller, rpcAction(methodName(context)));
    return { core, caller };
  };
}

function methodName({ service, method }: HandlerContext): string {
  return `${service.typeName}/${method.name}`;
}
