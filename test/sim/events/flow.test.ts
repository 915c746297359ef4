import { expect, test } from 'vitest';
import { sendEvents, startFleet } from '../../../src/sim/index.ts';
import { bmcWith } from '../quirkedBmc.ts';
import { startReceiver } from './receiver.ts';
import { subscribe } from './subscribe.ts';

test('a flow sends its number of events from all BMCs in turn, with messages of their registries', async () => {
  await using receiver = await startReceiver();
  const fleet = await startFleet({ count: 3 });
  for (const bmc of fleet.bmcs) await subscribe(bmc, receiver.url, { Context: bmc.url });
  expect(await sendEvents(fleet.bmcs, { count: 300, rate: 3000 })).toBe(300);
  await Promise.all(fleet.bmcs.map(({ events }) => events.idle()));
  expect(fleet.bmcs.map(({ events }) => events.acknowledged.length)).toEqual([100, 100, 100]);
  const messageIds = receiver.posts.map(({ json }) => json.Events[0].MessageId);
  expect(new Set(messageIds).size).toBeGreaterThan(5);
  await fleet.close();
});

test('a patient flow waits for a full queue, and loses nothing; any other drops what is over', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await using other = await bmcWith([]);
  for (const { bmc } of [one, other]) await subscribe(bmc, receiver.url);
  await sendEvents([one.bmc], { count: 800, patient: true, event: { severity: 'OK' } });
  await one.bmc.events.idle();
  expect(one.bmc.events.counters).toMatchObject({ made: 800, acknowledged: 800, dropped: 0 });
  await sendEvents([other.bmc], { count: 800 });
  expect(other.bmc.events.counters.dropped).toBeGreaterThanOrEqual(200);
});

test('a signal ends a flow', async () => {
  await using one = await bmcWith([]);
  const ending = new AbortController();
  const flow = sendEvents([one.bmc], { rate: 1000 }, ending.signal);
  await expect.poll(() => one.bmc.events.counters.made).toBeGreaterThan(0);
  ending.abort();
  expect(await flow).toBe(one.bmc.events.counters.made);
});
