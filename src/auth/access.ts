import type { AuthType } from '../config/authSettings.ts';
import { ANONYMOUS, type Caller, checkRole, type Role } from '../core/caller.ts';
import { PassthruError, toPassthruError } from '../core/errors.ts';
import { ACTIONS, type Action } from './actions.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** Somebody who was not let in. */
export interface Refusal {
  /** What they wanted; undefined for what has no entry in the table. */
  action: Action | undefined;
  /** Null when it is not known who it was. */
  caller: Caller | null;
  error: PassthruError;
}

/** Who may come in, and what they may do: what every way in asks. */
export class Access {
  readonly #authenticator: Authenticator;
  readonly #callRole: Role;
  /** `auth.type`. */
  readonly type: AuthType;
  readonly #refused: (refusal: Refusal) => void;

  /**
   * @param callRole the least role that some method can be called with; the method itself says whether it will do
   * @param refused told of each who is not let in
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
   * Who brings `credentials`; throws, or rejects, as `Authenticator.authenticate`.
   * @param action what they are for
   */
  identify(credentials: Credentials, action?: Action): Caller | Promise<Caller> {
    const refuse = (thrown: unknown): never => {
      this.#refused({ action, caller: null, error: toPassthruError(thrown) });
      throw thrown;
    };
    try {
      const identity = this.#authenticator.authenticate(credentials);
      return identity instanceof Promise ? identity.catch(refuse) : identity;
    } catch (thrown) {
      return refuse(thrown);
    }
  }

  /**
   * Records one who is refused before it is asked who they are, such as a page that may not call.
   * @param error what they are told
   */
  refuse(action: Action | undefined, error: unknown): void {
    this.#refused({ action, caller: null, error: toPassthruError(error) });
  }

  /** As `Authenticator.challenge`. */
  get challenge(): string | null {
    return this.#authenticator.challenge;
  }

  /** Whether `action` takes no credentials. */
  isOpen(action: Action | undefined): boolean {
    return action !== undefined && ACTIONS[action] === 'open';
  }

  /**
   * Lets `caller` do `action`, or throws kind `permission_denied`.
   * @param action undefined for what has no entry in the table: nobody may do it
   */
  check(caller: Caller, action: Action | undefined): void {
    try {
      const needed = action === undefined || !Object.hasOwn(ACTIONS, action) ? undefined : ACTIONS[action];
      if (needed === undefined) throw new PassthruError('permission_denied', 'No role may do this.');
      if (needed !== 'open') checkRole(caller, action === 'call a method' ? this.#callRole : needed, action as Action);
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
