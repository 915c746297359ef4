import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeAll(async () => {
  service = await startGatedService();
});
afterAll(() => service.close());

const at = (minor: number, sent: Sent) =>
  send(service.url, { ...sent, headers: { 'X-OpenStack-Ironic-API-Version': `1.${minor}` } });

test('lists the shards with their numbers of nodes, the largest first, and the nodes without one as None', async () => {
  const before = (await at(82, { path: '/v1/shards' })).json.shards;
  expect(before).toEqual([{ name: 'None', count: expect.any(Number) }]);
  for (const [index, shard] of ['b', 'a', 'c', 'c', 'c', 'c'].entries()) {
    const body = { driver: 'gated', name: `sharded-${index}`, shard };
    expect((await at(82, { method: 'POST', path: '/v1/nodes', body })).status).toBe(201);
  }
  const { status, json } = await at(82, { path: '/shards' });
  expect([status, json]).toEqual([
    200,
    {
      shards: [
        { name: 'c', count: 4 },
        { name: 'None', count: before[0].count },
        { name: 'a', count: 1 },
        { name: 'b', count: 1 },
      ],
    },
  ]);
});

test('refuses a shard of its own, other verbs and parameters, and versions before 1.82, as Ironic', async () => {
  expect((await at(82, { path: '/v1/shards/a' })).status).toBe(404);
  expect((await at(82, { method: 'POST', path: '/v1/shards', body: {} })).status).toBe(405);
  expect((await at(81, { path: '/v1/shards' })).status).toBe(404);
  const { status, fault } = await at(82, { path: '/v1/shards?limit=1' });
  expect([status, fault.faultstring]).toEqual([400, 'Unexpected arguments: limit']);
});
