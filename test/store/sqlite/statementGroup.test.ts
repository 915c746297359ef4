import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import { statementGroup } from '../../../src/store/sqlite/statementGroup.ts';

let sqlite: DatabaseSync;
/** What was done to the connection as a whole. */
let steps: string[];
/** What waits for the connection, while somebody has it. */
let waiting: (() => void)[] | null;
let write: (sql: string) => Promise<unknown[]>;

beforeEach(() => {
  sqlite = new DatabaseSync(':memory:');
  sqlite.exec('create table numbers (number integer primary key) strict');
  steps = [];
  waiting = null;
  const step = (sql: string) => {
    steps.push(sql);
    sqlite.exec(sql);
  };
  write = statementGroup<string>({
    whenFree: (work) => void (waiting === null ? work() : waiting.push(work)),
    begin: () => step('begin immediate'),
    commit: () => step('commit'),
    rollback: () => step('rollback'),
    run: (sql) => sqlite.prepare(sql).all(),
  });
});

const insert = (number: number) => write(`insert into numbers values (${number}) returning number`);
const numbers = () => sqlite.prepare('select number from numbers order by number').all();

test('what comes within one turn is committed together, and each gets its own rows', async () => {
  const all = [insert(1), insert(2), insert(3)];
  expect(numbers()).toEqual([]);
  expect(await Promise.all(all)).toEqual([[{ number: 1 }], [{ number: 2 }], [{ number: 3 }]]);
  expect(steps).toEqual(['begin immediate', 'commit']);
});

test('a statement sees what was written by those before it in its group', async () => {
  const [, counted] = await Promise.all([insert(1), write('update numbers set number = number + 1 returning number')]);
  expect(counted).toEqual([{ number: 2 }]);
});

test('one that is alone in its turn needs no transaction', async () => {
  expect(await insert(1)).toEqual([{ number: 1 }]);
  expect(steps).toEqual([]);
});

test('one that fails fails alone: the others of its group are written, once', async () => {
  const outcomes = await Promise.allSettled([insert(1), insert(1), insert(2)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(numbers()).toEqual([{ number: 1 }, { number: 2 }]);
  expect(steps).toEqual(['begin immediate', 'rollback']);
});

test('a group that cannot begin fails whole, without a try for each: each would wait for the file as long', async () => {
  sqlite.exec('begin');
  const outcomes = await Promise.allSettled([insert(1), insert(2)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(numbers()).toEqual([]);
  expect(steps).toEqual(['begin immediate']);
});

test('a group waits while somebody has the connection, and what comes meanwhile goes with it or after it', async () => {
  waiting = [];
  const first = insert(1);
  await new Promise(setImmediate);
  expect(waiting).toHaveLength(1);
  expect(numbers()).toEqual([]);
  const second = insert(2);
  waiting[0]?.();
  expect(await Promise.all([first, second])).toEqual([[{ number: 1 }], [{ number: 2 }]]);
});
