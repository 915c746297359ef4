import { describe, expect, test } from 'vitest';
import type { NewTranscript } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { accept, hold, sampleEnd, sampleJob } from './samples.ts';

const time = (second: number) => new Date(1_800_000_000_000 + second * 1000);

/** Returns the transcript of a synchronous call that ended in that second. */
function sample(second: number, given: Partial<NewTranscript> = {}): NewTranscript {
  return { id: sampleJob(second).id, ofJob: false, role: 'operator', endTime: time(second), text: '{}', ...given };
}

export function transcriptPromises(opened: Opened): void {
  describe('transcripts', () => {
    test('returns a transcript as it was kept, also after reopening the store', async () => {
      const text = JSON.stringify({ transcript: 1, said: 'ä\u0000☃"'.repeat(100_000) });
      await opened().store.keepTranscript(sample(1, { text, role: 'admin' }));
      const { id } = sample(1);
      expect(await opened().store.getTranscript(id)).toEqual({ text, role: 'admin' });
      const store = await opened().reopen();
      expect(await store.getTranscript(id)).toEqual({ text, role: 'admin' });
      expect(await store.getTranscript(sample(2).id)).toBeNull();
      expect(await store.getTranscript('../etc')).toBeNull();
    });

    test('removes the transcripts of jobs with their jobs alone', async () => {
      const { store } = opened();
      const numbers = Array.from({ length: 50 }, (_, index) => index + 1);
      for (const number of numbers) {
        const job = await accept(store, number);
        await store.endJob(sampleEnd(job, { endTime: time(number) }), hold());
        await store.keepTranscript(sample(number, { ofJob: true }));
      }
      expect(await store.transcriptAfterNewest(0)).toBeNull();
      expect(await store.removeTranscripts({ endTime: time(99), id: '' }, 99)).toBe(0);
      expect(await store.removeEndedJobs({ endTime: time(46), id: '' }, 99)).toBe(45);
      const kept = await Promise.all(
        numbers.map(async (number) => (await store.getTranscript(sample(number).id)) !== null),
      );
      expect(numbers.filter((_, index) => kept[index])).toEqual([46, 47, 48, 49, 50]);
    });

    test('refuses the transcript of a job that was removed', async () => {
      const { store } = opened();
      await expect(store.keepTranscript(sample(1, { ofJob: true }))).rejects.toThrow();
      expect(await store.getTranscript(sample(1).id)).toBeNull();
    });

    test('removes the transcripts of synchronous calls by age or number, the oldest first', async () => {
      const { store } = opened();
      for (const second of [1, 2, 3, 4, 5]) await store.keepTranscript(sample(second));
      const job = await accept(store, 9);
      await store.endJob(sampleEnd(job, { endTime: time(1) }), hold());
      await store.keepTranscript(sample(9, { ofJob: true, endTime: time(1) }));
      const remaining = async () => {
        const found = await Promise.all(
          [1, 2, 3, 4, 5, 9].map(async (n) => ((await store.getTranscript(sample(n).id)) === null ? [] : [n])),
        );
        return found.flat();
      };
      expect(await store.transcriptAfterNewest(5)).toBeNull();
      expect(await store.transcriptAfterNewest(4)).toEqual({ endTime: time(1), id: sample(1).id });
      expect(await store.transcriptAfterNewest(0)).toEqual({ endTime: time(5), id: sample(5).id });
      expect(await store.removeTranscripts({ endTime: time(3), id: '' }, 1)).toBe(1);
      expect(await remaining()).toEqual([2, 3, 4, 5, 9]);
      expect(await store.removeTranscripts({ endTime: time(3), id: '' }, 9)).toBe(1);
      expect(await remaining()).toEqual([3, 4, 5, 9]);
      expect(await store.removeTranscripts((await store.transcriptAfterNewest(1))!, 9)).toBe(2);
      expect(await remaining()).toEqual([5, 9]);
    });

    test('finds the position after many transcripts', async () => {
      const { store, execute } = opened();
      // Each one more makes the store step once more.
      for (const count of [9_999, 10_000, 10_001, 20_000, 20_001]) {
        await execute(
          `delete from transcripts;
           insert into transcripts (id, role, end_time, document)
             with recursive n (n) as (select 1 union all select n + 1 from n where n <= ${count})
             select n, 'operator', n, '' from n`,
        );
        expect(await store.transcriptAfterNewest(count)).toEqual({ endTime: new Date(1), id: '1' });
        expect(await store.transcriptAfterNewest(count + 1)).toBeNull();
      }
    });
  });
}
