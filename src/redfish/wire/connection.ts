import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Client } from 'undici';
import { untilAborted, WaitingLine } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { Breaker } from './breaker.ts';
import { type ConnectOptions, type TlsSettings, tlsContexts } from './tls.ts';

/** How connections to a BMC are made and kept. */
export interface ConnectionSettings {
  tls: TlsSettings;
  /** Whether a connection is kept after a response. Some BMCs stall on connections that live long (sushy closes each). */
  keepAlive: boolean;
  /** The only addresses of the host to connect to; looked up with each connection when not given. */
  addresses?: readonly LookupAddress[];
}

/** Settings with a key that is equal for those whose connections can serve each other; made once, not for each request. */
export type KeyedSettings = ConnectionSettings & { key: string };

export function withKey(settings: ConnectionSettings): KeyedSettings {
  return { ...settings, key: JSON.stringify([settings.tls, settings.keepAlive, settings.addresses]) };
}

/** One connection, lent for one request. */
export interface Lease {
  readonly client: Client;
  /** Whether it served a request before, so that the BMC may have closed it meanwhile. */
  readonly kept: boolean;
  /** Returns the connection; `healthy` after a whole response, so that it can be used again. */
  release(healthy: boolean): void;
  /**
   * Reports a 503, before `release`. Returns whether other requests of this service ran at the same time: then the BMC may
   * serve fewer at once, and concurrency is reduced for a while.
   */
  turnedAway(): boolean;
}

/** How long an idle connection is kept, in ms. BMCs close theirs after 5 s or more, and a request must not meet that. */
const IDLE_MS = 3000;

/** For TCP and TLS together, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Maximum number of requests that wait for a connection to one BMC; further ones are refused at once. */
const MAX_WAITING = 1000;

/** How long concurrency stays reduced after a 503, in ms. */
const REDUCED_MS = 60_000;

/**
 * A BMC that closes connections sooner than this after a response closes them while the next request is on its way, in ms: a
 * busy service writes a request later than it means to. A change takes a new connection there.
 */
const EARLY_CLOSE_MS = 500;

/** How long it counts that the BMC closed an idle connection early, in ms. */
const SAFE_IDLE_MS = 10 * 60_000;

/**
 * The connections to one BMC, at most `limit` in use regardless of the accounts and nodes behind it; further requests
 * wait in order. HTTP/1.1 only, so that the limit on connections is one on requests. Single clients, because undici's own
 * Pool opens a second connection when one request follows another closely.
 */
export class BmcConnections {
  readonly origin: string;
  /** Whether the BMC is known to be down. */
  readonly breaker: Breaker;
  /** The number of failed connection attempts: a BMC that was unreachable may have other firmware now. */
  absences = 0;
  readonly #maxBusy: number;
  /** Some BMCs serve one or two requests at once, and return 503 to more. */
  #reduced: { limit: number; until: number } | null = null;
  #busy = 0;
  /** The requests in flight, each with whether another was in flight at any time of it. */
  readonly #inFlight = new Set<{ crowded: boolean }>();
  #closed = false;
  /** The newest last: the longest idle one runs into its timeout. */
  readonly #idle: { key: string; client: Client; since: number }[] = [];
  /**
   * How long a connection may have been idle for a request that must not be lost, in ms. A BMC that closes idle connections
   * may do so in the moment in which the request is written. Forgotten after a while: a BMC closes connections when it
   * restarts, too.
   */
  #safeIdle = { ms: Number.POSITIVE_INFINITY, until: 0 };
  readonly #waiting = new WaitingLine();

  constructor(origin: string, limit: number, now: () => number) {
    this.origin = origin;
    this.breaker = new Breaker(origin, now);
    this.#maxBusy = limit;
  }

  /**
   * Returns a connection for one request; waits up to `waitMs` milliseconds while the limit is reached.
   * @param isChange whether the request must not be lost, so that it takes no connection that the BMC may be closing
   * @throws `signal.reason` when it fires first; kind `busy` when too many requests wait, or this one waited too long; kind
   *   `unreachable` when the connections are closed; kind `tls` when the TLS settings are invalid
   */
  async lease(settings: KeyedSettings, waitMs: number, signal: AbortSignal, isChange = false): Promise<Lease> {
    signal.throwIfAborted();
    if (this.#closed) throw closedError(this.origin);
    if (this.#busy < this.#limit) this.#busy++;
    else if (this.#waiting.length >= MAX_WAITING) throw this.#busyError(MAX_WAITING, 'too many requests are waiting');
    else {
      // `#done`, which grants the turn, counts it as busy.
      await this.#waiting.wait(waitMs, signal, () =>
        // Without this one.
        this.#busyError(this.#waiting.length - 1, `it waited for ${waitMs / 1000} s`),
      );
    }
    try {
      const kept = this.#takeIdle(settings, isChange);
      return this.#lend(settings, kept ?? (await this.#connect(settings, signal)), kept !== null);
    } catch (error) {
      this.#done();
      signal.throwIfAborted();
      const message = error instanceof Error ? error.message : 'invalid TLS settings';
      throw new RedfishError('tls', message, { url: this.origin, cause: error });
    }
  }

  /** Closes every idle connection and refuses new requests; a request in flight may end. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.refuseAll(closedError(this.origin));
    await this.dropIdle();
  }

  /** Closes every idle connection; the next request opens one again. */
  async dropIdle(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(({ client }) => client.destroy()));
  }

  /** The maximum number of concurrent requests now. */
  get #limit(): number {
    return this.#reduced !== null && performance.now() < this.#reduced.until ? this.#reduced.limit : this.#maxBusy;
  }

