import { ANONYMOUS, type Caller } from '../core/caller.ts';

/** Who makes a call over gRPC, gRPC-Web or Connect. Everyone is anonymous as long as nobody is asked who they are. */
export function callerOf(): Caller {
  return ANONYMOUS;
}
