// Authentication and authorization: identifies callers and checks what they may do.
import type { AuthType } from '../config/authSettings.ts';
import { ANONYMOUS, type Caller, checkRole, type Role } from '../core/caller.ts';
import { PassthruError, toPassthruError } from '../core/errors.ts';
import { ACTIONS, type Action, IRONIC_ACTIONS } from './actions.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** What a request was about, for the record of its refusal: of REST the path and query, of RPC the message. */
export interface Subject {
  readonly params?: Readonly<Record<string, string | undefined>>;
  readonly rawQuery?: string;
  readonly node?: string;
  readonly driver?: string;
  readonly method?: string;
  readonly jobId?: string;
}

/** A refused request. */
export interface Refusal {
  /** The requested action; undefined when it has no entry in `ACTIONS`. */
  action: Action | undefined;
  /** Null when the caller is not authenticated. */
  caller: Caller | null;
  error: PassthruError;
  /** Null when the request was not read. */
  subject: Subject | null;
}

/** The actions that are open to whoever may call some method, unless they require another role than calls. */
const CALLS: ReadonlySet<Action> = new Set(['call a method', 'list methods']);

/** Authenticates callers and checks their roles, for every protocol. */
export class Access {
  readonly #authenticator: Authenticator;
  /** The lowest role that any method can be called with; each method's own role is checked later. Set by the drivers. */
  callRole: Role = ACTIONS['call a method'];
  /** `auth.type`. */
  readonly type: AuthType;
  readonly #refused: (refusal: Refusal) => void;

  /**
   * @param refused called for each refused request
   */
  constructor(authenticator: Authenticator, type: AuthType = 'none', refused: (refusal: Refusal) => void = () => {}) {
    this.type = type;
    this.#authenticator = authenticator;
    this.#refused = refused;
  }

  /**
   * Returns the caller with `credentials`; throws or rejects as `Authenticator.authenticate`.
   * @param action the requested action, for the record of a refusal, as is `subject`
   */
  identify(credentials: Credentials, action?: Action, subject: Subject | null = null): Caller | Promise<Caller> {
    const recordRefusal = (thrown: unknown): never => {
      this.#refused({ action, caller: null, error: toPassthruError(thrown), subject });
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
  refuse(action: Action | undefined, error: unknown, subject: Subject | null = null): void {
    this.#refused({ action, caller: null, error: toPassthruError(error), subject });
  }

  /** The value of `WWW-Authenticate`; see `Authenticator.challenge`. */
  get challenge(): string | null {
    return this.#authenticator.challenge;
  }

  /** Whether `action` requires no credentials. */
  isOpen(action: Action | undefined): boolean {
    return this.requiredRole(action) === 'open';
  }

  /** Returns the role that `action` requires, `open` when it requires no credentials; undefined when no one may do it. */
  requiredRole(action: Action | undefined): Role | 'open' | undefined {
    if (action === undefined || !Object.hasOwn(ACTIONS, action)) return undefined;
    const required = (this.type === 'keystone' ? IRONIC_ACTIONS[action] : undefined) ?? ACTIONS[action];
    return required === ACTIONS['call a method'] && CALLS.has(action) ? this.callRole : required;
  }

  /**
   * Checks that `caller` may do `action`.
   * @param action undefined when it has no entry in `ACTIONS`: no one may do it
   * @throws kind `permission_denied`
   */
  check(caller: Caller, action: Action | undefined, subject: Subject | null = null): void {
    try {
      const required = this.requiredRole(action);
      if (required === undefined) throw new PassthruError('permission_denied', 'No role may do this.');
      if (required !== 'open') checkRole(caller, required, action as Action);
    } catch (thrown) {
      this.#refused({ action, caller, error: toPassthruError(thrown), subject });
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
