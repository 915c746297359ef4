import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger as log } from '../../src/core/logger.ts';
import type { Store } from '../../src/core/store.ts';
import type { Database } from '../../src/store/database.ts';
import { livingHostsWithout } from '../../src/store/fleetKeys.ts';
import { openMigrated, openStore } from '../../src/store/open.ts';
import { createSecretsCipher, keyIdOf } from '../../src/store/secretsCipher.ts';
import { countSecretsKeys, rotateSecrets } from '../../src/store/secretsKeys.ts';
import { type PostgresServer, startPostgres } from './postgres/embeddedPostgres.ts';
import { enrol, sampleConductor } from './samples.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const [FIRST, SECOND] = [randomBytes(32), randomBytes(32)];
const [FIRST_ID, SECOND_ID] = [keyIdOf(FIRST), keyIdOf(SECOND)];
const LIST = { limit: 100, marker: null, sortKey: 'id', sortDirection: 'asc' } as const;

let server: PostgresServer;
let url: string;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());
beforeEach(async () => {
  url = server.url(await server.createDatabase());
});

interface Replica {
  id: string;
  store: Store;
  renew(): Promise<unknown>;
  stop(): Promise<void>;
}

async function startReplica(host: string, ...keys: Buffer[]): Promise<Replica> {
  const store = await openStore(url, { log, cipher: createSecretsCipher(keys) });
  const conductor = sampleConductor({ id: randomUUID(), host });
  try {
    await store.addConductor(conductor);
  } catch (error) {
    await store.close();
    throw error;
  }
  return {
    id: conductor.id,
    store,
    renew: () => store.renewConductor(conductor.id),
    async stop() {
      await store.removeConductor(conductor.id);
      await store.close();
    },
  };
}

/** Returns the number of nodes with secrets under each key. */
async function keys(...all: Buffer[]): Promise<Record<string, number>> {
  const database = await openMigrated(url, log, createSecretsCipher(all));
  const counts = await countSecretsKeys(database);
  await database.close();
  return Object.fromEntries([...counts].map(([key, count]) => [key ?? 'plain', count]));
}

const add = (replica: Replica, name: string) => enrol(replica.store, { name, driverInfo: { password: `of ${name}` } });

test('a single replica encrypts from its start, and what was in plain text', async () => {
  const plain = await startReplica('a');
  await add(plain, 'old');
  await plain.stop();
  const replica = await startReplica('a', FIRST);
  await add(replica, 'new');
  await vi.waitFor(async () => expect(await keys(FIRST)).toEqual({ [FIRST_ID]: 2 }), 30_000);
  await replica.stop();
});

test('the first key locks no replica out: it encrypts when all have it, and then what was in plain text', async () => {
  const [a, b] = [await startReplica('a'), await startReplica('b')];
  await add(a, 'old');
  await a.stop();
  const renewed = await startReplica('a', FIRST);
  const node = await add(renewed, 'by-the-one-with-the-key');
  await renewed.renew();
  expect(await keys(FIRST)).toEqual({ plain: 2 });
  expect(await b.store.getNodeByUuid(node.uuid)).toMatchObject({ driverInfo: node.driverInfo });

  await b.stop();
  const second = await startReplica('b', FIRST);
  await renewed.renew();
  await add(renewed, 'later');
  await vi.waitFor(async () => expect(await keys(FIRST)).toEqual({ [FIRST_ID]: 3 }), 30_000);
  for (const { store } of [renewed, second]) {
    expect((await store.listNodes(LIST))?.map(({ driverInfo }) => driverInfo.password)).toEqual([
      'of old',
      'of by-the-one-with-the-key',
      'of later',
    ]);
  }
  await Promise.all([renewed.stop(), second.stop()]);
});

