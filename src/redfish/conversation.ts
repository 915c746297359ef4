import { readAnswer } from './answer.ts';
import type { BmcConnections, ConnectionSettings } from './connection.ts';
import { RedfishError } from './errors.ts';
import { KnownPaths } from './knownPaths.ts';
import { readServiceRoot, SERVICE_ROOT_KEY } from './serviceRoot.ts';
import { type Account, Session } from './session.ts';
import { deliver, type ObservedExchange, type RequestLimits, type Transport } from './transport.ts';

/** Where DSP0266 puts the sessions when the service root does not say. */
const SESSIONS_PATH = '/redfish/v1/SessionService/Sessions';

/**
 * All that is shared by those who talk to one BMC with one account: the connections (shared with its other accounts),
 * the session, and what was discovered.
 */
export class Conversation {
  readonly transport: Transport;
  readonly session: Session;
  readonly known = new KnownPaths();
  /** Path of the service root. */
  readonly root: string;
  /** Requests under way. */
  active = 0;

  constructor(
    connections: BmcConnections,
    settings: ConnectionSettings,
    root: string,
    account: Account,
    observe?: (exchange: ObservedExchange) => void,
  ) {
    this.root = root;
    this.transport = { connections, settings, observe };
    this.session = new Session(this.transport, account, (limits) => this.#findSessions(limits));
  }

  /** The session collection by `Links.Sessions` of the service root, which is open to everyone (DSP0266, 13.3.3). */
  async #findSessions(limits: RequestLimits): Promise<string> {
    const signal = new AbortController().signal;
    const root = await this.known
      .get(SERVICE_ROOT_KEY, signal, async () => {
        const headers = { accept: 'application/json', 'odata-version': '4.0' };
        const request = { method: 'GET', path: this.root, headers, body: null } as const;
        const raw = await deliver(this.transport, request, limits, signal);
        const { document } = readAnswer(raw);
        const url = this.transport.connections.origin + this.root;
        // Some BMCs close even the service root to strangers; the session service may be open all the same.
        if (raw.status >= 300 || document === null) {
          throw new RedfishError('refused', 'no service root without credentials', { status: raw.status, url });
        }
        return readServiceRoot(document, this.transport.connections.origin);
      })
      .catch((error: unknown) => {
        if (error instanceof RedfishError && error.status !== 0) return null;
        throw error;
      });
    return root?.sessions ?? SESSIONS_PATH;
  }
}
