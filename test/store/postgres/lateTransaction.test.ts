import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ErrorRecord } from '../../../src/core/errors.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { enrol, hold, sampleConductor, sampleJob, sampleReservation } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

afterAll(async () => {
  await server.remove();
});

test('fails a job whose acceptance began in time but committed long after the lease expired, and frees its node', async () => {
  const database = await server.createDatabase();
  const store = await openStore(server.url(database), { log: silentLogger });
  await store.addConductor(sampleConductor({ id: 'late', host: 'host-1', lease: 1500, grace: 0 }));
  await store.addConductor(sampleConductor({ id: 'lost', host: 'host-2', lease: 100, grace: 0 }));
  const { uuid } = await enrol(store);
  const other = await enrol(store);
  const acquired = await store.acquire(uuid, sampleReservation(), 'late');
  const fence = acquired.outcome === 'acquired' ? acquired.fence : 0;
  await store.acquire(other.uuid, sampleReservation(), 'lost');

  // Locks a row that the acceptance writes, so that its transaction stays open as that of a stopped process does.
  const holder = new pg.Client(server.url(database));
  await holder.connect();
  await holder.query(`begin; select from nodes where uuid = '${uuid}' for update`);
  const job = sampleJob(1, { nodeUuid: uuid });
  const accepted = store.acceptJob(job, hold(fence, 'late'), null, {});
  await vi.waitUntil(async () => (await store.listHosts()).length === 0, { interval: 20, timeout: 5000 });
  // It does not delay the others.
  expect(await reap(store)).toEqual({ failed: [], freed: [other.uuid] });
  await holder.query('commit');
  await holder.end();

  expect(await accepted).toBe(true);
  expect(await reap(store)).toMatchObject({ failed: [{ id: job.id, state: 'failed' }], freed: [uuid] });
  expect(await reap(store)).toEqual({ failed: [], freed: [] });
  await store.close();
});

function reap(store: Store) {
  const error: ErrorRecord = { kind: 'worker_lost', message: 'worker lost', violations: [], lock: null, bmc: null };
  return store.reap({ all: false, orphans: true, now: new Date(), error, lastError: () => 'lost', unknown: {} });
}