test('a replica whose lease has run out keeps nobody from the key', async () => {
  const lost = await openStore(url, { log });
  await lost.addConductor(sampleConductor({ id: randomUUID(), host: 'lost', lease: 1 }));
  const replica = await startReplica('a', FIRST);
  await vi.waitFor(async () => {
    await replica.renew();
    await add(replica, randomUUID());
    expect(Object.keys(await keys(FIRST))).toContain(FIRST_ID);
  }, 30_000);
  await Promise.all([replica.stop(), lost.close()]);
});

test('another key encrypts when all have it; until then the old one does', async () => {
  const [a, b] = [await startReplica('a', FIRST), await startReplica('b', FIRST)];
  await add(a, 'old');
  await a.stop();
  const renewed = await startReplica('a', SECOND, FIRST);
  await add(renewed, 'between');
  expect(await keys(FIRST, SECOND)).toEqual({ [FIRST_ID]: 2 });
  expect((await b.store.listNodes(LIST))?.length).toBe(2);
  await b.stop();
  await renewed.renew();
  await add(renewed, 'new');
  expect((await keys(FIRST, SECOND))[SECOND_ID]).toBeGreaterThan(0);
  await renewed.stop();
});

test('a replica that starts without the key that others encrypt with is refused, before any value is encrypted', async () => {
  const replica = await startReplica('a', FIRST);
  await expect(startReplica('late')).rejects.toMatchObject({
    message: expect.stringContaining(
      `the replica a encrypts secrets with the key ${FIRST_ID}, which this process does not have`,
    ),
  });
  // It is not counted as living.
  await add(replica, 'x');
  expect(await keys(FIRST)).toEqual({ [FIRST_ID]: 1 });
  expect(await replica.store.listHosts()).toEqual(['a']);
  await replica.stop();
});

test.each([
  ['none is in use', [] as Buffer[], [SECOND, FIRST], 'plain'],
  ['an older key is in use', [FIRST], [SECOND, FIRST], FIRST_ID],
  ['its other key is not in use', [], [FIRST], 'plain'],
])('a new replica uses no key that one who starts meanwhile lacks: %s', async (_, of, own, expected) => {
  if (of.length > 0) {
    const before = await startReplica('before', ...of);
    await add(before, 'old');
    await before.stop();
  }
  // Another replica is there just before this one has told its key, and has looked before it did.
  const database = await openMigrated(url, log, createSecretsCipher(own));
  await startsWhenAKeyIsTold(database, of);
  const replica = await startReplica('a', ...own);
  await add(replica, 'new');
  const counts = await keys(...own);
  expect(Object.keys(counts)).toEqual([expected]);
  await replica.stop();
  await database.close();
});

test('a replica that is about to use another key uses none that one who starts meanwhile lacks', async () => {
  const [b, a] = [await startReplica('b'), await startReplica('a', FIRST)];
  const database = await openMigrated(url, log, createSecretsCipher([FIRST]));
  await b.stop();
  await startsWhenAKeyIsTold(database, []);
  await a.renew();
  await add(a, 'new');
  expect(await keys(FIRST)).toEqual({ plain: 1 });
  await a.stop();
  await database.close();
});

/** Has a conductor with `own` keys start, once, in the moment in which another tells the key that it is about to use. */
async function startsWhenAKeyIsTold({ kysely }: Database, own: readonly Buffer[]): Promise<void> {
  await sql`create function start_another() returns trigger language plpgsql as $$
    begin
      insert into conductors (id, host, lease, grace, expires_at, key_ids, create_time)
        values ('another', 'another', 60000, 0, ${sql.lit(Date.now() + 3_600_000)}, ${sql.lit(own.map(keyIdOf).join(' '))}, 0)
        on conflict do nothing;
      return new;
    end $$`.execute(kysely);
  await sql`create trigger start_another before update of writing_key on conductors
    for each row when (new.writing_key is not null) execute function start_another()`.execute(kysely);
}

