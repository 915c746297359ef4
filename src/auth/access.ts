import type { AuthType } from '../config/authSettings.ts';
import { type Caller, checkRole, type Role } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import { ACTIONS, type Action } from './actions.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import { noAuthenticator } from './none.ts';

/** Who may come in, and what they may do: what every way in asks. */
export class Access {
  readonly #authenticator: Authenticator;
  readonly #callRole: Role;
  /** `auth.type`. */
  readonly type: AuthType;

  /** @param callRole the least role that some method can be called with; the method itself says whether it will do */
  constructor(authenticator: Authenticator, callRole: Role = ACTIONS['call a method'], type: AuthType = 'none') {
    this.type = type;
    this.#authenticator = authenticator;
    this.#callRole = callRole;
  }

  /** Who brings `credentials`; throws, or rejects, as `Authenticator.authenticate`. */
  identify(credentials: Credentials): Caller | Promise<Caller> {
    return this.#authenticator.authenticate(credentials);
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
    const needed = action === undefined || !Object.hasOwn(ACTIONS, action) ? undefined : ACTIONS[action];
    if (needed === undefined) throw new PassthruError('permission_denied', 'No role may do this.');
    if (needed !== 'open') checkRole(caller, action === 'call a method' ? this.#callRole : needed, action as Action);
  }

  close(): Promise<void> {
    return this.#authenticator.close();
  }
}

/** `auth.type: none`. */
export const OPEN_ACCESS = new Access(noAuthenticator);
