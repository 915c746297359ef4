import { KnownPaths } from './discovered.ts';
import { noteServiceRoot, readServiceRoot, SERVICE_ROOT_KEY, type ServiceRoot } from './identity.ts';
import type { Account } from './login/account.ts';
import { Login, type SessionsPlace } from './login/login.ts';
import type { AccountLogins } from './login/loginCache.ts';
import type { BmcConnections, ConnectionSettings } from './wire/connection.ts';
import { deliver, type ObservedExchange, type RequestLimits, type Transport } from './wire/delivery.ts';
import { readAnswer } from './wire/response.ts';

/** Where DSP0266 puts the sessions when the service root does not say. */
const SESSIONS_PATH = '/redfish/v1/SessionService/Sessions';

/** A request, with what is known of the BMC. */
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
  readonly known: KnownPaths;
  readonly account: Account;
  /** Path of the service root. */
  readonly root: string;
  /** The number of requests under way. */
  active = 0;
  /** When a client was last made of it, by the monotonic clock in milliseconds. */
  usedAt = 0;

  constructor(
    connections: BmcConnections,
    settings: ConnectionSettings,
    root: string,
    account: Account,
    logins: AccountLogins,
    observe?: (exchange: BmcExchange) => void,
  ) {
    this.root = root;
    this.account = account;
    this.known = new KnownPaths(() => connections.absences);
    const noteSilence = (exchange: ObservedExchange) => {
      if (exchange.status === null) this.known.doubt();
      observe?.({ ...exchange, vendor: this.vendor });
    };
    this.transport = { connections, settings, observe: noteSilence };
    this.login = new Login(this.transport, account, logins, (lost, limits, signal) =>
      this.#findSessions(lost, limits, signal),
    );
  }

  /** See `RedfishTarget.origin`. */
  get origin(): string {
    return this.transport.connections.origin;
  }

  /** Who made the BMC, in its own word; null while that is not known. */
  get vendor(): string | null {
    return this.known.peek<ServiceRoot>(SERVICE_ROOT_KEY)?.vendor ?? null;
  }

  /**
   * The session collection by `Links.Sessions` of the service root, which is open to everyone (DSP0266, 13.3.3). Waits for
   * nobody who asks for the service root, for they may be waiting for this log-in.
   *
   * When a session was lost the BMC may have restarted, with other firmware even: the service root is read again, and what
   * was discovered is dropped when its UUID or ETag has changed.
   */
  async #findSessions(lost: boolean, limits: RequestLimits, signal: AbortSignal): Promise<SessionsPlace> {
    const known = this.known.peek<ServiceRoot>(SERVICE_ROOT_KEY);
    if (known !== undefined && !lost) return placeOf(known);
    // Some BMCs close even the service root to strangers: then it is read with the session, by the next who uses a path.
    if (lost) this.known.doubt();
    const headers = { accept: 'application/json', 'odata-version': '4.0' };
    const raw = await deliver(this.transport, { method: 'GET', path: this.root, headers, body: null }, limits, signal);
    const { document } = readAnswer(raw);
    // Where the service root is closed or fails, the session service may be open all the same.
    if (raw.status >= 300 || document === null) return placeOf(known);
    const root = readServiceRoot(document, raw.headers.etag ?? null, this.transport.connections.origin, true);
    noteServiceRoot(this.known, root);
    return placeOf(root);
  }
}

/** A service root that cannot be read says nothing of sessions, so that they may well be there. */
function placeOf(root: ServiceRoot | undefined): SessionsPlace {
  return { path: root?.sessions ?? SESSIONS_PATH, linked: root?.hasSessions ?? true };
}