test('replicas that start at once, some without the key, never write what another cannot read', async () => {
  for (let round = 0; round < 10; round++) {
    const started = await Promise.allSettled(
      [[FIRST], [], [FIRST], []].map((given, index) => startReplica(`r${index}`, ...given)),
    );
    const living = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const nodes = await Promise.all(living.map((replica) => add(replica, randomUUID())));
    for (const { store } of living) {
      for (const { uuid, driverInfo } of nodes) {
        expect((await store.getNodeByUuid(uuid))?.driverInfo).toEqual(driverInfo);
      }
    }
    await Promise.all(living.map(async (replica) => replica.stop()));
    const cleaner = await openMigrated(url, log, createSecretsCipher([FIRST]));
    await cleaner.kysely.deleteFrom('nodes').execute();
    await cleaner.close();
  }
});

test('the replicas that lack a key are told, and a program that does not tell counts as one', async () => {
  const [a, b] = [await startReplica('a', FIRST), await startReplica('b', FIRST, SECOND)];
  const database = await openMigrated(url, log, createSecretsCipher([SECOND, FIRST]));
  expect(await livingHostsWithout(database, FIRST_ID)).toEqual([]);
  expect(await livingHostsWithout(database, SECOND_ID)).toEqual(['a']);
  await database.kysely.updateTable('conductors').set({ key_ids: null }).where('id', '=', b.id).execute();
  expect(await livingHostsWithout(database, FIRST_ID)).toEqual(['b']);
  await Promise.all([a.stop(), b.stop(), database.close()]);
});

test('a list shows a node that cannot be decrypted without its secrets and says why, and the store is not healthy', async () => {
  const replica = await startReplica('a');
  await add(replica, 'readable');
  const node = await add(replica, 'sealed');
  await replica.store.ping();
  // As `rotate-key --force` does.
  const cipher = createSecretsCipher([FIRST]);
  const database = await openMigrated(url, log, cipher);
  await database.kysely.updateTable('nodes').set({ driver_info: '{}' }).where('name', '=', 'readable').execute();
  // As a program before these were sorted by.
  const row = { node_uuid: node.uuid, name: 'owner', digest: 'd', value: null };
  await database.kysely.insertInto('node_attributes').values(row).execute();
  await database.kysely
    .updateTable('nodes')
    .set({ attributes: '{"owner":"x"}' })
    .where('uuid', '=', node.uuid)
    .execute();
  await rotateSecrets(database, cipher);
  await database.close();
  expect(await replica.store.listNodes(LIST)).toMatchObject([
    { name: 'readable', lastError: null },
    {
      name: 'sealed',
      driverInfo: {},
      lastError: expect.stringContaining(`with the key ${FIRST_ID}, which this process does not have`),
    },
  ]);
  expect(await replica.store.listNodes({ ...LIST, sortKey: 'attributes.owner' })).toHaveLength(2);
  // Health, which anybody may ask for, names neither the node nor the key.
  await expect(replica.store.ping()).rejects.toMatchObject({
    kind: 'store_unavailable',
    message: expect.not.stringMatching(new RegExp(`${FIRST_ID}|${node.uuid}`)),
  });
  await expect(replica.store.getNodeByUuid(node.uuid)).rejects.toMatchObject({ kind: 'store_unavailable' });
  await replica.stop();
});

test('the health tells of secrets under a key that this process lacks before any call reads them, and recovers', async () => {
  const replica = await startReplica('a');
  const { uuid } = await add(replica, 'sealed');
  const cipher = createSecretsCipher([FIRST]);
  const database = await openMigrated(url, log, cipher);
  await rotateSecrets(database, cipher);
  await expect(replica.store.ping()).rejects.toMatchObject({
    kind: 'store_unavailable',
    message: expect.stringContaining('a key that this process does not have; see secrets.key_file'),
  });
  await database.kysely.deleteFrom('nodes').where('uuid', '=', uuid).execute();
  await vi.waitFor(() => replica.store.ping(), { timeout: 30_000, interval: 200 });
  await Promise.all([replica.stop(), database.close()]);
});
