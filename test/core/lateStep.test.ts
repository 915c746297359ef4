import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { openStore } from '../../src/store/open.ts';
import { type DelayingProxy, startDelayingProxy } from '../store/postgres/delayingProxy.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { nodeCall, operator, startCoreOn, startJob, type TestCore, watchToEnd } from './harness.ts';

let server: PostgresServer;
let proxy: DelayingProxy;
let database: string;
let started: TestCore;

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
beforeEach(start);
afterEach(async () => {
  await started.core.shutdown(0);
  await started.store.close();
  await proxy.close();
});
afterAll(() => server.remove());

/** A core whose store is behind a proxy, with the free nodes n1 and n2. */
async function start(): Promise<void> {
  proxy = await startDelayingProxy(server.port);
  database = await server.createDatabase();
  const url = new URL(server.url(database));
  url.port = String(proxy.port);
  started = await startCoreOn(await openStore(url.href, { log: silentLogger }), 'host-a');
  for (const name of ['n1', 'n2']) await started.core.nodes.create({ name, driver: 'gated' }, operator);
}

async function reserved(): Promise<string> {
  return (await server.query<{ name: string }>(RESERVED, database)).map(({ name }) => name).join(', ');
}

test('a reservation stored after its call had given up is released, and that of a running call is kept', async () => {
  const { core, hardware } = started;
  const running = core.callNodeMethod(nodeCall('exclusive', { node: 'n2' }));
  const { finish } = await hardware.call(0);
  proxy.delay('exclusive');
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'store_unavailable' });
  // When it gets the node again, the process has requested the store to release what it may hold there.
  const wrong = () => core.callNodeMethod(nodeCall('exclusive', { lockWait: 0, arguments: { count: 'x' } }));
  await vi.waitFor(() => expect(wrong()).rejects.toMatchObject({ kind: 'invalid_argument' }), { timeout: 10_000 });
  proxy.deliver();
  await expect.poll(reserved, { timeout: 5000, interval: 5 }).toBe('n1, n2');
  await expect.poll(reserved, { timeout: 20_000 }).toBe('n2');
  finish('kept its own');
  expect(await running).toMatchObject({ result: 'kept its own' });
  const next = core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }));
  (await hardware.call(1)).finish('again');
  expect(await next).toMatchObject({ result: 'again' });
}, 60_000);

test('a job stored after its acceptance was given up fails and does not run', async () => {
  const { core, store, hardware } = started;
  const running = await startJob(core, nodeCall('work', { node: 'n2' }));
  await hardware.call(0);
  const endJob = vi.spyOn(store, 'endJob');
  // Only the acceptance sends the name of the driver.
  proxy.delay('gated');
  // Without a reservation, whose release would keep it from being stored.
  await expect(core.callNodeMethod(nodeCall('shared_work'))).rejects.toMatchObject({ kind: 'store_unavailable' });
  await vi.waitFor(async () => expect(await endJob.mock.results.at(-1)?.value).toBeNull(), { timeout: 10_000 });
  proxy.deliver();
  const { id } = await vi.waitUntil(async () =>
    (await core.jobs.list(JOBS, ANONYMOUS)).items.find(({ id }) => id !== running.id),
  );
  expect((await watchToEnd(core, id)).at(-1)).toMatchObject({ state: 'failed', error: { kind: 'store_unavailable' } });
  expect((await core.nodes.get('n1')).lastError).toMatch(/the method was not run$/);
  await expect.poll(reserved, { timeout: 10_000 }).toBe('n2');
  expect(await core.jobs.get(running.id, ANONYMOUS)).toMatchObject({ state: 'running' });
  expect(hardware.calls).toHaveLength(1);
}, 60_000);

test('a key stored after its call was given up does not block the repeat', async () => {
  const { core, store, hardware } = started;
  proxy.delay('late-key');
  const forget = vi.spyOn(store, 'forgetIdempotent');
  const call = (count: number) =>
    core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'late-key', arguments: { count } }));
  await expect(call(1)).rejects.toMatchObject({ kind: 'store_unavailable' });
  await vi.waitFor(() => Promise.resolve(forget.mock.results.at(-1)?.value), { timeout: 10_000 });
  proxy.deliver();
  await expect.poll(() => server.query('select state from idempotency', database)).toEqual([{ state: 'waiting' }]);
  const repeat = call(2);
  (await hardware.call(0)).finish('once');
  expect(await repeat).toMatchObject({ result: 'once' });
}, 60_000);

const JOBS = { limit: 10, olderThan: null, node: null, driver: null, state: null };

const RESERVED = `select nodes.name from reservations join nodes on nodes.uuid = node_uuid
  where reservations.kind = 'call' order by nodes.name`;
