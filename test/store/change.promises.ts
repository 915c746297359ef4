import { describe, expect, test } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import type { ChangeKind, NodeChange } from '../../src/core/watch/changeStore.ts';
import type { Opened } from './promises.ts';
import { accept, enrol, hold, reserve, sampleEnd, sampleJob, sampleReservation, update } from './samples.ts';

const TIME = new Date('2026-01-02T03:04:08.901Z');
/** Before every change of a test, and after it. */
const EARLIER = new Date(0);
const LATER = new Date('2200-01-01T00:00:00Z');

/** Returns the position before a test's changes. */
async function begin(store: Store, kind: ChangeKind): Promise<number> {
  return (await store.changeBounds(kind)).last;
}

/** Returns all changes of jobs above `after`, as `id/revision state`. */
async function jobsAbove(store: Store, after: number): Promise<string[]> {
  const { last } = await store.changeBounds('job');
  const changes = await store.jobChanges(after, 1000);
  expect(changes.at(-1)?.position ?? after).toBe(last);
  return changes.map(({ job }) =>
    job === null ? 'removed' : `${Number(job.id.slice(-3))}/${job.revision} ${job.state}`,
  );
}

/** Returns all changes of nodes above `after`. */
async function nodesAbove(store: Store, after: number) {
  await store.changeBounds('node');
  return store.nodeChanges(after, 1000);
}

