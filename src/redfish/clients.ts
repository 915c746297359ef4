import { type BmcExchange, Conversation } from './bmcContext.ts';
import { RedfishClient } from './client.ts';
import type { Account } from './login/account.ts';
import { LogIns, passwordDigest } from './login/loginCache.ts';
import { BmcConnections, type ConnectionSettings } from './wire/connection.ts';
import type { RequestLimits } from './wire/delivery.ts';

/** A BMC, and how to talk to it. */
export interface RedfishTarget {
  /** Scheme, host and port: `https://bmc.example:8443`. */
  origin: string;
  /** Path of the service root, as a rule `/redfish/v1/`. */
  root: string;
  account: Account;
  connection: ConnectionSettings;
  limits: RequestLimits;
}

export interface RedfishClientsOptions {
  /** Requests under way at one BMC at most, whatever the number of accounts. Default 4. */
  maxConnections?: number;
  /** Told of each request that ended, for logs and figures. */
  observe?: (exchange: BmcExchange) => void;
}

/** The clients of many BMCs, one conversation per BMC and account. */
export interface RedfishClients {
  /** A client for `target`; those of one BMC and account share connections, session and known paths. */
  for(target: RedfishTarget): RedfishClient;
  /** Runs `work` with a client that is not kept: its session is deleted when `work` has ended, however it ended. */
  once<T>(target: RedfishTarget, work: (client: RedfishClient) => Promise<T>): Promise<T>;
  /**
   * Deletes the session with `target` and drops what is known of it, and that its password counts as wrong. Never fails.
   */
  forget(target: RedfishTarget): Promise<void>;
  /** The vendor of each BMC that is down (`Breaker`), as far as it is known. */
  down(): (string | null)[];
  /** Deletes every session and closes every connection. Never fails. A second call, of another who shares them, waits for the first. */
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 4;

/** Makes the registry of clients. Nothing is connected until a client asks. */
export function createRedfishClients(options: RedfishClientsOptions = {}): RedfishClients {
  const { maxConnections = MAX_CONNECTIONS, observe } = options;
  /** With the number of conversations over each. */
  const bmcs = new Map<string, { connections: BmcConnections; users: number }>();
  const conversations = new Map<string, Conversation>();
  const logIns = new LogIns();

  const start = (target: RedfishTarget): Conversation => {
    const bmc = bmcs.get(target.origin) ?? { connections: new BmcConnections(target.origin, maxConnections), users: 0 };
    bmcs.set(target.origin, bmc);
    bmc.users++;
    const { connection, account, origin } = target;
    const shared = logIns.of(origin, account);
    return new Conversation(bmc.connections, connection, rootOf(target), account, shared, observe);
  };
  const leave = async ({ transport: { connections } }: Conversation) => {
    const bmc = bmcs.get(connections.origin);
    if (bmc?.connections !== connections || --bmc.users > 0) return;
    bmcs.delete(connections.origin);
    await connections.dropIdle();
  };

  let closing: Promise<void> | null = null;
  const closeAll = async () => {
    const all = [...conversations.values()];
    conversations.clear();
    await Promise.all(all.map(({ session }) => session.close()));
    await Promise.all([...bmcs.values()].map(({ connections }) => connections.close()));
    bmcs.clear();
  };

  return {
    for(target) {
      const key = conversationKey(target);
      let conversation = conversations.get(key);
      if (conversation === undefined) {
        conversation = start(target);
        conversations.set(key, conversation);
      }
      return new RedfishClient(conversation, target.limits);
    },
    async once(target, work) {
      const conversation = start(target);
      try {
        return await work(new RedfishClient(conversation, target.limits));
      } finally {
        await conversation.session.close();
        logIns.leave(target.origin, target.account);
        await leave(conversation);
      }
    },
    async forget(target) {
      const key = conversationKey(target);
      const conversation = conversations.get(key);
      logIns.forget(target.origin, target.account);
      if (conversation === undefined) return;
      conversation.known.forget();
      // Another node's request may be under way: it logs in anew, and the session must stay known to be deleted.
      const idle = conversation.active === 0;
      if (idle) conversations.delete(key);
      await conversation.session.logOut();
      if (idle) await leave(conversation);
    },
    down() {
      const vendors = new Map<BmcConnections, string | null>();
      for (const { transport, vendor } of conversations.values()) {
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

/** The key of each target that is in use: the digest in it takes longer than all else that a client needs. */
const keys = new WeakMap<RedfishTarget, string>();

/** Everything that tells two conversations apart, without holding the password in the clear. */
function conversationKey(target: RedfishTarget): string {
  let key = keys.get(target);
  if (key === undefined) {
    key = makeConversationKey(target);
    keys.set(target, key);
  }
  return key;
}

function makeConversationKey(target: RedfishTarget): string {
  const { origin, account, connection } = target;
  const { username, password, authType } = account;
  return JSON.stringify([origin, rootOf(target), username, passwordDigest(password), authType, connection]);
}

/** DSP0266 writes the service root with a slash at its end, and lets clients leave it out. */
function rootOf({ root }: RedfishTarget): string {
  return root.endsWith('/') ? root : `${root}/`;
}
