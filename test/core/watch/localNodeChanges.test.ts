import { expect, test } from 'vitest';
import { LocalNodeChanges } from '../../../src/core/watch/localNodeChanges.ts';

const MIB = 1024 * 1024;

const positions = (changes: LocalNodeChanges, after: number) =>
  changes.above(after, 100_000).map(({ position }) => position);

test('nothing is kept before the first watch', () => {
  const changes = new LocalNodeChanges();
  changes.add('a', 'content', {}, MIB);
  changes.reservationChanged('a', null, null);
  expect(changes.bounds()).toMatchObject({ floor: 0, last: 0 });
});

test('the oldest changes are forgotten when all together are too large', () => {
  const changes = new LocalNodeChanges();
  changes.bounds();
  for (let count = 1; count <= 40; count++) changes.add('a', 'content', {}, MIB);
  const { floor, last } = changes.bounds();
  expect(last).toBe(40);
  // 16 MiB, with what each takes beside its content.
  expect(floor).toBe(25);
  expect(positions(changes, floor)).toEqual(Array.from({ length: 15 }, (_, index) => 26 + index));
  expect(positions(changes, 38)).toEqual([39, 40]);
});

test('a change that is larger than all that may be kept is forgotten at once, and those after it are not', () => {
  const changes = new LocalNodeChanges();
  changes.bounds();
  changes.add('a', 'content', {}, 17 * MIB);
  expect(changes.bounds()).toMatchObject({ floor: 1, last: 1 });
  changes.add('a', 'content', {}, 1);
  expect(positions(changes, 1)).toEqual([2]);
});

test('the oldest changes are forgotten when there are too many', () => {
  const changes = new LocalNodeChanges();
  changes.bounds();
  for (let count = 1; count <= 50_000; count++) changes.reservationChanged('a', null, null);
  expect(changes.bounds()).toMatchObject({ floor: 30_000, last: 50_000 });
  expect(positions(changes, 30_000)).toHaveLength(20_000);
  expect(positions(changes, 49_998)).toEqual([49_999, 50_000]);
});
