import { createHash } from 'node:crypto';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { Logger } from '../../core/logger.ts';
import { isPrepared } from '../preparedQuery.ts';
import { ConnectionLost, endsConnection } from './errors.ts';

/** Maximum number of connections of a process. */
export const MAX_CONNECTIONS = 10;

/** Milliseconds to wait for a connection, new or in use. */
const CONNECT_TIMEOUT = 3000;

/** Milliseconds until the server gives up a statement. The connection stays usable. */
const STATEMENT_TIMEOUT = 4000;

/** Milliseconds until a connection is given up with its statement: the server or the network hangs. */
const RESPONSE_TIMEOUT = 5000;

/**
 * Milliseconds until the server closes a connection that is idle in a transaction: its process was stopped or its machine
 * lost, and others wait for the rows that it locks.
 */
const IDLE_IN_TRANSACTION_TIMEOUT = 10_000;

/** Milliseconds of silence until the operating system probes the connection, and until an idle one is closed. */
const KEEPALIVE_DELAY = 10_000;
const IDLE_TIMEOUT = 60_000;

/** Milliseconds from a timeout to the next probe. */
const PROBE_DELAY = 1000;

/** The type `bigint`, which holds times and fences, all far below 2^53. */
const INT8 = 20;

/**
 * Sets up each connection, in one message, since poolers refuse most of it as startup parameters. The queries rely on READ
 * COMMITTED: an update that had to wait reads its row again.
 *
 * The service outlives a crash of the database: a node whose reservation was lost in it would get two holders. So the
 * server's or role's `synchronous_commit = off` is overridden; stricter settings are kept.
 */
const SETTINGS = `
  set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_TIMEOUT};
  set default_transaction_isolation = 'read committed';
  select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`;

/** Connections to one database, as kysely takes them. */
export interface Connections extends PostgresPool {
  /** Runs one statement on a connection of its own choice. */
  query<O>(sql: string, parameters: readonly unknown[]): Promise<O[]>;
}

/**
 * Connects to the database at `url` as needed. Every failure on the way to the server, timeouts included, is a
 * `ConnectionLost`; the server's own errors are `pg.DatabaseError`.
 *
 * @param url as `toPostgresUrl` returns it
 * @param timeouts false: one connection, whose statements have no timeout
 */
export function connectPostgres(url: string, log: Logger, timeouts = true): Connections {
  const connections = new WeakMap<pg.ClientBase, Connection>();
  const breaker = new CircuitBreaker();
  const settings = `set statement_timeout = ${timeouts ? STATEMENT_TIMEOUT : 0};${SETTINGS}`;

  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'passthru',
    max: timeouts ? MAX_CONNECTIONS : 1,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    idleTimeoutMillis: IDLE_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY,
    types: {
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === INT8 ? Number : pg.types.getTypeParser(type, format as 'text'),
    } as pg.CustomTypesConfig,
    async onConnect(client) {
      const connection = new Connection(client as pg.PoolClient, timeouts ? RESPONSE_TIMEOUT : null, breaker);
      connections.set(client, connection);
      await connection.query(settings, []);
    },
  });
  // The pool has dropped the connection, and opens another when needed.
  pool.on('error', (error: Error & { client?: unknown }) => {
    // An error is logged with all its properties, which include the client.
    delete error.client;
    log.warn({ err: error }, 'idle database connection lost');
  });

  async function connect(): Promise<Connection> {
    breaker.enter();
    for (;;) {
      const begun = performance.now();
      try {
        const connection = connections.get(await pool.connect()) as Connection;
        if (!breaker.isSuspect(connection.heardAt)) return connection;
        connection.release(true);
      } catch (error) {
        // An immediate refusal delays nobody, so that it does not open the breaker.
        const waited = !(error instanceof pg.DatabaseError) && performance.now() - begun > CONNECT_TIMEOUT / 2;
        if (waited && timeouts) breaker.timedOut();
        else breaker.responded();
        if (error instanceof pg.DatabaseError) throw error;
        throw new ConnectionLost('no connection', { cause: error });
      }
    }
  }

  return {
    options: {},
    // kysely's type also covers cursors, which only streams use.
    connect: connect as unknown as PostgresPool['connect'],
    async query<O>(sql: string, parameters: readonly unknown[]) {
      const connection = await connect();
      try {
        return (await connection.query(sql, parameters)).rows as O[];
      } finally {
        connection.release();
      }
    },
    end: () => pool.end(),
  };
}