export function changePromises(opened: Opened): void {
  describe('changes of jobs', () => {
    test('are each revision of each job, in order, with the job as it was then', async () => {
      const { store } = opened();
      const after = await begin(store, 'job');
      const first = await accept(store, 1);
      await accept(store, 2);
      await store.recordProgress(first.id, hold(), { fraction: 0.5, message: 'half' });
      await store.endJob(sampleEnd(first, { result: [1] }), hold());
      expect(await jobsAbove(store, after)).toEqual(['1/1 running', '2/1 running', '1/2 running', '1/3 succeeded']);
      const changes = await store.jobChanges(after, 1000);
      expect(changes[2]?.job).toMatchObject({
        progress: { fraction: 0.5, message: 'half' },
        result: null,
        endTime: null,
      });
      expect(changes[3]?.job).toEqual(await store.getJob(first.id));
    });

    test('are read from any position on, a few at a time', async () => {
      const { store } = opened();
      const after = await begin(store, 'job');
      for (let number = 1; number <= 5; number++) await accept(store, number);
      await store.changeBounds('job');
      const all = await store.jobChanges(after, 1000);
      for (let at = 0; at < all.length; at++) {
        expect(await store.jobChanges(all[at]!.position, 1000)).toEqual(all.slice(at + 1));
        expect(await store.jobChanges(all[at]!.position, 2)).toEqual(all.slice(at + 1, at + 3));
      }
    });

    test('include the end of jobs of lost processes', async () => {
      const { store } = opened();
      await accept(store, 1);
      const after = await begin(store, 'job');
      await store.reap({
        all: true,
        orphans: true,
        now: TIME,
        error: sampleEnd(sampleJob(1)).error as never,
        lastError: () => 'lost',
        unknown: {},
      });
      expect(await jobsAbove(store, after)).toEqual(['1/2 failed']);
    });

    test('show a job that was removed as removed', async () => {
      const { store } = opened();
      const after = await begin(store, 'job');
      const job = await accept(store, 1);
      await store.endJob(sampleEnd(job), hold());
      await store.changeBounds('job');
      await store.removeEndedJobs({ endTime: LATER, id: '' }, 10);
      expect(await jobsAbove(store, after)).toEqual(['removed', 'removed']);
    });

    test('tell which jobs have changed since a position, also before the change has one', async () => {
      const { store } = opened();
      const [first, second, third] = [await accept(store, 1), await accept(store, 2), await accept(store, 3)];
      const after = await begin(store, 'job');
      await store.recordProgress(second.id, hold(), { fraction: null, message: 'x' });
      const ids = [first.id, second.id, third.id];
      expect(await store.jobsChangedSince(ids, after)).toEqual(new Set([second.id]));
      await store.changeBounds('job');
      expect(await store.jobsChangedSince(ids, after)).toEqual(new Set([second.id]));
      expect(await store.jobsChangedSince([], after)).toEqual(new Set());
    });

    test('that fail leave no trace', async () => {
      const { store } = opened();
      const after = await begin(store, 'job');
      expect(await store.acceptJob(sampleJob(1), hold(7), null, {})).toBe(true);
      const node = await enrol(store);
      expect(await store.acceptJob(sampleJob(2, { nodeUuid: node.uuid }), hold(7), null, {})).toBe(false);
      await accept(store, 3);
      expect(await jobsAbove(store, after)).toEqual(['1/1 running', '3/1 running']);
    });

    test('are forgotten by age, after which positions before them are below the floor', async () => {
      const { store } = opened();
      const before = await begin(store, 'job');
      for (let number = 1; number <= 5; number++) await accept(store, number);
      const { last } = await store.changeBounds('job');
      while ((await store.removeChanges('job', EARLIER, 1_000_000, 2)) === 2);
      expect((await store.changeBounds('job')).floor).toBeLessThanOrEqual(before);
      while ((await store.removeChanges('job', LATER, 1_000_000, 2)) === 2);
      const bounds = await store.changeBounds('job');
      expect(bounds.floor).toBe(last);
      expect(await store.changeFloor('job')).toBe(last);
      expect(bounds.last).toBe(last);
      await accept(store, 6);
      expect(await jobsAbove(store, last)).toEqual(['6/1 running']);
    });

    test('are forgotten by number, the oldest first', async () => {
      const { store } = opened();
      const before = await begin(store, 'job');
      for (let number = 1; number <= 5; number++) await accept(store, number);
      await store.changeBounds('job');
      const all = await store.jobChanges(before, 10);
      while ((await store.removeChanges('job', EARLIER, 2, 100)) === 100);
      expect((await store.changeBounds('job')).floor).toBe(all[2]?.position);
      expect(await jobsAbove(store, all[2]!.position)).toEqual(['4/1 running', '5/1 running']);
    });

    test('that were forgotten before anybody read them leave every earlier position below the floor', async () => {
      const { store } = opened();
      await accept(store, 1);
      const after = await begin(store, 'job');
      await accept(store, 2);
      while ((await store.removeChanges('job', LATER, 1_000_000, 1)) === 1);
      const { floor, last } = await store.changeBounds('job');
      expect(floor).toBeGreaterThan(after);
      expect(last).toBe(floor);
      await accept(store, 3);
      expect(await jobsAbove(store, last)).toEqual(['3/1 running']);
    });

    test('go on after the store was opened again, above all earlier positions', async () => {
      const { store } = opened();
      const { log } = await store.changeBounds('job');
      await accept(store, 1);
      const after = await begin(store, 'job');
      const reopened = await opened().reopen();
      expect(await reopened.changeBounds('job')).toMatchObject({ log, last: after });
      await reopened.addConductor({ id: 'process-3', host: 'h', lease: 3_600_000, grace: 1 });
      await reopened.acceptJob(sampleJob(2), { owner: 'process-3', fence: null }, null, {});
      expect(await jobsAbove(reopened, after)).toEqual(['2/1 running']);
      // The gap in the positions that a start may leave counts as no changes.
      expect(await reopened.removeChanges('job', EARLIER, 100_000, 100)).toBe(0);
      expect(await jobsAbove(reopened, after)).toEqual(['2/1 running']);
    });
  });

  describe('changes of nodes', () => {
    test('are enrolment, content, last_error and removal, with what was before', async () => {
      const { store } = opened();
      const after = await begin(store, 'node');
      const { uuid } = await enrol(store, { driverInfo: { redfish_password: 'old', redfish_address: 'x' } });
      await update(store, uuid, { description: 'new', driverInfo: { redfish_password: 'new' } }, TIME);
      const job = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(job, { state: 'failed', lastError: 'broken' }), hold());
      const fence = await reserve(store, uuid);
      await store.deleteNode(uuid, fence);
      const changes = (await nodesAbove(store, after)).filter(({ part }) => part !== 'reservation');
      expect(changes).toMatchObject([
        { nodeUuid: uuid, part: 'existence', before: null },
        {
          part: 'content',
          before: {
            description: null,
            driverInfo: { redfish_password: '******', redfish_address: 'x' },
            updateTime: null,
          },
        },
        { part: 'last_error', before: { lastError: null } },
        {
          part: 'existence',
          before: {
            uuid,
            description: 'new',
            lastError: 'broken',
            driverInfo: { redfish_password: '******' },
            updateTime: TIME,
          },
        },
      ]);
      expect(JSON.stringify(changes)).not.toMatch(/"old"|password":"new"/);
    });

    test('are not made by a last_error that stays, nor by what fails', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store, { name: 'taken' });
      const other = await enrol(store);
      const after = await begin(store, 'node');
      await accept(store, 1, { nodeUuid: uuid });
      await store.updateNode(uuid, 999, { description: 'x' }, TIME);
      await store.deleteNode(uuid, 999);
      await store.createNode({ ...other, name: null } as never);
      expect(await update(store, other.uuid, { name: 'taken' }, TIME)).toEqual({ taken: 'name' });
      expect((await nodesAbove(store, after)).filter(({ part }) => part !== 'reservation')).toEqual([]);
    });

    test('of reservations are told with what was before, where the store keeps them', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const after = await begin(store, 'node');
      const fence = await reserve(store, uuid);
      await store.want(uuid, fence);
      const job = sampleJob(1, { nodeUuid: uuid });
      await store.acceptJob(job, hold(fence), null, {});
      await store.endJob(sampleEnd(job), hold(fence));
      const changes = await nodesAbove(store, after);
      if (!store.shared) {
        expect(changes).toEqual([]);
        store.noteReservation(uuid, null, sampleReservation());
        store.noteReservation(uuid, sampleReservation(), null);
        expect(await nodesAbove(store, after)).toMatchObject([
          { part: 'reservation', before: { reservation: null } },
          { part: 'reservation', before: { reservation: sampleReservation() } },
        ]);
        return;
      }
      expect(changes).toMatchObject([
        { part: 'reservation', before: { reservation: null } },
        { part: 'reservation', before: { reservation: sampleReservation() } },
        { part: 'reservation', before: { reservation: sampleReservation({ job: job.id }) } },
      ]);
    });

    test('are followed by the next of each part of their nodes', async () => {
      const { store } = opened();
      const [first, second] = [await enrol(store), await enrol(store)];
      const after = await begin(store, 'node');
      for (const description of ['1', '2', '3']) {
        for (const { uuid } of [first, second]) await update(store, uuid, { description }, TIME);
      }
      const job = await accept(store, 1, { nodeUuid: first.uuid });
      await store.endJob(sampleEnd(job, { state: 'failed', lastError: 'broken' }), hold());
      const all = await nodesAbove(store, after);
      const contents = all.filter(({ nodeUuid, part }) => nodeUuid === first.uuid && part === 'content');
      const next = await store.nextNodeChanges(all.slice(0, all.indexOf(contents[0]!) + 1));
      const ofFirst = (next ?? []).filter(({ nodeUuid, part }) => nodeUuid === first.uuid && part !== 'reservation');
      expect(ofFirst.map(({ part, before }) => ({ part, ...before }))).toMatchObject([
        { part: 'content', description: '1' },
        { part: 'last_error', lastError: null },
      ]);
      expect(await store.nextNodeChanges(all)).toEqual([]);
      expect(await store.nextNodeChanges([])).toEqual([]);
    });

    test('are read, where they are stored, as many at once as take about 2 MiB', async () => {
      const { store } = opened();
      if (!store.shared) return;
      const long = { extra: { long: 'x'.repeat(900_000) } };
      const after = await begin(store, 'node');
      const nodes = [await enrol(store, long), await enrol(store, long), await enrol(store, long)];
      for (const { uuid } of nodes) await update(store, uuid, { extra: {} }, TIME);
      const { last } = await store.changeBounds('node');
      const pages: number[] = [];
      const read: NodeChange[] = [];
      for (let at = after; at < last; at = read.at(-1)?.position ?? last) {
        const changes = await store.nodeChanges(at, 1000);
        expect(changes.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(2_200_000);
        pages.push(changes.length);
        read.push(...changes);
      }
      // Enrolments and reservations take little.
      expect(pages.length).toBe(2);
      const { position } = read.findLast(({ part }) => part === 'content')!;
      expect((await store.nodeChanges(position! - 1, 1000))[0]?.bytes).toBeGreaterThan(900_000);
      // What follows of many nodes is refused when it is too large together, and that of one node never is.
      const enrolments = read.filter(({ part, before }) => part === 'existence' && before === null);
      expect(await store.nextNodeChanges(enrolments)).toBeNull();
      expect((await store.nextNodeChanges(enrolments.slice(0, 1)))?.map(({ part }) => part)).toContain('content');
    });

    test('tell which nodes have changed since a position', async () => {
      const { store } = opened();
      const [first, second] = [await enrol(store), await enrol(store)];
      const after = await begin(store, 'node');
      await update(store, second.uuid, { description: 'x' }, TIME);
      const uuids = [first.uuid, second.uuid];
      expect(await store.nodesChangedSince(uuids, after)).toEqual(new Set([second.uuid]));
      const { last } = await store.changeBounds('node');
      expect(await store.nodesChangedSince(uuids, after)).toEqual(new Set([second.uuid]));
      expect(await store.nodesChangedSince(uuids, last)).toEqual(new Set());
    });

    test('are forgotten by age where they are stored', async () => {
      const { store } = opened();
      const after = await begin(store, 'node');
      await enrol(store);
      if (!store.shared) return;
      const { last } = await store.changeBounds('node');
      while ((await store.removeChanges('node', LATER, 1_000_000, 10)) === 10);
      expect(await store.changeBounds('node')).toMatchObject({ floor: last, last });
      expect(last).toBeGreaterThan(after);
    });
  });

  describe('scans', () => {
    test('return jobs from the oldest on, by every filter', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const first = await accept(store, 1, { nodeUuid: uuid });
      const second = await accept(store, 2, { driver: 'redfish' });
      const third = await accept(store, 3, { requestedBy: 'bob' });
      await store.endJob(sampleEnd(third), hold());
      const scan = async (given: object) =>
        (await store.scanJobs({ after: '', limit: 10, ...given })).map(({ key }) => key);
      expect(await scan({})).toEqual([first.id, second.id, third.id]);
      expect(await scan({ limit: 2 })).toEqual([first.id, second.id]);
      expect(await scan({ after: second.id })).toEqual([third.id]);
      expect(await scan({ nodeUuids: [uuid] })).toEqual([first.id]);
      expect(await scan({ driver: 'redfish' })).toEqual([second.id]);
      expect(await scan({ state: 'running' })).toEqual([first.id, second.id]);
      expect(await scan({ requestedBy: 'bob' })).toEqual([third.id]);
      expect(await store.jobsById([third.id, first.id, sampleJob(9).id])).toEqual([
        await store.getJob(first.id),
        await store.getJob(third.id),
      ]);
      expect(await store.jobsById([])).toEqual([]);
    });

    test('return nodes one after the other, by every filter, although nodes are removed meanwhile', async () => {
      const { store } = opened();
      for (let count = 0; count < 3; count++) await enrol(store);
      const other = await enrol(store, { driver: 'redfish' });
      const scan = async (given: object) =>
        (await store.scanNodes({ after: '', limit: 10, ...given })).map(({ key }) => key);
      const places = (await store.scanNodes({ after: '', limit: 10 })).map(({ place }) => place);
      const all = await scan({});
      expect(all).toHaveLength(4);
      expect(all.at(-1)).toBe(other.uuid);
      expect(await scan({ driver: 'redfish' })).toEqual([other.uuid]);
      expect(await scan({ uuids: [other.uuid] })).toEqual([other.uuid]);
      await store.deleteNode(all[1]!, null);
      expect(await scan({ after: places[1]!, limit: 1 })).toEqual([all[2]]);
      const found = await store.nodesByUuid(all);
      expect(found.map(({ uuid }) => uuid).sort()).toEqual([all[0], all[2], all[3]].sort());
    });
  });
}
