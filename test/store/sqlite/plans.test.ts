import { randomBytes } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { createSecretsCipher } from '../../../src/store/secretsCipher.ts';
import { rotateSecrets } from '../../../src/store/secretsKeys.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { storePromises } from '../promises.ts';
import { enrol } from '../samples.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

/** Every distinct statement that the store sent. */
const statements = new Set<string>();
let recording = false;

class RecordedDatabase extends DatabaseSync {
  override prepare(text: string): StatementSync {
    if (recording) statements.add(text);
    return super.prepare(text);
  }
}

async function open(path: string) {
  const database = onConnection(new RecordedDatabase(path, { enableForeignKeyConstraints: true }), () => {});
  recording = false;
  await migrate(database, silentLogger);
  recording = true;
  return database;
}

// Runs the promises suite first, so that every statement is sent; the tests below explain them.
storePromises('SQLite, recorded', async () => {
  const file = temporaryDatabase();
  let store = kyselyStore(await open(file.path));
  return {
    store,
    async reopen() {
      await store.close();
      store = kyselyStore(await open(file.path));
      return store;
    },
    async execute(statement) {
      const outside = new DatabaseSync(file.path);
      outside.exec(statement);
      outside.close();
    },
    async remove() {
      await store.close();
      file.remove();
    },
  };
});

test('records the statements of a key rotation too', async () => {
  const database = await open(':memory:');
  await enrol(kyselyStore(database), { driverInfo: { password: 'x' } });
  expect(await rotateSecrets(database, createSecretsCipher([randomBytes(32)]))).toEqual({ changed: 1, remaining: 0 });
  await database.close();
});

/** Allowed plan steps by a part of the statement; the test fails on one that no statement needs. */
const EXCEPTIONS: { part: string; step: RegExp; reason: string }[] = [
  { part: '"conductors"', step: /^SCAN conductors\b|DISTINCT$|GROUP BY$/, reason: 'one row for each process' },
  {
    part: 'from "jobs" as "listed"',
    step: /^SCAN listed USING COVERING INDEX sqlite_autoindex_jobs_1$/,
    reason: 'the page of ids is read in order and ends at its limit',
  },
  {
    part: 'as "size" from "jobs" as "listed" where 1 = 1 order by "listed"."id" desc limit',
    step: /^SCAN listed USING INDEX sqlite_autoindex_jobs_1$/,
    reason: 'so are the sizes',
  },
  { part: ' from json_each(?)', step: /^SCAN json_each VIRTUAL TABLE/, reason: 'the values of a parameter' },
  { part: ' as page)', step: /^SCAN page$/, reason: 'sums the sizes of a page, which ends at its limit' },
  {
    part: '"nodes"."uuid" in (select "node_uuid" from "node_attributes"',
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: 'sorts only the nodes that the index finds by their attribute',
  },
  ...[
    ...['order by "nodes"."description"', 'order by "nodes"."maintenance_reason"', 'order by "nodes"."last_error"'],
    ...['order by "reservations"."holder"', 'order by (select node_attributes.value'],
  ].map((part) => ({
    part,
    step: /^SCAN (nodes|reservations)\b|^USE TEMP B-TREE/,
    reason: 'lists sorted by what few ask for sort all nodes, as in Ironic',
  })),
  {
    part: 'as "of_all" from "nodes"',
    step: /^SCAN nodes USING COVERING INDEX/,
    reason: 'the list of shards counts all nodes',
  },
  {
    part: 'select count(*) as "count" from "reservations"',
    step: /^SCAN reservations$/,
    reason: 'on PostgreSQL alone',
  },
  {
    part: '"value" is null',
    step: /^SCAN node_attributes USING (COVERING )?INDEX node_attributes_unread$|DISTINCT$/,
    reason: 'empty, except after an upgrade',
  },
  {
    part: '"kind" = \'call\'',
    step: /^SCAN reservations$|^USE TEMP B-TREE FOR ORDER BY$/,
    reason: 'SQLite has no stored calls, except those of an earlier release at start',
  },
  { part: 'update "reservations" set "fence" = ?', step: /^SCAN reservations$/, reason: 'once at start' },
  { part: '"kind" = \'held\'', step: /^SCAN reservations$/, reason: 'once at start' },
  {
    part: 'update "event_sources" set "owner" = ?, "due_time"',
    step: /^SCAN event_sources$/,
    reason: 'sources without an owner are looked for among one row for each node, every few seconds',
  },
  {
    part: '"former_driver_info" as "sealed" from "event_sources"',
    step: /^SCAN event_sources$/,
    reason: 'a key rotation looks for the BMCs that nodes had among one row for each node',
  },
  {
    part: 'from "event_sources" group by "state"',
    step: /^SCAN event_sources USING COVERING INDEX event_sources_state$/,
    reason: 'metrics count all sources',
  },
  {
    part: '"nodes"."driver" = ? order by "event_sources"."id"',
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    reason: 'sorts only the sources of a driver',
  },
  { part: `like '{%' then ''`, step: /^SCAN nodes$|GROUP BY$/, reason: 'once at start, and by rotate-key' },
];

/** Returns the plan's steps that scan or sort beyond its limit; empty when it finds by index what it returns. */
function faultsOf(sqlite: DatabaseSync, text: string): string[] {
  const steps = sqlite
    .prepare(`explain query plan ${text}`)
    .all()
    .map((row) => String(row.detail));
  const faults = steps.filter((step) => /^SCAN (?!CONSTANT|\d+-ROW VALUES)|^USE TEMP B-TREE/.test(step));
  // Reading an index in order up to a limit is not a scan.
  if (/ limit (\?|\d+)$/.test(text) && !faults.some((step) => step.startsWith('USE TEMP'))) return [];
  return faults.filter((step) => {
    const exception = EXCEPTIONS.find((each) => text.includes(each.part) && each.step.test(step));
    if (exception !== undefined) used.add(exception);
    return exception === undefined;
  });
}

const used = new Set<object>();

describe('the plans of all statements', () => {
  const explained = async () => {
    const sqlite = new DatabaseSync(':memory:');
    await migrate(
      onConnection(sqlite, () => {}),
      silentLogger,
    );
    return sqlite;
  };

  test('search by index, and neither scan nor sort a growing table', async () => {
    const sqlite = await explained();
    expect(statements.size).toBeGreaterThan(80);
    const faults = [...statements].map((text) => ({ text, faults: faultsOf(sqlite, text) }));
    expect(faults.filter((fault) => fault.faults.length > 0)).toEqual([]);
    expect(EXCEPTIONS.filter((each) => !used.has(each))).toEqual([]);
  });

  test('need every index: without it one of the statements scans or sorts', async () => {
    const sqlite = await explained();
    const names = sqlite.prepare("select name from sqlite_schema where type = 'index' and sql is not null").all();
    expect(names.length).toBeGreaterThan(10);
    const needless: string[] = [];
    for (const { name } of names) {
      sqlite.exec(`begin; drop index ${name}`);
      if ([...statements].every((text) => faultsOf(sqlite, text).length === 0)) needless.push(String(name));
      sqlite.exec('rollback');
    }
    // Without them events are read by the primary key to the limit, and those that a filter does not select are skipped.
    const ofEvents = ['events_critical', 'events_message', 'events_node', 'events_registry', 'events_warning'];
    expect(needless.sort()).toEqual(ofEvents);
  });
});
