import { Discovered } from './discovered.ts';
import { readServiceRoot, recordServiceRoot, SERVICE_ROOT_KEY, type ServiceRoot } from './identity.ts';
import type { Account, AccountLogins } from './login/account.ts';
import { Login, type SessionsPlace } from './login/login.ts';
import { type BmcConnections, type ConnectionSettings, withKey } from './wire/connection.ts';
import { deliver, type ObservedExchange, type RequestLimits, type Transport } from './wire/delivery.ts';
import { readResponse } from './wire/response.ts';

/**
 * How long a login repeats its read of the service root, in ms. With the read that follows (`ROOT_PATIENCE_MS`) it makes up
 * the patience of one request.
 */
const LOGIN_PATIENCE_MS = 9000;

/** The path of the sessions in DSP0266, for service roots that do not link to them. */
const SESSIONS_PATH = '/redfish/v1/SessionService/Sessions';

/** A BMC with the account and settings for its requests. */
export interface RedfishTarget {
  /** Scheme, host and port: `https://bmc.example:8443`. */
  origin: string;
  /** Path of the service root, normally `/redfish/v1/`. */
  root: string;
  account: Account;
  connection: ConnectionSettings;
  limits: RequestLimits;
}

/** Returns the path of the service root with its final slash, which DSP0266 lets clients omit. */
export function rootOf({ root }: RedfishTarget): string {
  return root.endsWith('/') ? root : `${root}/`;
}

/** A request to a BMC, its result, and the BMC's vendor. */
export interface BmcExchange extends ObservedExchange {
  /** See `BmcContext.vendor`. */
  vendor: string | null;
}

/**
 * The state shared by all clients of one BMC and account: the connections (shared with other accounts), the login, and what
 * was discovered.
 */
export class BmcContext {
  readonly transport: Transport;
  readonly login: Login;
  readonly discovered: Discovered;
  readonly logins: AccountLogins;
  /** Path of the service root. */
  readonly root: string;
  /** The number of requests in flight. */
  active = 0;
  /** When a client was last made of it, by the monotonic clock, in ms. */
  usedAt = 0;

  constructor(
    target: RedfishTarget,
    connections: BmcConnections,
    logins: AccountLogins,
    guessed: boolean,
    observe?: (exchange: BmcExchange) => void,
  ) {
    this.root = rootOf(target);
    this.logins = logins;
    this.discovered = new Discovered(() => connections.absences, logins.now);
    const observeExchange = (exchange: ObservedExchange) => {
      if (exchange.status === null) this.discovered.doubt();
      observe?.({ ...exchange, vendor: this.vendor });
    };
    this.transport = { connections, settings: withKey(target.connection), observe: observeExchange };
    this.login = new Login(this.transport, target.account, logins, guessed, (...args) => this.#findSessions(...args));
  }

  /** The BMC's own name for its vendor; null until known. */
  get vendor(): string | null {
    return this.discovered.peek<ServiceRoot>(SERVICE_ROOT_KEY)?.vendor ?? null;
  }

  /**
   * Finds the session collection by `Links.Sessions` of the service root, which needs no credentials (DSP0266, 13.3.3). Does
   * not wait for other readers of the service root, as they may be waiting for this login.
   *
   * When a session was lost, the BMC may have restarted, even with other firmware: the service root is read again, and
   * everything discovered is dropped if its UUID or ETag has changed.
   */
  async #findSessions(lost: boolean, limits: RequestLimits, signal: AbortSignal): Promise<SessionsPlace> {
    const discovered = this.discovered.peek<ServiceRoot>(SERVICE_ROOT_KEY);
    if (discovered !== undefined && !lost) return placeOf(discovered);
    // Some BMCs require credentials even for the service root: then the next use of a path reads it with the session.
    if (lost) this.discovered.doubt();
    const request = { method: 'GET', path: this.root, headers: {}, body: null } as const;
    const patienceMs = Math.min(limits.patienceMs ?? LOGIN_PATIENCE_MS, LOGIN_PATIENCE_MS);
    const raw = await deliver(this.transport, request, { limits: { ...limits, patienceMs }, signal });
    const { document } = readResponse(raw);
    // When the service root is closed or fails, the session service may still work.
    if (raw.status >= 300 || document === null) {
      return { ...placeOf(discovered), guessed: discovered === undefined && mayPass(raw.status) };
    }
    const root = readServiceRoot(document, raw.headers.etag ?? null, this.transport.connections.origin, true);
    recordServiceRoot(this.discovered, root);
    return placeOf(root);
  }
}

/** Returns the place of the sessions. A service root that cannot be read does not mean that there are none. */
function placeOf(root: ServiceRoot | undefined): SessionsPlace {
  return { path: root?.sessions ?? SESSIONS_PATH, linked: root?.hasSessions ?? true, guessed: false };
}

/** Whether the service root may be readable in a while. */
function mayPass(status: number): boolean {
  return status >= 500 || [400, 408, 409, 429].includes(status);
}
