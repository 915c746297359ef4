import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { recordOf } from '../../core/events/sourceHarness.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const EVENTS = 50_000;

test('a page by an origin alone looks at a bounded number of events, and the next ones find what is behind', async () => {
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const event = (origin: string) => {
    const content = { ...recordOf('A.1.0.B'), origin };
    return { nodeUuid: NODE, content, digest: null, repeatedWithin: null };
  };
  const [wanted] = await store.addEvents([event('/redfish/v1/Chassis/1/Fans/3')]);
  for (let added = 0; added < EVENTS; added += 5000) {
    await store.addEvents(Array.from({ length: 5000 }, () => event('/redfish/v1/Systems/1')));
  }
  const query = {
    ...{ nodes: null, minSeverity: null, messages: null, origin: '/redfish/v1/Chassis/1' },
    ...{ limit: 100, since: null, until: null, withRaw: false },
  };
  const found: string[] = [];
  let pages = 0;
  for (let before: number | null = null; ; pages++) {
    const { events, next } = await store.listEvents({ ...query, before });
    found.push(...events.map(({ id }) => id));
    if (next === null) break;
    expect((before ?? EVENTS + 2) - next).toBeLessThan(EVENTS / 2);
    before = next;
  }
  expect(found).toEqual([wanted!.id]);
  expect(pages).toBeGreaterThanOrEqual(2);
  await store.close();
});
