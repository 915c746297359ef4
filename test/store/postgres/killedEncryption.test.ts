import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { silentLogger as log } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { createSecretsCipher, keyIdOf } from '../../../src/store/secretsCipher.ts';
import { enrol } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

vi.setConfig({ hookTimeout: 120_000, testTimeout: 120_000 });

const PROGRAM = fileURLToPath(new URL('encrypting.ts', import.meta.url));
const [FIRST, SECOND] = [randomBytes(32), randomBytes(32)];

/** More than one batch. */
const NODES = 120;

let server: PostgresServer;
const processes = new Set<ChildProcess>();
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async () => {
  await Promise.all([...processes].map(kill));
});
afterAll(() => server.remove());

/** Starts a process that encrypts with the first of `keys`. */
function encrypt(kind: 'replica' | 'rotate', url: string, keys: readonly Buffer[]): ChildProcess {
  const args = [PROGRAM, kind, url, ...keys.map((key) => key.toString('hex'))];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  processes.add(child);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  processes.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Returns the passwords of all nodes, read with `keys`. */
async function passwords(url: string, keys: readonly Buffer[]): Promise<unknown[]> {
  const store = await openStore(url, { log, cipher: createSecretsCipher(keys) });
  const nodes = await store.listNodes({ limit: NODES + 1, marker: null, sortKey: 'id', sortDirection: 'asc' });
  await store.close();
  return nodes!.map((node) => node.driverInfo.password);
}

describe.each([
  { what: 'the first key', kind: 'replica', before: [], after: [FIRST] },
  { what: 'a rotation', kind: 'rotate', before: [FIRST], after: [SECOND, FIRST] },
] as const)('encrypting with $what', ({ kind, before, after }) => {
  test.each([
    { at: 1, survivor: true },
    { at: 60, survivor: true },
    { at: NODES, survivor: true },
    { at: 60, survivor: false },
  ])('is finished when a process is killed at node $at (another one goes on: $survivor)', async ({ at, survivor }) => {
    const url = server.url(await server.createDatabase());
    const store = await openStore(url, { log, cipher: createSecretsCipher(before) });
    const expected: string[] = [];
    for (let index = 0; index < NODES; index++) {
      expected.push(`secret ${index}`);
      await enrol(store, { driverInfo: { password: expected[index]! } });
    }
    await store.close();
    const client = new pg.Client(url);
    await client.connect();
    const sealed = async () => {
      const { rows } = await client.query('select count(*) from nodes where driver_info like $1', [
        `${keyIdOf(after[0])}:%`,
      ]);
      return Number(rows[0].count);
    };
    // All processes stop before this node, since they encrypt in order.
    await client.query('begin');
    await client.query(
      'select from nodes where uuid = (select uuid from nodes order by uuid offset $1 limit 1) for update',
      [at - 1],
    );
    const killed = encrypt(kind, url, after);
    const other = survivor ? encrypt(kind, url, after) : null;
    const waiting = async () => {
      const database = new URL(url).pathname.slice(1);
      // Not in the transaction, which sees the activity when it first looked.
      const [found] = await server.query<{ count: string }>(
        `select count(*) from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'`,
      );
      return Number(found!.count);
    };
    const encrypting = survivor ? 2 : 1;
    await vi.waitUntil(async () => (await waiting()) === encrypting, { timeout: 60_000, interval: 10 });
    expect(await sealed()).toBe(at - 1);
    await kill(killed);
    await client.query('commit');

    const last = other ?? encrypt(kind, url, after);
    await vi.waitUntil(async () => (await sealed()) === NODES, { timeout: 60_000, interval: 10 });
    if (kind === 'rotate' && last.exitCode === null) expect(await once(last, 'exit')).toEqual([0, null]);
    await client.end();
    expect(await passwords(url, [after[0]])).toEqual(expected);
  });
});
