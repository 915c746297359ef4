import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLogger as log } from '../../src/core/logger.ts';
import type { Store } from '../../src/core/store.ts';
import { openMigrated, openStore } from '../../src/store/open.ts';
import { createSecretsCipher, keyIdOf, PLAIN, type SecretsCipher } from '../../src/store/secretsCipher.ts';
import { countSecretsKeys, type Rotated, rotateSecrets } from '../../src/store/secretsKeys.ts';
import { type PostgresServer, startPostgres } from './postgres/embeddedPostgres.ts';
import { enrol, reserve, sampleConductor, update } from './samples.ts';
import { temporaryDatabase } from './temporaryDatabase.ts';

vi.setConfig({ hookTimeout: 60_000 });

const [FIRST, SECOND] = [randomBytes(32), randomBytes(32)];
const SECRET = 'marker-4711-hunter2';
const NODES = 250;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

const PLACES = {
  SQLite: () => {
    const { path, remove } = temporaryDatabase();
    return { url: `sqlite:${path}`, path, remove };
  },
  PostgreSQL: async () => ({ url: server.url(await server.createDatabase()), path: null, remove: () => {} }),
};

describe.each(Object.entries(PLACES))('on %s', (_name, make) => {
  let place: { url: string; path: string | null; remove(): void };
  beforeEach(async () => {
    place = await make();
  });
  afterEach(() => place.remove());

  const open = (...keys: Buffer[]) => openStore(place.url, { log, cipher: createSecretsCipher(keys) });

  async function withStore<T>(keys: Buffer[], work: (store: Store) => Promise<T>): Promise<T> {
    const store = await open(...keys);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  async function rotate(cipher: SecretsCipher, progress?: (changed: number) => void): Promise<Rotated> {
    const database = await openMigrated(place.url, log, cipher);
    try {
      return await rotateSecrets(database, cipher, progress);
    } finally {
      await database.close();
    }
  }

  async function keysInUse(cipher: SecretsCipher): Promise<Map<string | null, number>> {
    const database = await openMigrated(place.url, log, cipher);
    try {
      return await countSecretsKeys(database);
    } finally {
      await database.close();
    }
  }

  test('the driver_info that an event source keeps of a deleted node is encrypted anew', async () => {
    const node = await withStore([FIRST], async (store) => {
      const enrolled = await enrol(store, { driverInfo: { password: SECRET } });
      const selection = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };
      await store.setEventSource(enrolled.uuid, { transport: null, selection }, new Date());
      await store.deleteNode(enrolled.uuid, null);
      return enrolled;
    });
    expect(await rotate(createSecretsCipher([SECOND, FIRST]))).toEqual({ changed: 1, remaining: 0 });
    expect(await rotate(createSecretsCipher([SECOND, FIRST]))).toEqual({ changed: 0, remaining: 0 });
    const source = await withStore([SECOND], (store) => store.getEventSource(node.uuid));
    expect(source).toMatchObject({ formerNode: { driverInfo: { password: SECRET } } });
  });

  async function enrolMany(store: Store, count: number): Promise<void> {
    await store.addConductor(sampleConductor());
    for (let index = 0; index < count; index++) {
      await enrol(store, { name: `node-${index}`, driverInfo: { password: `${SECRET}-${index}` } });
    }
  }

  async function checkAll(store: Store, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const node = await store.getNodeByName(`node-${index}`);
      expect(node).toMatchObject({ driverInfo: { password: `${SECRET}-${index}` }, updateTime: null, fence: 0 });
    }
  }

  test('the rotation encrypts nodes in plain text and under an old key, which stay readable', async () => {
    await withStore([], (store) => enrolMany(store, NODES));
    const progress: number[] = [];
    expect(await rotate(createSecretsCipher([FIRST]), (changed) => progress.push(changed))).toEqual({
      changed: NODES,
      remaining: 0,
    });
    expect(progress).toEqual([100, 200, 250, 250]);
    await withStore([FIRST], (store) => checkAll(store, NODES));

    expect(await rotate(createSecretsCipher([SECOND, FIRST]))).toEqual({ changed: NODES, remaining: 0 });
    expect(await rotate(createSecretsCipher([SECOND, FIRST]))).toEqual({ changed: 0, remaining: 0 });
    await withStore([SECOND], (store) => checkAll(store, NODES));
  });

  test('refuses to open a store whose key is missing or wrong, and names the key', async () => {
    await withStore([FIRST], (store) => enrolMany(store, 2));
    for (const keys of [[], [SECOND]]) {
      await expect(open(...keys)).rejects.toMatchObject({
        kind: 'failed_precondition',
        message: expect.stringMatching(
          new RegExp(
            `^secrets.key_file: the store holds secrets \\(nodes: 2\\) .* with the key ${keyIdOf(FIRST)}, and `,
          ),
        ),
      });
    }
    await withStore([SECOND, FIRST], (store) => checkAll(store, 2));
  });

  test('an interrupted rotation can be repeated', async () => {
    await withStore([FIRST], (store) => enrolMany(store, NODES));
    const both = createSecretsCipher([SECOND, FIRST]);
    const interrupted = rotate(both, () => {
      throw new Error('interrupted');
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    expect(await keysInUse(both)).toEqual(
      new Map([
        [keyIdOf(FIRST), 150],
        [keyIdOf(SECOND), 100],
      ]),
    );
    expect(await rotate(both)).toEqual({ changed: 150, remaining: 0 });
    await withStore([SECOND], (store) => checkAll(store, NODES));
  });

  test('encrypts instance_info too, and leaves nodes without secrets unchanged', async () => {
    const attributes = { instance_info: { password: SECRET }, owner: 'x' };
    const uuid = await withStore([], async (store) => {
      await enrol(store, { name: 'empty' });
      return (await enrol(store, { attributes })).uuid;
    });
    const cipher = createSecretsCipher([FIRST]);
    expect(await rotate(cipher)).toEqual({ changed: 1, remaining: 0 });
    await withStore([FIRST], async (store) => {
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ attributes, driverInfo: {} });
      const query = { limit: 10, marker: null, sortKey: 'id', sortDirection: 'asc' } as const;
      expect(await store.listNodes({ ...query, attributes: { owner: 'x' } })).toMatchObject([{ uuid }]);
    });
  });
});

