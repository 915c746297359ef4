import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NewEvent } from '../../../src/core/events/eventStore.ts';
import { readEventRecords } from '../../../src/core/events/records/readRecords.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

const NODE = '11111111-1111-4111-8111-111111111111';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

afterAll(async () => {
  await server.remove();
});

const event = (digest: string): NewEvent => {
  const [content] = readEventRecords({ EventId: digest, Message: 'text' });
  return { nodeUuid: NODE, content: content!, digest, repeatedWithin: null };
};

test('knows what another process has stored since the statement began', async () => {
  const database = await server.createDatabase();
  const store = await openStore(server.url(database), { log: silentLogger });
  const [first] = await store.addEvents([event('a')]);

  const other = new pg.Client(server.url(database));
  await other.connect();
  await other.query(`begin;
    update change_logs set position = position + 1 where kind = 'event';
    insert into events select (jsonb_populate_record(events, jsonb_build_object('position', position + 1, 'digest', 'b'))).*
      from events`);
  const adding = store.addEvents([event('c'), event('b'), event('a'), event('d')]);
  const waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
  while ((await server.query(waiting, database)).length === 0) await sleep(10);
  await other.query('commit');
  await other.end();

  const added = await adding;
  expect(added.map((each) => each && each.position - first!.position)).toEqual([2, null, null, 3]);
  expect((await store.eventsAbove(first!.position + 1, 10)).map(({ position }) => position)).toEqual([
    first!.position + 2,
    first!.position + 3,
  ]);
  expect((await store.changeBounds('event')).last).toBe(first!.position + 3);
  await store.close();
});
