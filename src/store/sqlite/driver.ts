import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely';

/** Maximum number of cached statements. The store has fewer, apart from the shapes of list queries. */
const KEPT_STATEMENTS = 200;

/** One connection of node:sqlite as kysely uses it. */
export interface NodeSqlite {
  /** Closed with the connection. */
  dialect: Dialect;
  /**
   * Runs a compiled query at once and returns its rows; null while the connection is in use: then it has to queue
   * through kysely.
   */
  runNow<O>(query: CompiledQuery<O>): O[] | null;
}

/** Adapts `sqlite` to kysely. */
export function nodeSqlite(sqlite: DatabaseSync): NodeSqlite {
  const database = inBetterSqlite3Shape(sqlite);
  const driver = new NodeSqliteDriver(sqlite, database);
  const dialect = new SqliteDialect({ database });
  const rowsOf = (query: CompiledQuery) => database.prepare(query.sql).all(query.parameters);
  return {
    dialect: {
      createDriver: () => driver,
      createQueryCompiler: () => dialect.createQueryCompiler(),
      createAdapter: () => new NodeSqliteAdapter(),
      createIntrospector: (db) => dialect.createIntrospector(db),
    },
    runNow: <O>(query: CompiledQuery<O>) => (driver.held ? null : (rowsOf(query) as O[])),
  };
}

class NodeSqliteAdapter extends SqliteAdapter {
  /** There is one, but the driver itself gives it to one at a time. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }

  /** SQLite rolls back a `create table` too, so that a migration happens whole or not at all. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver extends SqliteDriver {
  readonly #sqlite: DatabaseSync;
  readonly #waiting: (() => void)[] = [];
  #held = false;

  constructor(sqlite: DatabaseSync, database: SqliteDatabase) {
    super({ database });
    this.#sqlite = sqlite;
  }

  /** Whether the connection is in use. */
  get held(): boolean {
    return this.#held;
  }

  /**
   * Gives the connection to one at a time, first come first served. kysely's own mutex for a single connection wakes
   * all who wait at each release: with 1,000 waiting, each statement took five times as long.
   */
  override async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#held = true;
    return super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }

  /**
   * Every transaction is committed with synchronous=FULL: in WAL mode its commit waits until it is on the disk, and all
   * commits before it. Statements outside transactions are committed with NORMAL, which does not wait. SQLite refuses
   * the switch inside a transaction; outside, nothing comes between the switch and the transaction it is for, since
   * the connection is given to one transaction at a time, and each of the two methods runs without an await.
   *
   * IMMEDIATE, because a deferred transaction that turns from reading to writing can fail without waiting
   * (SQLITE_BUSY_SNAPSHOT).
   */
  override async beginTransaction(_connection: DatabaseConnection): Promise<void> {
    this.#sqlite.exec('pragma synchronous = full');
    try {
      this.#sqlite.exec('begin immediate');
    } catch (error) {
      this.#sqlite.exec('pragma synchronous = normal');
      throw error;
    }
  }

  override async commitTransaction(_connection: DatabaseConnection): Promise<void> {
    this.#sqlite.exec('commit');
    this.#sqlite.exec('pragma synchronous = normal');
  }

  override async rollbackTransaction(_connection: DatabaseConnection): Promise<void> {
    if (!this.#sqlite.isOpen) return;
    // Some errors (a full disk) have rolled it back already.
    if (this.#sqlite.isTransaction) this.#sqlite.exec('rollback');
    this.#sqlite.exec('pragma synchronous = normal');
  }
}

/** Gives a connection the shape that kysely expects, that of better-sqlite3. */
function inBetterSqlite3Shape(sqlite: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => sqlite.close(),
    prepare(sql) {
      let statement = statements.get(sql);
      if (statement === undefined) {
        statement = new NodeSqliteStatement(sqlite.prepare(sql));
        const oldest = statements.size < KEPT_STATEMENTS ? undefined : statements.keys().next().value;
        if (oldest !== undefined) statements.delete(oldest);
        statements.set(sql, statement);
      }
      return statement;
    },
  };
}

class NodeSqliteStatement implements SqliteStatement {
  readonly reader: boolean;
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]) {
    return this.#statement.all(...(parameters as SQLInputValue[]));
  }

  run(parameters: readonly unknown[]) {
    return this.#statement.run(...(parameters as SQLInputValue[]));
  }

  iterate(parameters: readonly unknown[]) {
    return this.#statement.iterate(...(parameters as SQLInputValue[])) as IterableIterator<unknown>;
  }
}