  /** Returns an idle connection that may serve the request; null when there is none. */
  #takeIdle({ key }: KeyedSettings, isChange: boolean): Client | null {
    const safeMs = isChange ? this.#safeIdleMs() : Number.POSITIVE_INFINITY;
    const now = performance.now();
    const index = this.#idle.findLastIndex((idle) => idle.key === key && now - idle.since < safeMs);
    return index >= 0 ? this.#idle.splice(index, 1)[0]!.client : null;
  }

  #safeIdleMs(): number {
    const { ms, until } = this.#safeIdle;
    return performance.now() < until ? ms : Number.POSITIVE_INFINITY;
  }

  #lend(settings: KeyedSettings, client: Client, kept: boolean): Lease {
    const { key } = settings;
    const request = { crowded: this.#busy > 1 };
    this.#inFlight.add(request);
    if (request.crowded) for (const other of this.#inFlight) other.crowded = true;
    let released = false;
    return {
      client,
      kept,
      turnedAway: () => {
        if (request.crowded)
          this.#reduced = { limit: Math.max(1, this.#limit - 1), until: performance.now() + REDUCED_MS };
        return request.crowded;
      },
      release: (healthy) => {
        if (released) return;
        released = true;
        this.#inFlight.delete(request);
        if (healthy && settings.keepAlive && !this.#closed) this.#idle.push({ key, client, since: performance.now() });
        else void client.destroy();
        // Connections with other TLS settings count towards the limit as well.
        while (this.#idle.length > this.#limit) void this.#idle.shift()!.client.destroy();
        this.#done();
      },
    };
  }

  async #connect(settings: ConnectionSettings, signal: AbortSignal): Promise<Client> {
    const client = await openClient(this.origin, settings, signal);
    client.on('disconnect', (_origin, _targets, { code }) => {
      const idle = this.#idle.find((one) => one.client === client);
      // `UND_ERR_INFO` is undici's own timeout.
      if (idle === undefined || code === 'UND_ERR_INFO') return;
      const now = performance.now();
      const idleMs = now - idle.since;
      const safeMs = idleMs < EARLY_CLOSE_MS ? 0 : idleMs / 2;
      this.#safeIdle = { ms: Math.min(this.#safeIdleMs(), safeMs), until: now + SAFE_IDLE_MS };
    });
    return client;
  }

  #busyError(waiting: number, why: string): RedfishError {
    const load = `${this.#busy} requests of this service in flight, ${waiting} waiting`;
    const message = `the BMC is busy (${load}); this request was not sent: ${why}`;
    return new RedfishError('busy', message, { url: this.origin });
  }

  #done(): void {
    this.#busy--;
    while (this.#busy < this.#limit && this.#waiting.grant()) this.#busy++;
  }
}

/** Loaded for the first connection: a hundred modules that a service without a BMC does not need. */
let undici: Promise<typeof import('undici')> | null = null;

/** Makes a client of one connection, which connects with its first request. Throws what `connectOptions` throws. */
export async function openClient(origin: string, settings: ConnectionSettings, signal: AbortSignal): Promise<Client> {
  undici ??= import('undici');
  const { Client } = await undici;
  const tls = origin.startsWith('https:') ? tlsContexts.connectOptions(settings.tls) : {};
  return newClient(Client, origin, settings, tls instanceof Promise ? await untilAborted(tls, signal) : tls);
}

function newClient(
  Client: typeof import('undici').Client,
  origin: string,
  settings: ConnectionSettings,
  tls: Partial<ConnectOptions>,
): Client {
  return new Client(origin, {
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // `exchange` has one timer for the whole request.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { ...tls, ...lookupOf(settings), timeout: CONNECT_TIMEOUT_MS },
  });
}

/** Makes `net.connect` take the given addresses. */
function lookupOf({ addresses }: ConnectionSettings): { lookup?: LookupFunction } {
  if (addresses === undefined) return {};
  return {
    lookup: (_host, { all }, done) => {
      const [first] = addresses;
      if (all) done(null, [...addresses]);
      else done(null, first!.address, first!.family);
    },
  };
}

function closedError(origin: string): RedfishError {
  return new RedfishError('unreachable', 'The service is closing its connections to BMCs', { url: origin });
}