/** A connection, as kysely takes it. */
class Connection implements Pick<PostgresPoolClient, 'release' | 'processID'> {
  readonly #client: pg.PoolClient;
  readonly #responseTimeout: number | null;
  readonly #breaker: CircuitBreaker;
  #lost = false;
  #givenUp = false;
  /** When the server last responded, by the monotonic clock; initially when it was opened. */
  heardAt = performance.now();

  constructor(client: pg.PoolClient, responseTimeout: number | null, breaker: CircuitBreaker) {
    this.#client = client;
    this.#responseTimeout = responseTimeout;
    this.#breaker = breaker;
    // Without a listener a connection that breaks would end the process.
    client.on('error', () => {
      this.#lost = true;
    });
  }

  async query(sql: string, parameters: readonly unknown[]): Promise<pg.QueryResult> {
    const timer = this.#responseTimeout === null ? undefined : setTimeout(() => this.#giveUp(), this.#responseTimeout);
    try {
      const query = { text: sql, values: parameters as unknown[], name: statementName(sql) };
      const result = await this.#client.query(query);
      this.#heard();
      return result;
    } catch (error) {
      if (!this.#givenUp) this.#heard();
      if (endsConnection(error)) this.#lost = true;
      if (error instanceof pg.DatabaseError) throw withoutValues(error);
      if (!this.#lost) throw error;
      throw new ConnectionLost('the connection was lost', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  release(discard = false): void {
    this.#client.release(discard || this.#lost);
  }

  #heard(): void {
    this.heardAt = performance.now();
    this.#breaker.responded();
  }

  #giveUp(): void {
    this.#lost = true;
    this.#givenUp = true;
    this.#breaker.timedOut();
    // Cuts the connection, so that the running statement and the rollback after it fail at once.
    (this.#client as unknown as pg.Client).end().catch(() => {});
  }
}

/**
 * Fails statements at once while the database does not respond. After a timeout one statement at a time is let through
 * to probe it; each of the others would only wait for its own timeout.
 */
class CircuitBreaker {
  #open = false;
  #probing = false;
  /** When the last timeout happened, by the monotonic clock; -Infinity if never. */
  #lastTimeout = Number.NEGATIVE_INFINITY;

  /** Throws ConnectionLost unless the database is thought to respond or the caller is the probe. */
  enter(): void {
    if (!this.#open) return;
    if (this.#probing || performance.now() < this.#lastTimeout + PROBE_DELAY) {
      throw new ConnectionLost('the database timed out a moment ago');
    }
    this.#probing = true;
  }

  /** Records a response, errors included, or a connection attempt that failed at once. */
  responded(): void {
    this.#open = false;
    this.#probing = false;
  }

  timedOut(): void {
    this.#open = true;
    this.#probing = false;
    this.#lastTimeout = performance.now();
  }

  /** Whether a connection that last responded at `time` may be cut off: it is older than the last timeout. */
  isSuspect(time: number): boolean {
    return time < this.#lastTimeout;
  }
}

/** Removes the values of a row that `error` quotes, since a node's include passwords. */
function withoutValues(error: pg.DatabaseError): pg.DatabaseError {
  delete error.detail;
  delete error.where;
  return error;
}

const names = new Map<string, string>();

/**
 * Returns the name under which a connection keeps the plan of `sql`, which halves its time. Undefined for all but prepared
 * queries, since the server keeps each plan until the connection ends, and lists come in too many shapes.
 */
function statementName(sql: string): string | undefined {
  if (!isPrepared(sql)) return undefined;
  const name = names.get(sql) ?? createHash('sha256').update(sql).digest('hex').slice(0, 32);
  names.set(sql, name);
  return name;
}
