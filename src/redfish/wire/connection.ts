import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Client } from 'undici';
import { RedfishError } from '../errors.ts';
import { Breaker } from './breaker.ts';
import { RequestsAtOnce } from './concurrencyLimit.ts';
import { type TlsConnectOptions, type TlsSettings, tlsContexts } from './tls.ts';

/** How connections to a BMC are made and kept. */
export interface ConnectionSettings {
  tls: TlsSettings;
  /** Whether a connection is kept after an answer. Some BMCs stall on connections that live long (sushy closes each). */
  keepAlive: boolean;
  /** Addresses of the host, to connect to and to no other; looked up with each connection when not given. */
  addresses?: readonly LookupAddress[];
}

/** One connection, lent for one exchange. */
export interface Lease {
  readonly client: Client;
  /** Gives the connection back; `healthy` when a whole answer came, so that it can be used again. */
  release(healthy: boolean): void;
  /**
   * To be called before `release` when the BMC answered 503: whether other requests of this service were under way beside
   * this one. Then the BMC may serve fewer at once, and is sent fewer for a while.
   */
  turnedAway(): boolean;
}

/** An idle connection is dropped after this long: BMCs close theirs after 5 s and more, and a request must not meet that. */
const IDLE_MS = 3000;

/** For TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Calls that may wait for a connection to one BMC; more are refused at once. */
const MAX_WAITING = 1000;

interface Waiter {
  settings: ConnectionSettings;
  key: string;
  grant(lease: Lease): void;
  fail(error: unknown): void;
}

/**
 * The connections to one BMC. A BMC serves few requests at once, so at most `limit` are under way whatever the number
 * of accounts and nodes behind it; the rest wait in order. HTTP/1.1 alone: there the limit on connections is one on
 * requests. undici's own Pool opens a second connection when one request follows another closely, hence single clients.
 */
export class BmcConnections {
  readonly origin: string;
  /** Whether the BMC is known to be down. */
  readonly breaker: Breaker;
  /** How often no connection could be made: a BMC that was away may have come back with other firmware. */
  absences = 0;
  readonly #atOnce: RequestsAtOnce;
  #busy = 0;
  /** Of each request under way, whether another was at any time of it. */
  readonly #underWay = new Set<{ crowded: boolean }>();
  #closed = false;
  /** The newest last: the longest idle one runs into its timeout. */
  readonly #idle: { key: string; client: Client }[] = [];
  readonly #waiting: Waiter[] = [];

  constructor(origin: string, limit: number) {
    this.origin = origin;
    this.breaker = new Breaker(origin);
    this.#atOnce = new RequestsAtOnce(limit);
  }

  /**
   * A connection for one exchange; waits while `limit` are under way, at most `waitMs` milliseconds.
   * @throws `signal.reason` when it fires first; kind `busy` when too many wait, or this one waited too long; kind
   *   `unreachable` when the connections are closed; kind `tls` when the TLS settings cannot be used
   */
  lease(settings: ConnectionSettings, waitMs: number, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    if (this.#closed) return Promise.reject(closedError(this.origin));
    const key = settingsKey(settings);
    if (this.#busy < this.#atOnce.limit) return this.#grant(settings, key);
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(this.#busyError('too many requests wait for it'));
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const giveUp = (error: () => unknown) => {
        leave();
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(error());
      };
      const onAbort = () => giveUp(() => signal.reason);
      const timer = setTimeout(
        () => giveUp(() => this.#busyError(`its turn did not come within ${waitMs / 1000} s`)),
        waitMs,
      );
      const waiter: Waiter = {
        settings,
        key,
        grant: (lease) => {
          leave();
          resolve(lease);
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  /** Ends every idle connection and refuses new requests; a request under way may end. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.fail(closedError(this.origin));
    await this.dropIdle();
  }

  /** Ends every idle connection; the next request opens one again. */
  async dropIdle(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(({ client }) => client.destroy()));
  }

  async #grant(settings: ConnectionSettings, key: string): Promise<Lease> {
    this.#busy++;
    try {
      return this.#open(settings, key);
    } catch (error) {
      this.#done();
      const message = error instanceof Error ? error.message : 'the TLS settings cannot be used';
      throw new RedfishError('tls', message, { url: this.origin, cause: error });
    }
  }

  #open(settings: ConnectionSettings, key: string): Lease {
    const kept = this.#idle.findLastIndex((idle) => idle.key === key);
    const client = kept >= 0 ? this.#idle.splice(kept, 1)[0]!.client : newClient(this.origin, settings);
    const request = { crowded: this.#busy > 1 };
    this.#underWay.add(request);
    if (request.crowded) for (const other of this.#underWay) other.crowded = true;
    let released = false;
    return {
      client,
      turnedAway: () => {
        if (request.crowded) this.#atOnce.narrow();
        return request.crowded;
      },
      release: (healthy) => {
        if (released) return;
        released = true;
        this.#underWay.delete(request);
        if (healthy && settings.keepAlive && !this.#closed) this.#idle.push({ key, client });
        else void client.destroy();
        // Connections of other TLS settings count against the limit as well.
        while (this.#idle.length > this.#atOnce.limit) void this.#idle.shift()!.client.destroy();
        this.#done();
      },
    };
  }

  #busyError(why: string): RedfishError {
    const others = `${this.#busy} requests of this service, and ${this.#waiting.length} wait`;
    return new RedfishError('busy', `the BMC is busy with ${others}; this one was not sent, for ${why}`, {
      url: this.origin,
    });
  }

  #done(): void {
    this.#busy--;
    while (this.#busy < this.#atOnce.limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#grant(next.settings, next.key).then(next.grant, next.fail);
    }
  }
}

/** By the settings' object, which each conversation keeps: so it is made once, not with every request. */
const keys = new WeakMap<ConnectionSettings, string>();

/** Equal for settings whose connections may serve for each other. */
function settingsKey(settings: ConnectionSettings): string {
  let key = keys.get(settings);
  if (key === undefined) {
    key = JSON.stringify([settings.tls, settings.keepAlive, settings.addresses]);
    keys.set(settings, key);
  }
  return key;
}

function newClient(origin: string, settings: ConnectionSettings): Client {
  const tls: TlsConnectOptions | object = origin.startsWith('https:') ? tlsContexts.connectOptions(settings.tls) : {};
  return new Client(origin, {
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // The exchange has one timer over all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { ...tls, ...lookupOf(settings), timeout: CONNECT_TIMEOUT_MS },
  });
}

/** What has `net.connect` take the addresses that are given. */
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
