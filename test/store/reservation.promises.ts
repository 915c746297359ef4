import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Opened } from './promises.ts';
import { enrol, reserve, sampleReservation } from './samples.ts';

export function reservationPromises(opened: Opened): void {
  describe('reservations', () => {
    test('reserves a free node, shows the reservation, and releases it', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store, { name: 'node-1' });
      const reservation = sampleReservation();
      expect(await store.acquire(uuid, reservation, 'process-1')).toEqual({
        outcome: 'acquired',
        fence: 1,
        reservation,
      });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation, fence: 1 });
      expect(await store.getNodeByName('node-1')).toMatchObject({ reservation, fence: 1 });
      expect(await store.release(uuid, 1)).toBe(true);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence: 1 });
      expect(await store.acquire(uuid, reservation, 'process-1')).toEqual({
        outcome: 'acquired',
        fence: 2,
        reservation,
      });
    });

    test('counts the reserved nodes, held or for a call', async () => {
      const { store } = opened();
      const before = await store.countReserved();
      const nodes = [await enrol(store), await enrol(store), await enrol(store)];
      const fence = await reserve(store, nodes[0]!.uuid);
      await reserve(store, nodes[1]!.uuid, { kind: 'held' });
      expect(await store.countReserved()).toBe(before + 2);
      await store.release(nodes[0]!.uuid, fence);
      expect(await store.countReserved()).toBe(before + 1);
    });

    test('a second attempt returns the present reservation', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await reserve(store, uuid);
      const second = await store.acquire(uuid, sampleReservation({ holder: 'host-2' }), 'process-2');
      expect(second).toEqual({ outcome: 'locked', reservation: sampleReservation(), fence: 1 });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ fence: 1 });
    });

    test('returns missing for an unknown node', async () => {
      const { store } = opened();
      const uuid = 'b9a3b6a8-0000-4000-8000-000000000000';
      expect(await store.acquire(uuid, sampleReservation(), 'process-1')).toEqual({ outcome: 'missing' });
      expect(await store.acquire(uuid, sampleReservation({ kind: 'held' }), 'process-1')).toEqual({
        outcome: 'missing',
      });
      expect(await store.release(uuid, 0)).toBe(false);
    });

    test('only the present fence releases a reservation', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      expect(await store.release(uuid, 0)).toBe(false);
      const old = await reserve(store, uuid);
      await store.release(uuid, old);
      const present = await reserve(store, uuid);
      expect(await store.release(uuid, old)).toBe(false);
      expect(await store.release(uuid, present + 1)).toBe(false);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation() });
      expect(await store.release(uuid, present)).toBe(true);
      expect(await store.release(uuid, present)).toBe(false);
    });

    test('exactly one of many concurrent attempts gets the node, the others get its reservation', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const attempts = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.acquire(uuid, sampleReservation({ holder: `host-${index}` }), 'process-1'),
        ),
      );
      const winner = attempts.findIndex((attempt) => attempt.outcome === 'acquired');
      const locked = attempts.filter(
        (attempt) => attempt.outcome === 'locked' && attempt.reservation.holder === `host-${winner}`,
      );
      expect(locked).toHaveLength(49);
    });

    test('want reports whether the reservation is still present', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      expect(await store.want(uuid, 0)).toBe(false);
      const fence = await reserve(store, uuid);
      expect(await store.want(uuid, fence)).toBe(true);
      expect(await store.want(uuid, fence)).toBe(true);
      expect(await store.want(uuid, fence + 1)).toBe(false);
      await store.release(uuid, fence);
      expect(await store.want(uuid, fence)).toBe(false);
    });

    test('releaseOwn releases a call of the conductor alone, and no held reservation', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await store.releaseOwn(uuid, 'process-1', null);
      await reserve(store, uuid);
      await store.releaseOwn(uuid, 'process-2', null);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation() });
      await store.releaseOwn(uuid, 'process-1', null);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence: 1 });
      await reserve(store, uuid, { kind: 'held', method: null });
      await store.releaseOwn(uuid, 'process-1', null);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: { kind: 'held' } });
    });

    test('lists the calls of a conductor alone, with their fences', async () => {
      const { store } = opened();
      const [called, again, held, others] = [
        await enrol(store),
        await enrol(store),
        await enrol(store),
        await enrol(store),
      ];
      await store.release(again.uuid, await reserve(store, again.uuid));
      await reserve(store, again.uuid);
      await reserve(store, called.uuid);
      await reserve(store, held.uuid, { kind: 'held', method: null });
      await store.acquire(others.uuid, sampleReservation(), 'process-2');
      const calls = await store.listCalls('process-1');
      expect(new Map(calls.map(({ nodeUuid, fence }) => [nodeUuid, fence]))).toEqual(
        new Map([
          [called.uuid, 1],
          [again.uuid, 2],
        ]),
      );
      expect(await store.listCalls('process-3')).toEqual([]);
    });

    test('reserving one node leaves the others free', async () => {
      const { store } = opened();
      const first = await enrol(store);
      const second = await enrol(store);
      await reserve(store, first.uuid);
      expect(await reserve(store, second.uuid)).toBe(1);
    });

    test('a held reservation and the fence survive reopening the store', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await store.release(uuid, await reserve(store, uuid));
      await reserve(store, uuid, { kind: 'held', method: null });
      const reopened = await opened().reopen();
      const reservation = sampleReservation({ kind: 'held', method: null });
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ reservation, fence: 2 });
      expect(await reopened.endHold(uuid, 2)).toBe(true);
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence: 2 });
    });

    test('opening the reservations returns the held ones, and a fence above all earlier ones', async () => {
      const { store } = opened();
      const [free, held] = [await enrol(store), await enrol(store)];
      await store.release(free.uuid, await reserve(store, free.uuid));
      const reservation = sampleReservation({ kind: 'held', method: null });
      await reserve(store, held.uuid, reservation);
      const first = await store.openReservations();
      expect(first).toEqual({ fence: expect.any(Number), held: [{ nodeUuid: held.uuid, reservation, key: null }] });
      for (const { uuid } of [free, held])
        expect(await store.getNodeByUuid(uuid)).toMatchObject({ fence: first.fence });
      expect(await store.endHold(held.uuid, first.fence)).toBe(true);
      const second = await store.openReservations();
      expect(second.held).toEqual([]);
      // The previous process may have given billions of fences to one node.
      expect(second.fence).toBeGreaterThan(first.fence + 2 ** 31);
    });

    test('in any sequence of attempts a node has one holder at a time, with increasing fences', async () => {
      const { store } = opened();
      const step = fc.oneof(
        fc.record({ acquire: fc.constantFrom('call' as const, 'held' as const) }),
        fc.record({ release: fc.integer({ min: -1, max: 1 }), as: fc.constantFrom('call' as const, 'held' as const) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const { uuid } = await enrol(store);
          const model = { fence: 0, reserved: false };
          let kind: 'call' | 'held' = 'call';
          for (const step of steps) {
            if ('acquire' in step) {
              const acquired = await store.acquire(uuid, sampleReservation({ kind: step.acquire }), 'process-1');
              expect(acquired.outcome).toBe(model.reserved ? 'locked' : 'acquired');
              if (acquired.outcome === 'acquired') expect(acquired.fence).toBe(++model.fence);
              if (!model.reserved) kind = step.acquire;
              model.reserved = true;
            } else {
              const end = step.as === 'call' ? store.release : store.endHold;
              const released = await end(uuid, model.fence + step.release);
              expect(released).toBe(model.reserved && kind === step.as && step.release === 0);
              if (released) model.reserved = false;
            }
            const node = await store.getNodeByUuid(uuid);
            expect({ fence: node!.fence, reserved: node!.reservation !== null }).toEqual(model);
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}
