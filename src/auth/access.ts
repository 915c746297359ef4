// Authentication and authorization: identifies callers and checks what they may do.
import type { AuthType } from '../config/authSettings.ts';
import { ANONYMOUS, type Caller, checkRole, type Role } from '../core/caller.ts';
import { PassthruError, toPassthruError } from '../core/errors.ts';
import { ACTIONS, type Action } from './actions.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** A refused request. */
export interface Refusal {
  /** The requested action; undefined when it has no entry in `ACTIONS`. */
  action: Action | undefined;
  /** Null when the caller is not authenticated. */
  caller: Caller | null;
  error: PassthruError;
}

/** Authenticates callers and checks their roles, for every protocol. */
export class Access {
  readonly #authenticator: Authenticator;
  readonly #callRole: Role;
  /** `auth.type`. */
  readonly type: AuthType;
  readonly #refused: (refusal: Refusal) => void;

  /**
   * @param callRole the lowest role that any method can be called with; each method's own rule is checked later
   * @param refused called for each refused request
   */
  constructor(
    authenticator: Authenticator,
    callRole: Role = ACTIONS['call a method'],
    type: AuthType = 'none',
    refused: (refusal: Refusal) => void = () => {},
  ) {
    this.type = type;
    this.#authenticator = authenticator;
    this.#callRole = callRole;
    this.#refused = refused;
  }

  /**
   * Returns the caller with `credentials`; throws or rejects as `Authenticator.authenticate`.
   * @param action the requested action, for the record of a refusal
   */
  identify(credentials: Credentials, action?: Action): Caller | Promise<Caller> {
    const recordRefusal = (thrown: unknown): never => {
      this.#refused({ action, caller: null, error: toPassthruError(thrown) });
      throw thrown;
    };
    try {
      const identity = this.#authenticator.authenticate(credentials);
      return identity instanceof Promise ? identity.catch(recordRefusal) : identity;
    } catch (thrown) {
      return recordRefusal(thrown);
    }
  }

  /**
   * Records a request refused before authentication, such as one from a forbidden web origin.
   * @param error the error that the caller gets
   */
  refuse(action: Action | undefined, error: unknown): void {
    this.#refused({ action, caller: null, error: toPassthruError(error) });
  }

  /** The value of `WWW-Authenticate`; see `Authenticator.challenge`. */
  get challenge(): string | null {
    return this.#authenticator.challenge;
  }

  /** Whether `action` requires no credentials. */
  isOpen(action: Action | undefined): boolean {
    return action !== undefined && ACTIONS[action] === 'open';
  }

  /**
   * Checks that `caller` may do `action`.
   * @param action undefined when it has no entry in `ACTIONS`: no one may do it
   * @throws kind `permission_denied`
   */
  check(caller: Caller, action: Action | undefined): void {
    try {
      const required = action === undefined || !Object.hasOwn(ACTIONS, action) ? undefined : ACTIONS[action];
      if (required === undefined) throw new PassthruError('permission_denied', 'No role may do this.');
      if (required !== 'open')
        checkRole(caller, action === 'call a method' ? this.#callRole : required, action as Action);
    } catch (thrown) {
      this.#refused({ action, caller, error: toPassthruError(thrown) });
      throw thrown;
    }
  }

  close(): Promise<void> {
    return this.#authenticator.close();
  }
}

/** `auth.type: none`: every caller is the one anonymous admin. */
export const noAuthenticator: Authenticator = {
  challenge: null,
  authenticate: () => ANONYMOUS,
  close: async () => {},
};

/** Access with `auth.type: none`. */
export const OPEN_ACCESS = new Access(noAuthenticator);
