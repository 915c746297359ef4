import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lease } from '../../src/core/locks/lease.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { openStore } from '../../src/store/open.ts';
import { basic, htpasswd } from '../auth/users.ts';
import { startObserved } from './observedService.ts';

const CALL = '/v1/nodes/fake-1/vendor_passthru/third_method_sync';
const JOB = '/v1/nodes/fake-1/vendor_passthru/second_method';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-counters-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('counts requests refused by authentication or by the role', async () => {
  const users = join(folder, 'users');
  writeFileSync(users, htpasswd('rita', 'anna'));
  await using observed = await startObserved({
    PASSTHRU_AUTH_TYPE: 'http_basic',
    PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
    PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: users,
    PASSTHRU_AUTH_ROLES: 'rita=reader',
    PASSTHRU_METRICS_LISTEN: '127.0.0.1:0',
  });
  const call = async (headers?: Record<string, string>) => {
    const response = await observed.send('POST', CALL, { bar: 'meow' }, headers);
    await response.arrayBuffer();
    return response.status;
  };
  expect(await call()).toBe(401);
  expect(await call(basic('anna', 'wrong').headers)).toBe(401);
  expect(await call(basic('rita').headers)).toBe(403);
  expect(await call(basic('anna').headers)).toBe(200);
  expect(await observed.metric('passthru_refused_total{kind="unauthenticated"}')).toBe(2);
  expect(await observed.metric('passthru_refused_total{kind="permission_denied"}')).toBe(1);
});

test('counts failed store operations', async () => {
  const file = join(folder, 'store.db');
  await using observed = await startObserved({ PASSTHRU_STORE: `sqlite:${file}` });
  expect(await observed.metric('passthru_store_errors_total')).toBe(0);
  const other = new DatabaseSync(file);
  other.exec('begin immediate');
  // The service waits only briefly for another program's write; an asynchronous call writes its job.
  const startJob = async () => (await observed.send('POST', JOB, { bar: 'meow' })).status;
  const begun = startJob();
  await vi.waitUntil(async () => (await observed.metric('passthru_store_errors_total'))! > 0, { timeout: 10_000 });
  // Not on the node of the job that has begun.
  const refused = await observed.send('POST', '/v1/nodes/fake-1/vendor_passthru/fourth_method_shared_lock', {
    bar: 'woof',
  });
  expect(refused.status).toBe(503);
  expect(await observed.metric('passthru_errors_total{kind="store_unavailable"}')).toBe(1);
  other.exec('rollback');
  other.close();
  expect(await begun).toBe(202);
  await vi.waitUntil(async () => (await startJob()) === 202, { timeout: 10_000, interval: 100 });
});

test('counts lost leases of this process', async () => {
  const metrics = createMetrics();
  const count = async () => /^passthru_leases_lost_total (\d+)$/m.exec(await metrics.render())?.[1];
  const store = { ...(await openStore('sqlite::memory:', { log: silentLogger })), shared: true };
  const lease = new Lease(store, { host: 'h', lease: 500, grace: 0 }, silentLogger, metrics.observer);
  await lease.start();
  expect(await count()).toBe('0');
  // As another process does that considers this one dead.
  await store.removeConductor(lease.current().id);
  await vi.waitUntil(async () => (await count()) === '1', { timeout: 10_000 });
  await lease.stop();
  await store.close();
});
