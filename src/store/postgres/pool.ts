import { createHash } from 'node:crypto';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { Logger } from '../../core/logger.ts';
import { isPrepared } from '../preparedQuery.ts';
import { CircuitBreaker } from './circuitBreaker.ts';
import { ConnectionLost, endsConnection } from './errors.ts';

/** Maximum number of connections of a process. */
export const MAX_CONNECTIONS = 10;

/** Milliseconds to wait for a connection, be it a new one or one that is in use. */
const CONNECT_TIMEOUT = 3000;

/** Milliseconds until the server gives up a statement. The connection stays good. */
const STATEMENT_TIMEOUT = 4000;

/** Milliseconds until the connection is given up with its statement: the server itself hangs, or the way to it is cut. */
const RESPONSE_TIMEOUT = 5000;

/**
 * Milliseconds until the server ends a connection whose transaction stands still: its process was stopped or its machine
 * lost, and others wait for the rows that it holds.
 */
const IDLE_IN_TRANSACTION_TIMEOUT = 10_000;

/** Milliseconds of silence after which the system asks whether the other side is still there. */
const KEEPALIVE_DELAY = 10_000;

/** Milliseconds after which a connection that is idle is closed. */
const IDLE_TIMEOUT = 60_000;

/** The type `bigint`, which holds times and fences, all far below 2^53. */
const INT8 = 20;

/**
 * What each connection is told at its beginning, in one message, since poolers refuse most of it as parameters of the
 * start. READ COMMITTED is what the queries are made for: an update that had to wait looks at its row again.
 *
 * A commit that does not wait for the disk can be lost when the database crashes, and the service outlives that: of a
 * node's reservation that is lost there would be two holders. So `off` is not taken over from the server or the role;
 * stricter settings are.
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
 * Connects to the database at `url` as needed. Whatever goes wrong on the way to the server, also that it does not answer
 * in time, is a `ConnectionLost`; what the server itself says is a `pg.DatabaseError`.
 *
 * @param url as `toPostgresUrl` gives it
 * @param kind `patient` waits for a statement as long as it takes, on one connection
 */
export function connectPostgres(url: string, log: Logger, kind: 'hasty' | 'patient' = 'hasty'): Connections {
  const hasty = kind === 'hasty';
  const responseTimeout = hasty ? RESPONSE_TIMEOUT : null;
  const connections = new WeakMap<pg.ClientBase, Connection>();
  const breaker = new CircuitBreaker();
  const settings = `set statement_timeout = ${hasty ? STATEMENT_TIMEOUT : 0};${SETTINGS}`;

  const options: pg.PoolConfig = {
    connectionString: url,
    application_name: 'passthru',
    max: hasty ? MAX_CONNECTIONS : 1,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    idleTimeoutMillis: IDLE_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY,
    types: {
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === INT8 ? Number : pg.types.getTypeParser(type, format as 'text'),
    } as pg.CustomTypesConfig,
    async onConnect(client) {
      const connection = new Connection(client as pg.PoolClient, responseTimeout, breaker);
      connections.set(client, connection);
      await connection.query(settings, []);
    },
  };
  const pool = new pg.Pool(options);
  // An idle connection broke. The pool has dropped it and opens another when needed.
  pool.on('error', (error: Error & { client?: unknown }) => {
    // The connection itself, with what it knows of the server; an error is logged with all that it has.
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
        // What is refused at once need not be waited for again.
        const waited = !(error instanceof pg.DatabaseError) && performance.now() - begun > CONNECT_TIMEOUT / 2;
        if (waited && hasty) breaker.timedOut();
        else breaker.responded();
        if (error instanceof pg.DatabaseError) throw error;
        throw new ConnectionLost('no connection', { cause: error });
      }
    }
  }

  return {
    options: {},
    // kysely's type has cursors too, which only streams use.
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

/** One connection, as kysely takes it. */
class Connection implements Pick<PostgresPoolClient, 'release' | 'processID'> {
  readonly #client: pg.PoolClient;
  readonly #responseTimeout: number | null;
  readonly #breaker: CircuitBreaker;
  #lost = false;
  #givenUp = false;
  /** When the server last answered on it, by the monotonic clock; at first its beginning. */
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
    // While a statement runs this cuts the connection, so that the statement fails at once, and the rollback after it.
    (this.#client as unknown as pg.Client).end().catch(() => {});
  }
}

/** `error` without the row that it may tell of, since a node's has passwords. */
function withoutValues(error: pg.DatabaseError): pg.DatabaseError {
  delete error.detail;
  delete error.where;
  return error;
}

const names = new Map<string, string>();

/**
 * The name under which a connection keeps the plan of `sql`: it then takes half the time. Only for the fixed texts of
 * prepared queries, since the server keeps each until the connection ends; those of lists come in too many shapes. (The
 * prepared queries name all columns that they return, so that a newer program may add one to the table.)
 */
function statementName(sql: string): string | undefined {
  if (!isPrepared(sql)) return undefined;
  let name = names.get(sql);
  if (name === undefined) {
    name = createHash('sha256').update(sql).digest('hex').slice(0, 32);
    names.set(sql, name);
  }
  return name;
}
