import { describe, expect, test } from 'vitest';
import type { EventsWork } from '../../../src/core/events/sources/eventsWork.ts';
import { SourceSenders } from '../../../src/core/events/sources/sourceSenders.ts';
import { newSourceToken, sourceTokenDigest } from '../../../src/core/events/sources/sourceToken.ts';
import type { NodeManager } from '../../../src/core/nodeManager.ts';
import type { Store } from '../../../src/core/store.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const SENDER = { nodeUuid: NODE, bmcHost: 'bmc.example' };

/** Senders of a store with one source, whose readings a test counts, and may hold. */
function senders() {
  const token = newSourceToken();
  const stored = { reads: 0, isThere: true, held: Promise.resolve(), now: 0 };
  const store = {
    async findEventSource(digest: string) {
      stored.reads++;
      const found =
        stored.isThere && digest === sourceTokenDigest(token) ? { nodeUuid: NODE, digests: [digest] } : null;
      await stored.held;
      return found;
    },
  } as unknown as Store;
  const nodes = { get: async (uuid: string) => ({ uuid }) } as unknown as NodeManager;
  const work = { interfaceOf: () => ({ address: () => 'https://bmc.example' }) } as unknown as EventsWork;
  return { token, stored, senders: new SourceSenders(store, nodes, work, () => stored.now) };
}

/** Lets what is read arrive. */
const read = () => new Promise(setImmediate);

describe('the senders of posts', () => {
  test('are known once they were found, for as long as they post', async () => {
    const { token, stored, senders: all } = senders();
    expect(all.findKnown(token)).toBeNull();
    expect(await all.find(token)).toEqual(SENDER);
    for (let posts = 0; posts < 100; posts++) {
      stored.now += 1000;
      expect(all.findKnown(token)).toEqual(SENDER);
      await read();
    }
    // Each 3 seconds, and not for each post.
    expect(stored.reads).toBeLessThan(40);
    stored.now += 5000;
    expect(all.findKnown(token)).toBeNull();
  });

  test('are read once by posts that begin together', async () => {
    const { token, stored, senders: all } = senders();
    expect(await Promise.all(Array.from({ length: 100 }, () => all.find(token)))).toEqual(Array(100).fill(SENDER));
    expect(stored.reads).toBe(1);
    stored.now += 3000;
    for (let posts = 0; posts < 100; posts++) expect(all.findKnown(token)).toEqual(SENDER);
    expect(stored.reads).toBe(2);
  });

  test('are not known any more when another replica has removed them', async () => {
    const { token, stored, senders: all } = senders();
    await all.find(token);
    stored.isThere = false;
    stored.now += 3000;
    all.findKnown(token);
    await read();
    expect(all.findKnown(token)).toBeNull();
    expect(await all.find(token)).toBeNull();
  });

  test('that change while they are read are read again', async () => {
    const { token, stored, senders: all } = senders();
    const { promise, resolve } = Promise.withResolvers<void>();
    stored.held = promise;
    const before = all.find(token);
    stored.isThere = false;
    all.forget(NODE);
    const after = all.find(token);
    resolve();
    expect(await before).toEqual(SENDER);
    expect(await after).toBeNull();
    expect(all.findKnown(token)).toBeNull();
  });
});
