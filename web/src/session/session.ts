import { Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { DriverService } from '../../../gen/passthru/v1/driver_pb.ts';
import { JobService } from '../../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { Emitter } from '../parts/emitter.ts';
import {
  type Credentials,
  forgetCredentials,
  rememberCredentials,
  rememberedCredentials,
  type Scheme,
  schemeOf,
} from './credentials.ts';

export type Role = 'reader' | 'operator' | 'admin';

export type SessionState =
  | { status: 'checking' }
  | { status: 'unreachable' }
  /** `problem` is what the service said to the last credentials; null before any. */
  | { status: 'login'; scheme: Scheme; problem: string | null }
  /** Known, but without a role. */
  | { status: 'refused'; problem: string }
  | { status: 'ready'; role: Role; scheme: Scheme | null };

/** No driver has this name, so that no node of it can be enrolled. */
const NO_DRIVER = '(none)';

/** Milliseconds until a service that cannot be reached is tried again. */
const RETRY_INTERVAL = 1000;

/** How the page authenticates, and as what. One for the page; its state tells what to show. */
class Session extends Emitter {
  #state: SessionState = { status: 'checking' };
  #credentials: Credentials | null = rememberedCredentials();
  /** Whether the browser may add a client certificate. Otherwise it must add nothing: neither stored passwords nor a prompt. */
  #useCertificate = false;

  readonly transport: Transport = createConnectTransport({
    baseUrl: location.origin,
    useBinaryFormat: true,
    fetch: (input, init) => this.fetch(input, init),
    interceptors: [this.#noticeExpiry()],
  });

  get state(): SessionState {
    return this.#state;
  }

  /** As `fetch`, with the credentials, and nothing that the browser would add. */
  readonly fetch = (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (this.#credentials !== null) headers.set(this.#credentials.header, this.#credentials.value);
    return fetch(input, { ...init, headers, credentials: this.#useCertificate ? 'same-origin' : 'omit' });
  };

  /** Finds out what the service asks for, and whether the remembered credentials are enough. */
  async start(): Promise<void> {
    this.#set({ status: 'checking' });
    try {
      await createClient(DriverService, this.transport).listDrivers({ pageSize: 1 });
      this.#set({ status: 'ready', role: await this.#findRole(), scheme: this.#scheme });
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      if (error.code === Code.Unauthenticated) return this.#askFor(error);
      if (error.code === Code.PermissionDenied) return this.#set({ status: 'refused', problem: error.rawMessage });
      this.#set({ status: 'unreachable' });
      setTimeout(() => void this.start(), RETRY_INTERVAL);
    }
  }

  async logIn(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    rememberCredentials(credentials);
    await this.start();
  }

  logOut(): void {
    this.#credentials = null;
    forgetCredentials();
    // A new document: nothing that was shown stays in memory.
    location.assign(import.meta.env.BASE_URL);
  }

  get #scheme(): Scheme | null {
    return this.#useCertificate ? 'certificate' : (this.#credentials?.scheme ?? null);
  }

  #askFor(error: ConnectError): void | Promise<void> {
    const scheme = schemeOf(error.metadata.get('WWW-Authenticate'));
    if (scheme === 'certificate' && !this.#useCertificate) {
      this.#useCertificate = true;
      return this.start();
    }
    const problem = this.#credentials === null ? null : error.rawMessage;
    this.#credentials = null;
    forgetCredentials();
    this.#set({ status: 'login', scheme, problem });
  }

  /**
   * Finds the caller's role by two requests that are refused either way and change nothing: for their content where the role
   * suffices, else for the role. The contract has no call that tells it.
   */
  async #findRole(): Promise<Role> {
    if (this.#scheme === null) return 'admin';
    if (await this.#mayDo(() => createClient(NodeService, this.transport).createNode({ node: { driver: NO_DRIVER } })))
      return 'admin';
    if (await this.#mayDo(() => createClient(JobService, this.transport).cancelJob({}))) return 'operator';
    return 'reader';
  }

  async #mayDo(request: () => Promise<unknown>): Promise<boolean> {
    try {
      await request();
      return true;
    } catch (thrown) {
      const { code } = ConnectError.from(thrown);
      if (code === Code.Unavailable || code === Code.Unknown) throw thrown;
      return code !== Code.PermissionDenied;
    }
  }

  /** Shows the login when the credentials of a running session are no longer accepted. */
  #noticeExpiry(): Interceptor {
    return (next) => async (request) => {
      try {
        return await next(request);
      } catch (thrown) {
        const error = ConnectError.from(thrown);
        if (error.code === Code.Unauthenticated && this.#state.status === 'ready') void this.#askFor(error);
        throw thrown;
      }
    };
  }

  #set(state: SessionState): void {
    this.#state = state;
    this.emit();
  }
}

export const session = new Session();

const RANKS: Readonly<Record<Role, number>> = { reader: 0, operator: 1, admin: 2 };

/** Whether the caller has `role` or a higher one. */
export function hasRole(state: SessionState, role: string): boolean {
  return state.status === 'ready' && RANKS[state.role] >= (RANKS[role as Role] ?? RANKS.admin);
}
