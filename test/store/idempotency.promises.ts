import { describe, expect, test } from 'vitest';
import type { IdempotentCall } from '../../src/core/calls/idempotentCall.ts';
import type { Opened } from './promises.ts';
import { hold, sampleJob } from './samples.ts';

const NOW = new Date('2026-01-02T00:00:00Z');
const YESTERDAY = new Date('2026-01-01T00:00:00Z');
const CALL: IdempotentCall = { caller: 'alice', key: 'key-1', fingerprint: 'f1', createTime: NOW };

export function idempotencyPromises(opened: Opened): void {
  describe('idempotency keys', () => {
    const begin = (given: Partial<IdempotentCall> = {}, notBefore = YESTERDAY) =>
      opened().store.beginIdempotent({ ...CALL, ...given }, 'process-1', notBefore);

    test('a second call returns the state of the first', async () => {
      const { store } = opened();
      expect(await begin()).toBeNull();
      expect(await begin({ fingerprint: 'f2' })).toEqual({
        fingerprint: 'f1',
        state: 'waiting',
        owner: 'process-1',
        outcome: null,
      });
      await store.acceptIdempotent('alice', 'key-1', 'process-1');
      expect(await begin()).toMatchObject({ fingerprint: 'f1', state: 'accepted', outcome: null });
      await store.finishIdempotent('alice', 'key-1', { result: [1] });
      expect(await begin()).toMatchObject({ fingerprint: 'f1', state: 'done', outcome: { result: [1] } });
    });

    test('an outcome survives reopening the store', async () => {
      const { store } = opened();
      await begin();
      await store.acceptIdempotent('alice', 'key-1', 'process-1');
      await store.finishIdempotent('alice', 'key-1', { result: null });
      const reopened = await opened().reopen();
      expect(await reopened.beginIdempotent(CALL, 'process-2', YESTERDAY)).toMatchObject({
        state: 'done',
        outcome: { result: null },
      });
    });

    test('a call is identified by its caller and its key', async () => {
      expect(await begin()).toBeNull();
      expect(await begin({ caller: 'bob' })).toBeNull();
      expect(await begin({ key: 'key-2' })).toBeNull();
      expect(await begin({ caller: 'alicekey-', key: '1' })).toBeNull();
      expect(await begin({ key: 'key-1 ' })).toBeNull();
    });

    test('exactly one of many concurrent calls is the first', async () => {
      const begun = await Promise.all(Array.from({ length: 20 }, () => begin()));
      expect(begun.filter((first) => first === null)).toHaveLength(1);
    });

    test('a conductor can forget a call without an outcome, but not one with an outcome', async () => {
      const { store } = opened();
      await begin();
      await store.forgetIdempotent('alice', 'key-1', 'process-2');
      expect(await begin()).toMatchObject({ state: 'waiting' });
      await store.forgetIdempotent('alice', 'key-1', 'process-1');
      expect(await begin({ fingerprint: 'f2' })).toBeNull();
      await store.acceptIdempotent('alice', 'key-1', 'process-1');
      await store.forgetIdempotent('alice', 'key-1', 'process-1');
      expect(await begin({ fingerprint: 'f3' })).toBeNull();
      await store.acceptIdempotent('alice', 'key-1', 'process-1');
      await store.finishIdempotent('alice', 'key-1', {});
      await store.forgetIdempotent('alice', 'key-1', 'process-1');
      expect(await begin()).toMatchObject({ state: 'done', fingerprint: 'f3' });
    });

    test('removes expired calls, the oldest first, up to the limit', async () => {
      const { store } = opened();
      const time = (day: number) => new Date(Date.UTC(2026, 0, day));
      for (const day of [3, 1, 2, 4]) await begin({ key: `k${day}`, createTime: time(day) }, time(1));
      expect(await store.removeIdempotent(time(4), 2)).toBe(2);
      expect(await begin({ key: 'k3', fingerprint: 'x' }, time(1))).toMatchObject({ fingerprint: 'f1' });
      expect(await store.removeIdempotent(time(4), 2)).toBe(1);
      expect(await store.removeIdempotent(time(4), 2)).toBe(0);
      expect(await begin({ key: 'k4', fingerprint: 'x' }, time(1))).toMatchObject({ fingerprint: 'f1' });
    });

    test('the newest time is that of the newest call or the newest ended job, and null without any', async () => {
      const { store } = opened();
      expect(await store.newestTime()).toBeNull();
      await begin({ createTime: YESTERDAY });
      expect(await store.newestTime()).toEqual(YESTERDAY);
      await begin({ key: 'newer' });
      expect(await store.newestTime()).toEqual(NOW);
    });

    test('a call made exactly at notBefore still counts', async () => {
      await begin({ createTime: YESTERDAY });
      expect(await begin({}, YESTERDAY)).toMatchObject({ state: 'waiting' });
      expect(await begin({ fingerprint: 'f2' }, new Date(YESTERDAY.getTime() + 1))).toBeNull();
      expect(await begin()).toMatchObject({ fingerprint: 'f2' });
    });

    test('an accepted job is the final outcome of its call', async () => {
      const { store } = opened();
      await begin();
      await store.acceptIdempotent('alice', 'key-1', 'process-1');
      const job = sampleJob(1);
      await store.acceptJob(job, hold(), CALL, { job: job.id });
      expect(await begin()).toMatchObject({ fingerprint: 'f1', state: 'done', outcome: { job: job.id } });
      await store.acceptIdempotent('alice', 'key-1', 'process-1');
      await store.finishIdempotent('alice', 'key-1', { other: true });
      await store.forgetIdempotent('alice', 'key-1', 'process-1');
      expect(await begin()).toMatchObject({ state: 'done', outcome: { job: job.id } });
    });

    test('only the conductor that began a call can accept it or store a job as its outcome', async () => {
      const { store } = opened();
      await begin();
      expect(await store.acceptIdempotent('alice', 'key-1', 'process-2')).toBe(false);
      expect(await store.acceptJob(sampleJob(1), hold(null, 'process-2'), CALL, { job: 'x' })).toBe(false);
      expect(await store.getJob(sampleJob(1).id)).toBeNull();
      expect(await begin()).toMatchObject({ state: 'waiting', outcome: null });
      expect(await store.acceptIdempotent('alice', 'key-1', 'process-1')).toBe(true);
      expect(await store.acceptIdempotent('alice', 'key-1', 'process-1')).toBe(false);
    });

    test('a job that cannot be stored leaves the call without an outcome', async () => {
      const { store } = opened();
      await store.acceptJob(sampleJob(1), hold(), null, {});
      await begin();
      await expect(store.acceptJob(sampleJob(1), hold(), CALL, { job: 'x' })).rejects.toThrow();
      expect(await begin()).toMatchObject({ state: 'waiting', outcome: null });
    });
  });
}
