import type { RedfishError } from '../errors.ts';

/** `auto`: a session, or Basic where the BMC offers none. */
export type AuthType = 'auto' | 'session' | 'basic';

/** The credentials for one BMC. */
export interface Account {
  /** Null: without credentials. */
  username: string | null;
  password: string;
  authType: AuthType;
}

/** The right to send one request with an account's credentials. */
export interface Authorization {
  kind: 'none' | 'session' | 'basic';
  headers: Record<string, string>;
  /** Throws when the credentials were refused meanwhile. Call it in the tick in which the request is written. */
  check?(): void;
  /** Lets the next request have its turn. Call it once the response was judged, or the request has failed. */
  release(): void;
  /** For `basic`: why the BMC opened no session, when Basic stands in for one this once; null when Basic is all there is. */
  noSession?: RedfishError | null;
}
