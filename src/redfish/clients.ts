import { BmcContext, type BmcExchange, type RedfishTarget, rootOf } from './bmcContext.ts';
import { RedfishClient, type RequestOptions } from './client.ts';
import { LoginCache, passwordDigest } from './login/account.ts';
import { CallTranscript } from './transcript/callTranscript.ts';
import { BmcConnections } from './wire/connection.ts';
import type { RequestLimits } from './wire/delivery.ts';

interface RedfishClientsOptions {
  /** Receives each request that ended, for logs and metrics. */
  observe?: (exchange: BmcExchange) => void;
  /** The monotonic clock, in ms. */
  now?: () => number;
  /** The maximum number of concurrent requests to one BMC; 4 by default. */
  maxConnections?: number;
}

/** The clients of many BMCs, with one context per BMC and account. */
export interface RedfishClients {
  /** Returns a client of `target` for one call; those of one BMC and account share connections, session and discovered paths. */
  for(target: RedfishTarget, options: RequestOptions): RedfishClient;
  /**
   * Runs `work` with a client that is not kept: its session is deleted once `work` has ended or failed. Its credentials are a
   * caller's, see `WrongPasswords`.
   */
  once<T>(target: RedfishTarget, options: RequestOptions, work: (client: RedfishClient) => Promise<T>): Promise<T>;
  /** Deletes the session with `target`, and drops discovered values and the refusal of its password. Never fails. */
  forget(target: RedfishTarget): Promise<void>;
  /** Returns the vendor of each BMC that is down (`Breaker`); null where unknown. */
  down(): (string | null)[];
  /** Deletes every session and closes every connection. Never fails. A second call, by another user, waits for the first. */
  close(): Promise<void>;
}

/** Maximum number of concurrent requests to one BMC, regardless of the number of accounts. */
const MAX_CONNECTIONS = 4;

/**
 * How long the context of a BMC and account is kept unused, in ms. When another process removes its node or changes the
 * password, no one calls `forget` here.
 */
const UNUSED_MS = 60 * 60_000;

/** The interval of the search for unused contexts, in ms. */
const SWEEP_MS = 10 * 60_000;

/** Maximum number of sessions deleted at once: after a rotation of passwords thousands may be unused. */
const LOGOUTS_AT_ONCE = 20;

/** Makes the registry of clients. Connects to nothing until a client sends a request. */
export function createRedfishClients(options: RedfishClientsOptions = {}): RedfishClients {
  const { observe, now = () => performance.now(), maxConnections = MAX_CONNECTIONS } = options;
  /** The BMCs by origin, each with the number of its contexts. */
  const bmcs = new Map<string, { connections: BmcConnections; users: number }>();
  const contexts = new Map<string, BmcContext>();
  const logins = new LoginCache();

  /** @param guessed whether a caller gave the credentials, rather than a node */
  const start = (target: RedfishTarget, guessed: boolean): BmcContext => {
    const { origin, account } = target;
    const bmc = bmcs.get(origin) ?? { connections: new BmcConnections(origin, maxConnections, now), users: 0 };
    bmcs.set(origin, bmc);
    bmc.users++;
    const { addresses } = target.connection;
    const joined = logins.join(origin, account, now, addresses);
    return new BmcContext(target, bmc.connections, joined, guessed, observe);
  };
  const leave = async (context: BmcContext) => {
    logins.leave(context.logins);
    const { connections } = context.transport;
    const bmc = bmcs.get(connections.origin);
    if (bmc?.connections !== connections || --bmc.users > 0) return;
    bmcs.delete(connections.origin);
    await connections.dropIdle();
  };

  /** Logs out of the BMCs that were not used lately. */
  const evictUnused = async () => {
    logins.sweep(now());
    const unused = [...contexts].filter(([, { active, usedAt }]) => active === 0 && now() - usedAt > UNUSED_MS);
    for (const [key] of unused) contexts.delete(key);
    for (let i = 0; i < unused.length; i += LOGOUTS_AT_ONCE) {
      const some = unused.slice(i, i + LOGOUTS_AT_ONCE);
      await Promise.all(some.map(([, context]) => context.login.logOut().then(() => leave(context))));
    }
  };
  const sweep = setInterval(() => void evictUnused(), SWEEP_MS).unref();

  let closing: Promise<void> | null = null;
  const closeAll = async () => {
    clearInterval(sweep);
    const all = [...contexts.values()];
    contexts.clear();
    await Promise.all(all.map(({ login }) => login.close()));
    await Promise.all([...bmcs.values()].map(({ connections }) => connections.close()));
    bmcs.clear();
  };

  return {
    for(target, requestOptions) {
      const key = contextKey(target);
      let context = contexts.get(key);
      if (context === undefined) {
        context = start(target, false);
        contexts.set(key, context);
      }
      context.usedAt = now();
      return new RedfishClient(context, recorded(target.limits, context, requestOptions), requestOptions);
    },
    async once(target, requestOptions, work) {
      const context = start(target, true);
      const limits = recorded(target.limits, context, requestOptions);
      try {
        return await work(new RedfishClient(context, limits, requestOptions));
      } finally {
        await context.login.close(limits.transcript);
        await leave(context);
      }
    },
    async forget(target) {
      const key = contextKey(target);
      const context = contexts.get(key);
      logins.forget(target.origin, target.account);
      if (context === undefined) return;
      context.discovered.forget();
      // Another node's request may be under way: it logs in again, and the session must stay known to be deleted.
      const idle = context.active === 0;
      if (idle) contexts.delete(key);
      await context.login.logOut();
      if (idle) await leave(context);
    },
    down() {
      const vendors = new Map<BmcConnections, string | null>();
      for (const { transport, vendor } of contexts.values()) {
        if (transport.connections.breaker.isDown) {
          vendors.set(transport.connections, vendor ?? vendors.get(transport.connections) ?? null);
        }
      }
      return [...vendors.values()];
    },
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

/** Returns the limits of one call's requests, with its transcript where it has a recorder. */
function recorded(limits: RequestLimits, { login }: BmcContext, { recorder, secrets }: RequestOptions): RequestLimits {
  if (!recorder) return limits;
  const transcript = new CallTranscript(recorder, () => login.secrets);
  if (secrets !== undefined) transcript.hide(secrets);
  return { ...limits, transcript };
}

/** The keys of the targets in use: their digest costs more than the rest of a client. */
const keys = new WeakMap<RedfishTarget, string>();

/** Returns the key of a context, without the password in plain text. */
function contextKey(target: RedfishTarget): string {
  const cached = keys.get(target);
  if (cached !== undefined) return cached;
  const { origin, account, connection } = target;
  const { username, password, authType } = account;
  const key = JSON.stringify([origin, rootOf(target), username, passwordDigest(password), authType, connection]);
  keys.set(target, key);
  return key;
}
