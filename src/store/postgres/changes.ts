import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../../core/logger.ts';
import type { Change } from '../../core/store.ts';

/** The channel of the database that all processes listen to. */
const CHANNEL = 'passthru';

/** Milliseconds that announcements are gathered for, so that many go in one statement. */
const GATHER = 5;

/** Announcements that wait at most while the connection is down; what is more is dropped, and found by looking. */
const MAX_WAITING = 10_000;

/** PostgreSQL takes payloads of less than 8,000 bytes. */
const MAX_PAYLOAD = 7900;

/** Milliseconds between two tries to connect, and the longest wait for the server's answer. */
const RECONNECT_INTERVAL = 1000;
const ANSWER_TIMEOUT = 5000;

/** Milliseconds of silence after which it is asked whether the other side is still there. */
const PROBE_INTERVAL = 15_000;

/**
 * Tells processes that share a database of each other's changes, by NOTIFY and LISTEN on a connection of its own. It is
 * not in the transaction of a change: commits that notify wait for each other in PostgreSQL. So what is announced can
 * get lost, and whoever listens has to look by itself now and then; after a broken connection it is told to (`missed`).
 */
export class PostgresChanges {
  readonly #url: string;
  readonly #log: Logger;
  /** Tells this process's own announcements from those of others. */
  readonly #origin = randomUUID().slice(0, 8);
  readonly #listeners: ((change: Change) => void)[] = [];
  readonly #probe: NodeJS.Timeout;
  #waiting: string[] = [];
  #gathering: NodeJS.Timeout | null = null;
  #client: pg.Client | null = null;
  #connecting: Promise<void> | null = null;
  #closed = false;

  /** @param url as `toPostgresUrl` gives it. Nothing is connected until somebody listens or announces. */
  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
    this.#probe = setInterval(() => void this.#ask('select 1', []), PROBE_INTERVAL).unref();
  }

  listen(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
    this.#connect();
  }

  announce(change: Change): void {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(toText(change));
    this.#gathering ??= setTimeout(() => void this.#flush(), GATHER);
  }

  /** Sends what waits, then closes the connection. Never fails. */
  async close(): Promise<void> {
    clearInterval(this.#probe);
    if (this.#client !== null) await this.#flush();
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    this.#closed = true;
    await this.#connecting;
    await this.#client?.end().catch(() => {});
  }

  async #flush(): Promise<void> {
    if (this.#client === null) {
      this.#gathering = null;
      this.#connect();
      return;
    }
    while (this.#waiting.length > 0 && this.#client !== null) {
      const payloads = toPayloads(this.#origin, this.#waiting.splice(0));
      await this.#ask(`select pg_notify('${CHANNEL}', payload) from unnest($1::text[]) as payload`, [payloads]);
    }
    this.#gathering = null;
  }

  async #ask(text: string, values: unknown[]): Promise<void> {
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
        connectionTimeoutMillis: ANSWER_TIMEOUT,
        query_timeout: ANSWER_TIMEOUT,
        keepAlive: true,
      });
      client.on('error', (error) => this.#lost(client, error));
      client.on('end', () => this.#lost(client, null));
      client.on('notification', ({ payload }) => this.#hear(payload ?? ''));
      try {
        await client.connect();
        await client.query(`listen ${CHANNEL}`);
      } catch (error) {
        if (tries === 0) this.#log.warn({ err: error }, 'no news of other processes for now; trying again');
        void client.end().catch(() => {});
        await delay(RECONNECT_INTERVAL, undefined, { ref: false });
        continue;
      }
      this.#client = client;
      this.#tell({ kind: 'missed' });
      if (this.#waiting.length > 0) this.#gathering ??= setTimeout(() => void this.#flush(), GATHER);
      return;
    }
  }

  #lost(client: pg.Client, error: unknown): void {
    if (client !== this.#client) return;
    this.#client = null;
    void client.end().catch(() => {});
    if (this.#closed) return;
    this.#log.warn({ err: error }, 'the connection that brings news of other processes was lost; connecting again');
    this.#connect();
  }

  #hear(payload: string): void {
    const [origin, ...texts] = payload.split('\n');
    if (origin === this.#origin) return;
    for (const text of texts) {
      const change = toChange(text);
      if (change !== null) this.#tell(change);
    }
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function toText(change: Change): string {
  switch (change.kind) {
    case 'node_freed':
      return `n ${change.nodeUuid}`;
    case 'job_changed':
      return `j ${change.id} ${change.revision}`;
    case 'cancel_requested':
      return `c ${change.id}`;
    case 'missed':
      return 'm';
  }
}

/** Null for what a newer program may say. */
function toChange(text: string): Change | null {
  const [kind, id = '', revision = ''] = text.split(' ');
  if (kind === 'n') return { kind: 'node_freed', nodeUuid: id };
  if (kind === 'j') return { kind: 'job_changed', id, revision: Number(revision) };
  if (kind === 'c') return { kind: 'cancel_requested', id };
  return kind === 'm' ? { kind: 'missed' } : null;
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
