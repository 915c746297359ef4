import { Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { InfoService } from '../../../gen/passthru/v1/info_pb.ts';
import { Emitter } from '../parts/emitter.ts';
import { texts } from '../texts.ts';
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
  | { status: 'ready'; name: string; role: Role; scheme: Scheme | null };

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
      const { name, role } = await createClient(InfoService, this.transport).getCaller({});
      this.#set({ status: 'ready', name, role: role as Role, scheme: this.#scheme });
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

/** Returns why the caller may not end what `owner` began; null when they may: operators end their own, admins everything. */
export function notOwner(state: SessionState, owner: string): string | null {
  if (!hasRole(state, 'operator')) return texts.needsRole('operator');
  const isOwner = state.status === 'ready' && state.name === owner;
  return isOwner || hasRole(state, 'admin') ? null : texts.needsOwner(owner);
}
