import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely';

/** Maximum number of cached statements. The store has fewer, apart from the shapes of list queries. */
const MAX_STATEMENTS = 200;

/** Connects kysely to an open node:sqlite connection, which kysely closes. */
export class NodeSqliteDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;
  readonly #driver: NodeSqliteDriver;
  readonly #used: () => void;

  /**
   * @param used called when the connection was used
   * @param check called before a transaction; throws when there may be none
   */
  constructor(sqlite: DatabaseSync, used: () => void, check: () => void) {
    const database = inBetterSqlite3Shape(sqlite);
    super({ database });
    this.#database = database;
    this.#driver = new NodeSqliteDriver(sqlite, database, used, check);
    this.#used = used;
  }

  override createDriver(): NodeSqliteDriver {
    return this.#driver;
  }

  override createAdapter(): SqliteAdapter {
    return new NodeSqliteAdapter();
  }

  /** Runs a query and returns its rows; null while the connection is in use, so that the query must queue through kysely. */
  runNow<O>(query: CompiledQuery<O>): O[] | null {
    if (this.#driver.held) return null;
    this.#used();
    return this.run(query);
  }

  /** As `runNow`, for whoever has the connection. */
  run<O>({ sql, parameters }: CompiledQuery<O>): O[] {
    return this.#database.prepare(sql).all(parameters) as O[];
  }
}

class NodeSqliteAdapter extends SqliteAdapter {
  /** There is one, but the driver itself hands it out to one user at a time. */
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
  readonly #used: () => void;
  readonly #check: () => void;
  readonly #waiting: (() => void)[] = [];
  /** Whether the connection is in use. */
  held = false;

  constructor(sqlite: DatabaseSync, database: SqliteDatabase, used: () => void, check: () => void) {
    super({ database });
    this.#sqlite = sqlite;
    this.#used = used;
    this.#check = check;
  }

  /**
   * Hands out the connection to one user at a time, first come, first served. kysely's own mutex wakes all waiters at each
   * release: with 1,000 waiting, each statement took five times as long.
   */
  override async acquireConnection(): Promise<DatabaseConnection> {
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.held = true;
    return super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    this.#used();
    const next = this.#waiting.shift();
    if (next === undefined) this.held = false;
    else next();
  }

  override async beginTransaction(_connection: DatabaseConnection): Promise<void> {
    this.#check();
    beginDurable(this.#sqlite);
  }

  override async commitTransaction(_connection: DatabaseConnection): Promise<void> {
    commitDurable(this.#sqlite);
  }

  override async rollbackTransaction(_connection: DatabaseConnection): Promise<void> {
    rollBack(this.#sqlite);
  }
}

/**
 * Begins a transaction that commits with synchronous=FULL: in WAL mode its commit waits until it is on the disk, and all commits
 * before it. Statements outside transactions use NORMAL, which does not wait. SQLite refuses the switch inside a
 * transaction; outside, nothing comes between the switch and its transaction, since the connection has one user at a time
 * and neither this nor the commit awaits anything.
 *
 * IMMEDIATE, because a deferred transaction that turns from reading to writing can fail without waiting
 * (SQLITE_BUSY_SNAPSHOT).
 */
export function beginDurable(sqlite: DatabaseSync): void {
  try {
    sqlite.exec('pragma synchronous = full; begin immediate');
  } catch (error) {
    sqlite.exec('pragma synchronous = normal');
    throw error;
  }
}

/** Commits the transaction of `beginDurable`. */
export function commitDurable(sqlite: DatabaseSync): void {
  sqlite.exec('commit; pragma synchronous = normal');
}

/** Undoes the transaction of `beginDurable`, also after a commit that failed. */
export function rollBack(sqlite: DatabaseSync): void {
  if (!sqlite.isOpen) return;
  // Some errors (a full disk) have rolled it back already.
  if (sqlite.isTransaction) sqlite.exec('rollback');
  sqlite.exec('pragma synchronous = normal');
}

/** Gives a connection the shape that kysely expects, that of better-sqlite3. */
function inBetterSqlite3Shape(sqlite: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => sqlite.close(),
    prepare(sql) {
      const cached = statements.get(sql);
      if (cached !== undefined) return cached;
      const prepared = sqlite.prepare(sql);
      const columns = prepared.columns().map((column) => column.name);
      const toRow = rowShape(columns);
      prepared.setReturnArrays(true);
      const all = (parameters: readonly unknown[]) => prepared.all(...(parameters as SQLInputValue[])).map(toRow);
      const statement: SqliteStatement = {
        reader: columns.length > 0,
        all,
        run: (parameters) => prepared.run(...(parameters as SQLInputValue[])),
        iterate: (parameters) => all(parameters).values(),
      };
      const oldest = statements.size < MAX_STATEMENTS ? undefined : statements.keys().next().value;
      if (oldest !== undefined) statements.delete(oldest);
      statements.set(sql, statement);
      return statement;
    },
  };
}

/**
 * Returns how to make a row of a statement with these columns from its values. node:sqlite itself makes hash tables, which
 * cost more to make and to read than SQLite's part of a query; copies of an object do not.
 */
function rowShape(columns: readonly string[]): (values: unknown) => Record<string, unknown> {
  // Parsed, since V8 turns an object that gets so many properties one by one into a hash table.
  const shape: Record<string, unknown> = JSON.parse(`{${columns.map((name) => `${JSON.stringify(name)}:null`)}}`);
  return (values) => {
    const row = { ...shape };
    for (let index = 0; index < columns.length; index++) row[columns[index]!] = (values as unknown[])[index];
    return row;
  };
}
