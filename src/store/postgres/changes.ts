import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../../core/logger.ts';
import type { Change } from '../../core/store.ts';
import type { Announcement } from '../database.ts';

/** The NOTIFY channel that all processes listen on. */
const CHANNEL = 'passthru';

/** Milliseconds for which announcements are batched into one statement. */
const BATCH_DELAY = 5;

/** Maximum number of announcements queued while disconnected; further ones are dropped and found by polling. */
const MAX_QUEUED = 10_000;

/** Maximum payload in bytes; PostgreSQL's limit is 8,000. */
const MAX_PAYLOAD = 7900;

/** Milliseconds between connection attempts, and until a response times out. */
const RECONNECT_INTERVAL = 1000;
const RESPONSE_TIMEOUT = 5000;

/** Milliseconds between probes of the connection. */
const PROBE_INTERVAL = 15_000;

/**
 * Publishes changes to the processes that share a database, by NOTIFY and LISTEN on a connection of its own. Not in the
 * transaction of the change, since in PostgreSQL commits that notify wait for each other. So announcements can get lost:
 * listeners must poll as well, and receive `missed` after a reconnect.
 */
export class PostgresChanges {
  readonly #url: string;
  readonly #log: Logger;
  /** Marks this process's own announcements. */
  readonly #origin = randomUUID().slice(0, 8);
  readonly #listeners: ((change: Change) => void)[] = [];
  readonly #probe: NodeJS.Timeout;
  #queue: string[] = [];
  #flushTimer: NodeJS.Timeout | null = null;
  #client: pg.Client | null = null;
  #connecting: Promise<void> | null = null;
  #closed = false;

  /** @param url as `toPostgresUrl` returns it. Connects on the first `listen` or `announce`. */
  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
    this.#probe = setInterval(() => void this.#query('select 1', []), PROBE_INTERVAL).unref();
  }

  listen(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
    this.#connect();
  }

  announce(change: Announcement): void {
    if (this.#closed || this.#queue.length >= MAX_QUEUED) return;
    this.#queue.push(toText(change));
    this.#flushTimer ??= setTimeout(() => void this.#flush(), BATCH_DELAY);
  }

  /** Sends queued announcements, then closes the connection. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#probe);
    if (this.#client !== null) await this.#flush();
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#closed = true;
    await this.#connecting;
    await this.#client?.end().catch(() => {});
  }

  async #flush(): Promise<void> {
    if (this.#client === null) {
      this.#flushTimer = null;
      this.#connect();
      return;
    }
    while (this.#queue.length > 0 && this.#client !== null) {
      const payloads = toPayloads(this.#origin, this.#queue.splice(0));
      await this.#query(`select pg_notify('${CHANNEL}', payload) from unnest($1::text[]) as payload`, [payloads]);
    }
    this.#flushTimer = null;
  }

  async #query(text: string, values: unknown[]): Promise<void> {
    const client = this.#client;
    if (client === null) return;
    try {
      await client.query({ text, values });
    } catch (error) {
      this.#lost(client, error);
    }
  }

  #connect(): void {
    if (this.#closed || this.#client !== null) return;
    this.#connecting ??= this.#connectUntilDone().finally(() => {
      this.#connecting = null;
    });
  }

  async #connectUntilDone(): Promise<void> {
    for (let tries = 0; !this.#closed; tries++) {
      const client = new pg.Client({
        connectionString: this.#url,
        application_name: 'passthru listener',
        connectionTimeoutMillis: RESPONSE_TIMEOUT,
        query_timeout: RESPONSE_TIMEOUT,
        keepAlive: true,
      });
      client.on('error', (error) => this.#lost(client, error));
      client.on('end', () => this.#lost(client, null));
      client.on('notification', ({ payload }) => this.#receive(payload ?? ''));
      try {
        await client.connect();
        await client.query(`listen ${CHANNEL}`);
      } catch (error) {
        if (tries === 0) this.#log.warn({ err: error }, 'LISTEN connection failed, retrying');
        void client.end().catch(() => {});
        await delay(RECONNECT_INTERVAL, undefined, { ref: false });
        continue;
      }
      this.#client = client;
      this.#notify({ kind: 'missed' });
      if (this.#queue.length > 0) this.#flushTimer ??= setTimeout(() => void this.#flush(), BATCH_DELAY);
      return;
    }
  }

  #lost(client: pg.Client, error: unknown): void {
    if (client !== this.#client) return;
    this.#client = null;
    void client.end().catch(() => {});
    if (this.#closed) return;
    this.#log.warn({ err: error }, 'LISTEN connection lost, reconnecting');
    this.#connect();
  }

  #receive(payload: string): void {
    const [origin, ...texts] = payload.split('\n');
    if (origin === this.#origin) return;
    for (const text of texts) {
      const change = toChange(text);
      if (change !== null) this.#notify(change);
    }
  }

  #notify(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function toText(change: Announcement): string {
  if (change.kind === 'node_freed') return `n ${change.nodeUuid}`;
  if (change.kind === 'events_stored') return 'e';
  if (change.kind === 'event_sources_due') return 's';
  return change.kind === 'job_changed' ? `j ${change.id} ${change.revision}` : `c ${change.id}`;
}

/** Returns null for an unknown change, such as a newer version may send. */
function toChange(text: string): Change | null {
  const [kind, id = '', revision = ''] = text.split(' ');
  if (kind === 'n') return { kind: 'node_freed', nodeUuid: id };
  if (kind === 'j') return { kind: 'job_changed', id, revision: Number(revision) };
  if (kind === 'e') return { kind: 'events_stored' };
  if (kind === 's') return { kind: 'event_sources_due' };
  return kind === 'c' ? { kind: 'cancel_requested', id } : null;
}

function toPayloads(origin: string, texts: string[]): string[] {
  const payloads: string[] = [];
  let payload = origin;
  for (const text of texts) {
    if (payload.length + 1 + text.length > MAX_PAYLOAD) {
      payloads.push(payload);
      payload = origin;
    }
    payload += `\n${text}`;
  }
  return [...payloads, payload];
}