test('on SQLite no file holds a secret afterwards, not even one that was in plain text before', async () => {
  const place = PLACES.SQLite();
  const files = () =>
    Buffer.concat(readdirSync(dirname(place.path)).map((name) => readFileSync(join(dirname(place.path), name))));
  const before = await openStore(place.url, { log });
  for (let index = 0; index < 50; index++) {
    await enrol(before, { driverInfo: { password: SECRET }, attributes: { instance_info: { key: SECRET } } });
  }
  await before.close();
  expect(files().includes(SECRET)).toBe(true);

  const cipher = createSecretsCipher([FIRST]);
  const database = await openMigrated(place.url, log, cipher);
  await rotateSecrets(database, cipher);
  expect(files().includes(SECRET)).toBe(false);
  await database.close();

  const after = await openStore(place.url, { log, cipher });
  await after.addConductor(sampleConductor());
  const node = await enrol(after, { driverInfo: { password: SECRET } });
  expect(await update(after, node.uuid, { driverInfo: { password: `${SECRET}2` } }, new Date())).not.toBeNull();
  expect(files().includes(SECRET)).toBe(false);
  await after.close();
  expect(files().includes(SECRET)).toBe(false);
  place.remove();
});

test('the argument digest of an idempotent call cannot be read without the key', async () => {
  const place = PLACES.SQLite();
  const fingerprint = 'digest-of-arguments-4711';
  const call = { caller: 'alice', key: 'k', fingerprint, createTime: new Date() };
  const opened = () => openStore(place.url, { log, cipher: createSecretsCipher([FIRST]) });
  let store = await opened();
  await store.addConductor(sampleConductor());
  expect(await store.beginIdempotent(call, 'process-1', new Date(0))).toBeNull();
  await store.close();
  expect(readFileSync(place.path).includes(fingerprint)).toBe(false);
  store = await opened();
  expect(await store.beginIdempotent(call, 'process-1', new Date(0))).toMatchObject({ fingerprint });
  await store.close();
  place.remove();
});

describe('beside replicas', () => {
  test('keeps concurrent changes, encrypts held nodes too, and ends with everything under the new key', async () => {
    const url = server.url(await server.createDatabase());
    const replica = await openStore(url, { log, cipher: createSecretsCipher([FIRST, SECOND]) });
    await replica.addConductor(sampleConductor());
    const nodes = [];
    for (let index = 0; index < NODES; index++) nodes.push(await enrol(replica, { driverInfo: { password: SECRET } }));
    await reserve(replica, nodes[0]!.uuid, { kind: 'held' });

    const cipher = createSecretsCipher([SECOND, FIRST]);
    const database = await openMigrated(url, log, cipher);
    const renewed = await openStore(url, { log, cipher });
    const changes = (async () => {
      // Backwards, so that some change before and some after the rotation reaches them.
      for (const { uuid } of nodes.slice(1).reverse()) {
        await update(renewed, uuid, { driverInfo: { password: `new-${uuid}` } }, new Date());
      }
    })();
    const [{ remaining }] = await Promise.all([rotateSecrets(database, cipher), changes]);
    expect(remaining).toBe(0);
    for (const { uuid } of nodes.slice(1)) {
      expect((await renewed.getNodeByUuid(uuid))?.driverInfo).toEqual({ password: `new-${uuid}` });
    }
    expect(await renewed.getNodeByUuid(nodes[0]!.uuid)).toMatchObject({
      driverInfo: { password: SECRET },
      reservation: { kind: 'held' },
    });

    // A replica that still encrypts with the old key is counted.
    await enrol(replica, { driverInfo: { password: SECRET } });
    expect(await countSecretsKeys(database)).toEqual(
      new Map([
        [keyIdOf(SECOND), NODES],
        [keyIdOf(FIRST), 1],
      ]),
    );
    await Promise.all([replica.close(), renewed.close(), database.close()]);
  });

  test('a replica without the new key names it in its error', async () => {
    const url = server.url(await server.createDatabase());
    const [old, renewed] = await Promise.all([
      openStore(url, { log, cipher: createSecretsCipher([FIRST]) }),
      openStore(url, { log, cipher: createSecretsCipher([SECOND, FIRST]) }),
    ]);
    const { uuid } = await enrol(renewed, { driverInfo: { password: SECRET } });
    await expect(old.getNodeByUuid(uuid)).rejects.toMatchObject({
      kind: 'store_unavailable',
      message: expect.stringContaining(`with the key ${keyIdOf(SECOND)}, which this process does not have`),
    });
    await Promise.all([old.close(), renewed.close()]);
    await expect(openStore(url, { log, cipher: PLAIN })).rejects.toMatchObject({ kind: 'failed_precondition' });
  });
});
