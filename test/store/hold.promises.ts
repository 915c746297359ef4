import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { ErrorRecord } from '../../src/core/errors.ts';
import type { NewReservation, Store } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { enrol, hold, reserve, sampleConductor, sampleEnd, sampleJob, sampleReservation } from './samples.ts';

const HOLD = {
  holder: 'alice-console',
  kind: 'held',
  method: null,
  requestedBy: 'alice',
  reason: 'firmware',
} as const;

/** Holds a node that must be free. Returns the fence. */
function take(store: Store, uuid: string, given: Partial<NewReservation> = {}): Promise<number> {
  return reserve(store, uuid, { ...HOLD, key: 'digest', ...given });
}

/** Tries to take a node for a call within the hold with this key. */
function within(store: Store, uuid: string, key = 'digest', conductor = 'process-1') {
  return store.acquire(uuid, { ...sampleReservation(), key }, conductor);
}

export function holdPromises(opened: Opened): void {
  describe('holds', () => {
    const runOut = (uuid: string) =>
      opened().execute(`update reservations set expires_at = 1 where node_uuid = '${uuid}'`);

    test('shows its reason and when it ends', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const before = Date.now();
      await take(store, uuid, { duration: 60_000 });
      const { reservation } = (await store.getNodeByUuid(uuid))!;
      expect(reservation).toEqual({ ...sampleReservation(HOLD), expireTime: expect.any(Date) });
      const left = reservation!.expireTime!.getTime() - before;
      expect(left).toBeGreaterThanOrEqual(59_999);
      expect(left).toBeLessThan(90_000);
      const { key, overdue, ...found } = (await store.getHold(uuid))!;
      expect([key, overdue]).toEqual(['digest', false]);
      expect(found).toEqual({ reservation, fence: 1 });
    });

    test('a call with its key takes the node, and shows as the hold with the method of the call', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store, { name: 'node-1' });
      await take(store, uuid);
      const shown = { ...sampleReservation(HOLD), method: 'eject_vmedia' };
      expect(await within(store, uuid)).toEqual({ outcome: 'acquired', fence: 2, reservation: shown });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: shown, fence: 2 });
      const locked = { outcome: 'locked', reservation: shown, fence: 2 };
      expect(await within(store, uuid, 'digest', 'process-2')).toEqual(locked);
      expect(await store.acquire(uuid, sampleReservation(), 'process-1')).toEqual(locked);
    });

    test('is back when the call within it is released, and refuses others all along', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid, { duration: 60_000 });
      const { reservation } = (await store.getNodeByUuid(uuid))!;
      await within(store, uuid);
      expect(await store.release(uuid, 1)).toBe(false);
      expect(await store.release(uuid, 2)).toBe(true);
      expect(await store.release(uuid, 2)).toBe(false);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation, fence: 2 });
      expect(await store.acquire(uuid, sampleReservation(), 'process-1')).toMatchObject({ outcome: 'locked' });
      expect(await within(store, uuid)).toMatchObject({ outcome: 'acquired', fence: 3 });
    });

    test('a job within it names itself, and its end leaves the node held', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid);
      await within(store, uuid);
      const job = sampleJob(1, { nodeUuid: uuid });
      expect(await store.acceptJob(job, hold(2), null, {})).toBe(true);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: { kind: 'held', job: job.id } });
      expect(await store.recordProgress(job.id, hold(2), { fraction: 0.5, message: 'half' })).toBe(2);
      expect(await store.endJob(sampleEnd(job), hold(2))).toBe(3);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation(HOLD), fence: 2 });
    });

    test('another key, none, and that of another node take nothing', async () => {
      const { store } = opened();
      const [node, other, free] = [await enrol(store), await enrol(store), await enrol(store)];
      await take(store, node.uuid);
      await take(store, other.uuid, { key: 'digest of other' });
      const ended = { outcome: 'ended' };
      expect(await within(store, node.uuid, 'digest of other')).toEqual(ended);
      expect(await within(store, free.uuid)).toEqual(ended);
      expect(await within(store, 'b9a3b6a8-0000-4000-8000-000000000000')).toEqual({ outcome: 'missing' });
      await reserve(store, free.uuid);
      expect(await within(store, free.uuid)).toEqual(ended);
      expect(await store.getHold(free.uuid)).toBeNull();
      expect(await store.getNodeByUuid(node.uuid)).toMatchObject({ fence: 1 });
    });

    test('a conductor without a lease takes nothing with a key', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid);
      await store.removeConductor('process-2');
      expect(await within(store, uuid, 'digest', 'process-2')).toEqual({ outcome: 'expired' });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ fence: 1 });
    });

    test('ends by the fence that the node has then', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid);
      expect(await store.release(uuid, 1)).toBe(false);
      expect(await store.endHold(uuid, 2)).toBe(false);
      expect(await store.endHold(uuid, 1)).toBe(true);
      expect(await store.endHold(uuid, 1)).toBe(false);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence: 1 });
      expect(await within(store, uuid)).toEqual({ outcome: 'ended' });
      expect(await reserve(store, uuid)).toBe(2);
      expect(await store.endHold(uuid, 2)).toBe(false);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation() });
    });

    test('when it ends during a call, the call keeps the node to its end, and its key takes it no more', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid, { duration: 60_000 });
      await within(store, uuid);
      expect(await store.endHold(uuid, 1)).toBe(false);
      expect(await store.endHold(uuid, 2)).toBe(true);
      expect(await store.getHold(uuid)).toBeNull();
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation(), fence: 2 });
      expect(await within(store, uuid)).toEqual({ outcome: 'ended' });
      expect(await store.acquire(uuid, sampleReservation(), 'process-1')).toMatchObject({ outcome: 'locked' });
      expect(await store.release(uuid, 2)).toBe(true);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null });
      expect(await within(store, uuid)).toEqual({ outcome: 'ended' });
      expect(await reserve(store, uuid)).toBe(3);
      expect(await within(store, uuid)).toEqual({ outcome: 'ended' });
    });

    test('one whose time has run out takes no call and no renewal, and is ended and told', async () => {
      const { store } = opened();
      const [node, busy, other] = [await enrol(store), await enrol(store), await enrol(store)];
      for (const { uuid } of [node, busy, other]) await take(store, uuid, { duration: 60_000 });
      await within(store, busy.uuid);
      expect(await store.endOverdueHolds()).toEqual([]);
      for (const { uuid } of [node, busy]) await runOut(uuid);
      expect(await store.getHold(node.uuid)).toMatchObject({ overdue: true });
      expect(await within(store, node.uuid)).toEqual({ outcome: 'ended' });
      expect(await within(store, busy.uuid)).toEqual({ outcome: 'ended' });
      expect(await store.renewHold(node.uuid, 1, 60_000)).toBeNull();
      expect(await store.acquire(node.uuid, sampleReservation(), 'process-1')).toMatchObject({
        outcome: 'locked',
        overdue: true,
      });
      const ended = await store.endOverdueHolds();
      expect(new Set(ended.map(({ nodeUuid }) => nodeUuid))).toEqual(new Set([node.uuid, busy.uuid]));
      expect(ended[0]).toMatchObject({ reservation: { holder: HOLD.holder, requestedBy: 'alice' } });
      expect(await store.endOverdueHolds()).toEqual([]);
      expect(await store.getNodeByUuid(node.uuid)).toMatchObject({ reservation: null });
      expect(await store.getNodeByUuid(busy.uuid)).toMatchObject({ reservation: sampleReservation() });
      expect(await store.getNodeByUuid(other.uuid)).toMatchObject({ reservation: { kind: 'held' } });
    });

    test('a renewed one lasts from then on, also during a call; without a duration until it is ended', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid, { duration: 60_000 });
      await within(store, uuid);
      expect(await store.renewHold(uuid, 1, 600_000)).toBeNull();
      const renewed = (await store.renewHold(uuid, 2, 600_000))!;
      expect(renewed.expireTime!.getTime()).toBeGreaterThan(Date.now() + 300_000);
      await store.release(uuid, 2);
      expect((await store.getNodeByUuid(uuid))!.reservation).toEqual({ ...renewed, method: null });
      expect(await store.renewHold(uuid, 2, null)).toMatchObject({ expireTime: null });
      expect((await store.getNodeByUuid(uuid))!.reservation).toEqual(sampleReservation(HOLD));
    });

    test('an attempt without a response is undone only among calls with the same key', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid);
      await within(store, uuid);
      expect(await store.listCalls('process-1')).toEqual([{ nodeUuid: uuid, fence: 2, key: 'digest' }]);
      await store.releaseOwn(uuid, 'process-1', null);
      await store.releaseOwn(uuid, 'process-1', 'another');
      await store.releaseOwn(uuid, 'process-2', 'digest');
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: { method: 'eject_vmedia' } });
      // The hold may have ended meanwhile.
      await store.endHold(uuid, 2);
      await store.releaseOwn(uuid, 'process-1', null);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: { method: 'eject_vmedia' } });
      await store.releaseOwn(uuid, 'process-1', 'digest');
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null });
    });

    test('stays when the process that took it or called within it is lost, after whose grace the node is held', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await store.addConductor(sampleConductor({ id: 'short', host: 'host-3', lease: 1, grace: 0 }));
      await take(store, uuid);
      await store.addConductor(sampleConductor({ id: 'leaving', host: 'host-3', lease: 60_000, grace: 200 }));
      expect(await within(store, uuid, 'digest', 'leaving')).toMatchObject({ outcome: 'acquired' });
      await store.removeConductor('leaving');
      const error: ErrorRecord = { kind: 'worker_lost', message: '', violations: [], lock: null, bmc: null };
      const reap = () =>
        store.reap({
          all: false,
          orphans: true,
          now: new Date(),
          error,
          lastError: () => '',
          unknown: { unknown: true },
        });
      await reap();
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: { method: 'eject_vmedia' } });
      await vi.waitUntil(async () => (await reap()).freed[0] === uuid, { interval: 20 });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation(HOLD) });
      expect(await within(store, uuid)).toMatchObject({ outcome: 'acquired', fence: 3 });
    });

    test('survives reopening the store, with its key and its end', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await take(store, uuid, { duration: 60_000 });
      const { reservation } = (await store.getNodeByUuid(uuid))!;
      const reopened = await opened().reopen();
      const { held, fence } = await reopened.openReservations();
      expect(held).toEqual([{ nodeUuid: uuid, reservation, key: 'digest' }]);
      await runOut(uuid);
      expect(await reopened.endOverdueHolds()).toHaveLength(1);
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence });
    });

    test('in any sequence of steps a node has one user at a time: a call with the key only within its hold', async () => {
      const { store } = opened();
      const step = fc.oneof(
        fc.record({ do: fc.constant('call' as const) }),
        fc.record({ do: fc.constant('take' as const), key: fc.constantFrom('a', 'b'), timed: fc.boolean() }),
        { weight: 3, arbitrary: fc.record({ do: fc.constant('within' as const), key: fc.constantFrom('a', 'b') }) },
        {
          weight: 2,
          arbitrary: fc.record({ do: fc.constant('release' as const), by: fc.integer({ min: -1, max: 0 }) }),
        },
        fc.record({ do: fc.constant('endHold' as const), by: fc.integer({ min: -1, max: 0 }) }),
        fc.record({ do: fc.constant('renew' as const) }),
        fc.record({ do: fc.constant('runOut' as const) }),
        fc.record({ do: fc.constant('endOverdue' as const) }),
        fc.record({ do: fc.constant('releaseOwn' as const), key: fc.constantFrom('a', 'b', null) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { uuid } = await enrol(store);
          const model: Model = { fence: 0, hold: null, call: null };
          for (const each of steps) {
            const { fence, hold: held, call } = model;
            const inTime = held !== null && !held.overdue;
            if (each.do === 'call' || each.do === 'take') {
              const acquired =
                each.do === 'call'
                  ? await store.acquire(uuid, sampleReservation(), 'process-1')
                  : await store.acquire(
                      uuid,
                      { ...sampleReservation(HOLD), key: each.key, duration: each.timed ? 600_000 : null },
                      'process-1',
                    );
              expect(acquired.outcome).toBe(held === null && call === null ? 'acquired' : 'locked');
              if (acquired.outcome === 'acquired') {
                model.fence++;
                if (each.do === 'call') model.call = { key: null };
                else model.hold = { key: each.key, timed: each.timed, overdue: false };
              }
            } else if (each.do === 'within') {
              const { outcome } = await within(store, uuid, each.key);
              const fits = inTime && held.key === each.key;
              expect(outcome).toBe(!fits ? 'ended' : call === null ? 'acquired' : 'locked');
              if (outcome === 'acquired') {
                model.fence++;
                model.call = { key: each.key };
              }
            } else if (each.do === 'release') {
              const released = await store.release(uuid, fence + each.by);
              expect(released).toBe(call !== null && each.by === 0);
              if (released) model.call = null;
            } else if (each.do === 'endHold') {
              const ended = await store.endHold(uuid, fence + each.by);
              expect(ended).toBe(held !== null && each.by === 0);
              if (ended) model.hold = null;
            } else if (each.do === 'renew') {
              expect((await store.renewHold(uuid, fence, 600_000)) !== null).toBe(inTime);
              if (inTime) held.timed = true;
            } else if (each.do === 'runOut') {
              if (held?.timed) {
                await runOut(uuid);
                held.overdue = true;
              }
            } else if (each.do === 'endOverdue') {
              const ended = (await store.endOverdueHolds()).some(({ nodeUuid }) => nodeUuid === uuid);
              expect(ended).toBe(held?.overdue ?? false);
              if (ended) model.hold = null;
            } else {
              await store.releaseOwn(uuid, 'process-1', each.key);
              if (call?.key === each.key) model.call = null;
            }
            const { reservation, fence: present } = (await store.getNodeByUuid(uuid))!;
            expect({ fence: present, kind: reservation?.kind, method: reservation?.method }).toEqual(shownBy(model));
          }
        }),
        { numRuns: 60, seed: 20_261_129 },
      );
    }, 120_000);
  });
}

interface Model {
  fence: number;
  hold: { key: string; timed: boolean; overdue: boolean } | null;
  call: { key: string | null } | null;
}

function shownBy({ fence, hold: held, call }: Model) {
  if (held === null && call === null) return { fence, kind: undefined, method: undefined };
  return { fence, kind: held === null ? 'call' : 'held', method: call === null ? null : 'eject_vmedia' };
}
