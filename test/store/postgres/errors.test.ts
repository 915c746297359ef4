import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { openPostgres } from '../../../src/store/postgres/postgres.ts';
import { enrol, hold, reserve, sampleConductor, sampleJob, sampleNode, sampleReservation } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

let server: PostgresServer;
let stores: Store[] = [];

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

afterEach(async () => {
  for (const store of stores) await store.close();
  stores = [];
});

afterAll(async () => {
  await server.remove();
});

async function open(url: string): Promise<Store> {
  const store = await openStore(url, { log: silentLogger });
  await store.addConductor(sampleConductor());
  stores.push(store);
  return store;
}

const openNew = async () => open(server.url(await server.createDatabase()));

/** The store's error while the database is unavailable. */
const unavailable = (words = expect.stringMatching(/^The store is not available: the database/)) => ({
  name: 'PassthruError',
  kind: 'store_unavailable',
  message: words,
});

describe('while the service runs', () => {
  test('recovers after a restart of the database, with everything accepted before', async () => {
    const store = await openNew();
    const node = await enrol(store, { name: 'node-1' });
    await reserve(store, node.uuid);
    await server.stop();
    await expect(store.getNodeByName('node-1')).rejects.toMatchObject(unavailable());
    await expect(enrol(store)).rejects.toMatchObject(unavailable());
    await expect(store.ping()).rejects.toMatchObject(unavailable());
    await server.start();
    await store.ping();
    expect(await store.getNodeByName('node-1')).toMatchObject({ fence: 1, reservation: sampleReservation() });
  });

  test('a statement whose connection is closed fails, and the store keeps working', async () => {
    const store = await openNew();
    const { uuid } = await enrol(store);
    const database = await currentDatabase();
    const { kysely, close } = await openPostgres(server.url(database), silentLogger);
    await kysely.transaction().execute(async (transaction) => {
      // Locks the row, so that the store's statement waits.
      await sql`update reservations set fence = fence`.execute(transaction);
      const waiting = expect(store.acquire(uuid, sampleReservation(), 'process-1')).rejects.toMatchObject(
        unavailable(),
      );
      await until(async () => (await terminateWaiting(database)) > 0);
      await waiting;
    });
    await close();
    expect(await reserve(store, uuid)).toBe(1);
  });

  test('a statement that waits too long for a lock times out without SQL in the message', async () => {
    const store = await openNew();
    const { uuid } = await enrol(store);
    const { kysely, close } = await openPostgres(server.url(await currentDatabase()), silentLogger);
    await kysely.transaction().execute(async (transaction) => {
      await sql`update reservations set fence = fence`.execute(transaction);
      await expect(store.acquire(uuid, sampleReservation(), 'process-1')).rejects.toMatchObject(
        unavailable('The store is not available: the statement timed out'),
      );
    });
    await close();
    expect(await reserve(store, uuid)).toBe(1);
  });

  test('fails fast while the database does not respond, and recovers when it does', async () => {
    const cut = await startCuttable(server.port);
    const url = new URL(server.url(await server.createDatabase()));
    url.port = String(cut.port);
    const store = await open(url.href);
    await enrol(store, { name: 'node-1' });
    cut.silence(true);
    await expect(enrol(store)).rejects.toMatchObject(
      unavailable('The store is not available: the database does not respond'),
    );
    await expect(store.getNodeByName('node-1')).rejects.toMatchObject(unavailable());
    // One caller at a time probes the database; the others do not wait for that.
    let probes = 0;
    await vi.waitUntil(async () => {
      const pings = await Promise.allSettled(Array.from({ length: 20 }, () => store.ping()));
      const errors = pings.map((ping) => (ping as PromiseRejectedResult).reason);
      for (const error of errors) expect(error).toMatchObject(unavailable());
      const waited = errors.filter(({ cause }) => cause.message !== 'the database timed out a moment ago').length;
      expect(waited).toBeLessThanOrEqual(1);
      probes += waited;
      return probes === 2;
    }, 20_000);
    cut.silence(false);
    await vi.waitUntil(() => store.getNodeByName('node-1').catch(() => null), { timeout: 5000, interval: 100 });
    await store.close();
    await cut.close();
  });

  test('reports a server without connections left', async () => {
    const database = await server.createDatabase();
    const store = await open(server.url(database));
    await server.query(`alter database ${database} connection limit 0; create role few login password 'x'`);
    await server.query(`grant all on schema public to few`, database);
    const few = new URL(server.url(database));
    few.username = 'few';
    few.password = 'x';
    await expect(open(few.href)).rejects.toMatchObject({
      kind: 'store_unavailable',
      message: expect.stringContaining('the database has no connection left'),
    });
    await store.ping();
  });

  test('reports a read-only database, and does not use its connection again', async () => {
    const store = await openNew();
    const database = await currentDatabase();
    const { uuid } = await enrol(store);
    await server.query(`alter database ${database} set default_transaction_read_only = on`);
    await server.query(terminateAll(database));
    // Health tells before a call is refused.
    await until(async () => {
      const trouble = await store.ping().catch((error: Error) => error.message);
      return trouble === 'The store is not available: the database is read-only';
    });
    await expect(store.acquire(uuid, sampleReservation(), 'process-1')).rejects.toMatchObject(
      unavailable('The store is not available: the database is read-only'),
    );
    await server.query(`alter database ${database} set default_transaction_read_only = off`);
    expect(await reserve(store, uuid)).toBe(1);
  });

  test('losing an idle connection does no harm', async () => {
    const warnings: string[] = [];
    const log = {
      ...silentLogger,
      warn(fields: object, message: string) {
        expect(inspect(fields, { depth: 9 })).not.toContain('hunter2');
        expect(Object.keys((fields as { err: object }).err)).not.toContain('client');
        warnings.push(message);
      },
    };
    const database = await server.createDatabase();
    const store = await openStore(server.url(database), { log });
    stores.push(store);
    await store.ping();
    await server.query(terminateAll(database));
    await until(async () => warnings.length > 0);
    await store.ping();
    expect(warnings).toEqual(['idle database connection lost']);
  });

  test('throws a defect of the program unchanged', async () => {
    const store = await openNew();
    const wrong = { ...sampleNode({ driverInfo: { redfish_password: 'hunter2' } }), driver: null as unknown as string };
    const error = await store.createNode(wrong).catch((refused) => refused);
    expect(error).toMatchObject({ code: '23502' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
    await store.ping();
  });

  test('closing waits for running steps', async () => {
    const store = await openNew();
    const running = Array.from({ length: 40 }, (_, number) => store.acceptJob(sampleJob(number), hold(), null, {}));
    await store.close();
    await Promise.all(running);
    expect(await server.query('select count(*)::int as jobs from jobs', await currentDatabase())).toEqual([
      { jobs: 40 },
    ]);
  });
});

describe('at start', () => {
  test.each<[string, string, (url: URL) => void, string]>([
    ['a wrong password', 'failed_precondition', (url) => (url.password = 'wrong-hunter2'), 'the password is wrong'],
    ['an unknown database', 'failed_precondition', (url) => (url.pathname = '/none'), 'no such database'],
    ['an unknown host', 'store_unavailable', (url) => (url.host = 'none.invalid'), 'cannot be reached: getaddrinfo'],
    ['a closed port', 'store_unavailable', (url) => (url.port = '1'), 'ECONNREFUSED'],
    ['TLS that the server does not support', 'store_unavailable', (url) => (url.search = '?sslmode=require'), 'SSL'],
    ['a missing file', 'store_unavailable', (url) => (url.search = '?sslmode=verify-full&sslrootcert=/none'), 'ENOENT'],
    [
      'an unknown parameter',
      'invalid_argument',
      (url) => (url.search = '?channel_binding=require'),
      "'channel_binding'",
    ],
    ['an unknown mode', 'invalid_argument', (url) => (url.search = '?sslmode=prefer'), 'sslmode must be one of'],
  ])('reports %s with the configuration key and without the password', async (_, kind, change, words) => {
    const url = new URL(server.url('postgres'));
    change(url);
    const error = await open(url.href).catch((refused) => refused);
    expect(error).toMatchObject({ name: 'PassthruError', kind, message: expect.stringContaining(words) });
    expect(error.message).toMatch(/^store: /);
    expect(error.message).not.toContain('hunter2');
  });

  test.each(['postgres:', 'postgres:x', 'postgresql://', 'postgres://user:p/hunter2@host/db'])(
    '%s is not a valid URL',
    async (url) => {
      const error = await open(url).catch((refused) => refused);
      expect(error).toMatchObject({ name: 'PassthruError', message: expect.stringMatching(/^store: /) });
      expect(error.message).not.toContain('hunter2');
    },
  );

  test('refuses a user without the right to create tables, and says so', async () => {
    const database = await server.createDatabase();
    await server.query(`create role reader login password 'x'`);
    const url = new URL(server.url(database));
    url.username = 'reader';
    url.password = 'x';
    await expect(open(url.href)).rejects.toMatchObject({
      kind: 'failed_precondition',
      message: expect.stringContaining('the user lacks privileges'),
    });
    await server.query(`grant create on schema public to reader`, database);
    await enrol(await open(url.href));
  });

  test('refuses a database with another encoding', async () => {
    await server.query("create database latin template template0 encoding 'LATIN1' locale_provider libc locale 'C'");
    await expect(open(server.url('latin'))).rejects.toMatchObject({
      kind: 'failed_precondition',
      message: expect.stringContaining('UTF8'),
    });
  });

  test('accepts a password from PGPASSWORD', async () => {
    const url = new URL(server.url(await server.createDatabase()));
    process.env.PGPASSWORD = decodeURIComponent(url.password);
    url.password = '';
    try {
      expect(await (await open(url.href)).listHosts()).toHaveLength(1);
    } finally {
      delete process.env.PGPASSWORD;
    }
  });

  test('accepts a password from a password file', async () => {
    const url = new URL(server.url(await server.createDatabase()));
    const directory = mkdtempSync(join(tmpdir(), 'passthru-passfile-'));
    const file = join(directory, 'passfile');
    const password = decodeURIComponent(url.password).replaceAll(':', '\\:');
    writeFileSync(file, `127.0.0.1:${url.port}:*:postgres:${password}\n`, { mode: 0o600 });
    process.env.PGPASSFILE = file;
    url.password = '';
    try {
      expect(await (await open(url.href)).listHosts()).toHaveLength(1);
    } finally {
      delete process.env.PGPASSFILE;
      rmSync(directory, { recursive: true });
    }
  });
});

/** Returns the database that was created last. */
async function currentDatabase(): Promise<string> {
  const [row] = await server.query<{ datname: string }>(
    "select datname from pg_database where datname like 'test%' order by oid desc limit 1",
  );
  return row!.datname;
}

/** Closes the store's connections that wait for a lock. Returns their number. */
async function terminateWaiting(database: string): Promise<number> {
  const rows = await server.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'`,
  );
  return rows.length;
}

function terminateAll(database: string): string {
  return `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A proxy that can fall silent: it then accepts data and new connections, and forwards nothing. */
async function startCuttable(port: number) {
  const sockets = new Set<Socket>();
  let silent = false;
  const way: Server = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => {
        if (!silent) to.write(data);
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
  return {
    port: (way.address() as AddressInfo).port,
    silence(now: boolean) {
      silent = now;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => way.close(resolve));
    },
  };
}
