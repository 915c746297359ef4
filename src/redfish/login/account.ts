import type { RedfishError } from '../errors.ts';
import type { RawAnswer } from '../wire/request.ts';

/** `auto`: a session, or Basic where the BMC has none to give. */
export type AuthType = 'auto' | 'session' | 'basic';

/** Who asks. */
export interface Account {
  /** Null: without credentials. */
  username: string | null;
  password: string;
  authType: AuthType;
}

/** What goes with one request. */
export type Authorization =
  | { kind: 'none'; headers: Record<string, string> }
  | { kind: 'session'; headers: { 'x-auth-token': string } }
  | BasicAuthorization;

export interface BasicAuthorization {
  kind: 'basic';
  headers: { authorization: string };
  /** Why the BMC opened no session, when Basic is sent for this once instead; null when Basic is all there is. */
  noSession: RedfishError | null;
}

/**
 * Sends a request with these credentials.
 * @param beforeSend to be called in the tick in which it is written; when it throws, it must not be sent
 */
export type SendWith = (authorization: Authorization, beforeSend?: () => void) => Promise<RawAnswer>;
