import { describe, expect, test } from 'vitest';
import type { NewEvent } from '../../src/core/events/eventStore.ts';
import type { Store } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';

const NODE = '11111111-1111-4111-8111-111111111111';

function add(store: Store, count: number) {
  const content = { kind: 'gap' as const, start: new Date(0), end: new Date(1), message: 'The BMC was away' };
  const event: NewEvent = { nodeUuid: NODE, content, digest: null, repeatedWithin: null };
  return store.addEvents(Array.from({ length: count }, () => event));
}

export function eventHandoverPromises(opened: Opened): void {
  describe('the hand-over of events', () => {
    test('begins after the last event that was stored when it was set up, and nowhere else later', async () => {
      const { store } = opened();
      expect(await store.claimHandover('process-1')).toBeNull();
      const [, , last] = await add(store, 3);
      await store.beginHandover();
      await add(store, 2);
      await store.beginHandover();
      expect(await store.claimHandover('process-1')).toBe(last!.position);
      expect((await (await opened().reopen()).handoverLag()).events).toBe(2);
    });

    test('is done by one conductor, and by another when its lease has ended or it has let go', async () => {
      const { store } = opened();
      await store.beginHandover();
      const first = (await store.claimHandover('process-1'))!;
      expect(await store.claimHandover('process-1')).toBe(first);
      expect(await store.claimHandover('process-2')).toBeNull();
      expect(await store.recordHandover('process-2', first + 9)).toBe(false);
      expect(await store.recordHandover('process-1', first + 5)).toBe(true);
      await store.removeConductor('process-1');
      expect(await store.recordHandover('process-1', first + 6)).toBe(false);
      expect(await store.claimHandover('process-1')).toBeNull();
      expect(await store.claimHandover('process-2')).toBe(first + 5);
      await store.releaseHandover('process-1');
      expect(await store.recordHandover('process-2', first + 7)).toBe(true);
      await store.releaseHandover('process-2');
      expect(await store.recordHandover('process-2', first + 8)).toBe(false);
      expect(await store.claimHandover('process-2')).toBe(first + 7);
    });

    test('tells how many events are left, and since when', async () => {
      const { store } = opened();
      expect(await store.handoverLag()).toEqual({ events: 0, oldest: null });
      await store.beginHandover();
      await store.claimHandover('process-1');
      const [first, second, , last] = await add(store, 4);
      await store.recordHandover('process-1', first!.position);
      expect(await store.handoverLag()).toEqual({ events: 3, oldest: second!.receiveTime });
      await store.recordHandover('process-1', last!.position);
      expect(await store.handoverLag()).toEqual({ events: 0, oldest: null });
    });
  });
}
