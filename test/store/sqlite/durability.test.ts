import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Node } from '../../../src/core/node.ts';
import type { Store } from '../../../src/core/store.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { accept, enrol, hold, reserve, sampleConductor, sampleEnd, sampleReservation } from '../samples.ts';

/** Values of `pragma synchronous`. */
const NORMAL = 1;
const FULL = 2;

let sqlite: DatabaseSync;
let store: Store;
/** The level of `synchronous` at each written row. */
let levels: unknown[];

beforeEach(async () => {
  sqlite = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true });
  sqlite.exec('pragma synchronous = normal');
  const database = onConnection(sqlite, () => {});
  await migrate(database, silentLogger);
  store = kyselyStore(database);
  await store.addConductor(sampleConductor());

  const level = sqlite.prepare('pragma synchronous');
  sqlite.function('note_level', { directOnly: false }, () => {
    levels.push(level.get()?.synchronous);
    return null;
  });
  for (const table of ['nodes', 'reservations', 'jobs', 'job_revisions', 'idempotency']) {
    for (const change of ['insert', 'update', 'delete']) {
      sqlite.exec(
        `create temp trigger note_${change}_${table} after ${change} on ${table} begin select note_level(); end`,
      );
    }
  }
  levels = [];
});

afterEach(async () => {
  await store.close();
});

/** Returns the levels of `synchronous` at which `step` writes. */
async function levelsOf(step: () => Promise<unknown>): Promise<unknown[]> {
  levels = [];
  await step();
  return [...new Set(levels)];
}

test('writes what must survive a crash of the machine with synchronous=FULL, the rest with NORMAL', async () => {
  const call = { caller: 'alice', key: 'key', fingerprint: 'f', createTime: new Date() };
  const { uuid } = await enrol(store);
  let fence = 0;
  const reserveAs = (kind: 'call' | 'held') => async () => {
    fence = await reserve(store, uuid, { kind });
  };
  const release = () => store.release(uuid, fence);
  expect(await levelsOf(() => enrol(store, { name: 'x' }))).toEqual([FULL]);
  expect(await levelsOf(reserveAs('call'))).toEqual([NORMAL]);
  expect(await levelsOf(() => store.updateNode(uuid, fence, { name: 'y' }, new Date()))).toEqual([FULL]);
  expect(await levelsOf(release)).toEqual([NORMAL]);
  expect(await levelsOf(reserveAs('held'))).toEqual([FULL]);
  expect(await levelsOf(() => store.renewHold(uuid, fence, 60_000))).toEqual([FULL]);
  expect(await levelsOf(() => store.endHold(uuid, fence))).toEqual([FULL]);
  expect(await levelsOf(() => store.beginIdempotent(call, 'process-1', new Date(0)))).toEqual([NORMAL]);
  expect(await levelsOf(() => store.acceptIdempotent('alice', 'key', 'process-1'))).toEqual([FULL]);
  expect(await levelsOf(() => accept(store, 1))).toEqual([FULL]);
  const job = await accept(store, 2, { nodeUuid: uuid });
  expect(await levelsOf(() => store.recordProgress(job.id, hold(), { fraction: 1, message: '' }))).toEqual([NORMAL]);
  expect(await levelsOf(() => store.endJob(sampleEnd(job), hold()))).toEqual([FULL]);
  await reserveAs('call')();
  expect(await levelsOf(() => store.deleteNode(uuid, fence))).toEqual([FULL]);
});

test('uses the right level for each of many concurrent writes of both kinds', async () => {
  const nodes = await Promise.all(Array.from({ length: 30 }, () => enrol(store)));
  const reserved = await Promise.all(Array.from({ length: 30 }, () => enrol(store)));
  for (const { uuid } of reserved) await reserve(store, uuid);
  levels = [];
  const outcomes = await Promise.all(
    nodes.flatMap(({ uuid }, index) => [
      store.acquire(uuid, sampleReservation(), 'process-1'),
      accept(store, index),
      store.updateNode((reserved[index] as Node).uuid, 1, {}, new Date()),
    ]),
  );
  expect(outcomes).toHaveLength(90);
  // A reservation writes one row, a job two, a change of a node one.
  expect(levels.filter((level) => level === NORMAL)).toHaveLength(30);
  expect(levels.filter((level) => level === FULL)).toHaveLength(90);
});

test('restores the level after a failed transaction', async () => {
  await accept(store, 1);
  await expect(accept(store, 1)).rejects.toThrow();
  expect(sqlite.prepare('pragma synchronous').get()).toEqual({ synchronous: NORMAL });
  expect(sqlite.isTransaction).toBe(false);
});
