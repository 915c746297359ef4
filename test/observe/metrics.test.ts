import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createMetrics, vendorLabel } from '../../src/observe/metrics.ts';
import { openStore } from '../../src/store/open.ts';
import { htpasswd } from '../auth/users.ts';
import { nodeCall, operator, startCoreOn, startJob } from '../core/harness.ts';
import { type ObservedService, startObserved } from './observedService.ts';

const CALL = '/v1/nodes/fake-1/vendor_passthru/';

let observed: ObservedService;
beforeAll(async () => {
  observed = await startObserved();
});
afterAll(() => observed[Symbol.asyncDispose]());

test('counts calls by driver, method and outcome, and times them', async () => {
  await observed.send('POST', `${CALL}third_method_sync`, { bar: 'meow' });
  await observed.send('POST', `${CALL}third_method_sync`, {});
  await observed.send('POST', `${CALL}third_method_sync`, {});
  const labels = 'driver="fake-hardware",method="third_method_sync"';
  expect(await observed.metric(`passthru_calls_total{${labels},outcome="result"}`)).toBe(1);
  expect(await observed.metric(`passthru_calls_total{${labels},outcome="invalid_argument"}`)).toBe(2);
  expect(await observed.metric(`passthru_call_duration_seconds_count{${labels}}`)).toBe(3);
  expect(await observed.metric('passthru_errors_total{kind="invalid_argument"}')).toBe(2);
});

test('unknown drivers and methods share a label', async () => {
  for (let index = 0; index < 20; index++) {
    await observed.send('POST', `${CALL}made_up_${index}`, {});
    await observed.send('POST', `/v1/drivers/made_up_${index}/vendor_passthru/x`, {});
    await observed.send('POST', `/v1/nodes/made-up-${index}/vendor_passthru/x`, {});
  }
  const text = await (await observed.send('GET', '/metrics')).text();
  expect(text).not.toMatch(/made.up/);
  expect(
    await observed.metric('passthru_calls_total{driver="fake-hardware",method="unknown",outcome="unknown_method"}'),
  ).toBe(20);
  expect(
    await observed.metric('passthru_calls_total{driver="unknown",method="unknown",outcome="driver_not_found"}'),
  ).toBe(20);
  expect(
    await observed.metric('passthru_calls_total{driver="unknown",method="unknown",outcome="node_not_found"}'),
  ).toBe(20);
  expect(text).not.toContain((await observed.service.core.nodes.get('fake-1')).uuid);
});

test('jobs are counted when accepted and when ended', async () => {
  const response = await observed.send('POST', `${CALL}second_method`, { bar: 'kazoo' });
  expect(response.status).toBe(202);
  const labels = 'driver="fake-hardware",method="second_method"';
  expect(await observed.metric(`passthru_jobs_accepted_total{${labels}}`)).toBe(1);
  await vi.waitUntil(
    async () => (await observed.metric(`passthru_jobs_ended_total{${labels},state="succeeded"}`)) === 1,
  );
  expect(await observed.metric(`passthru_job_duration_seconds_count{${labels}}`)).toBe(1);
});

test('locks: a free node counts as no wait, and every refusal is counted', async () => {
  await observed.send('POST', `${CALL}third_method_sync`, { bar: 'meow' });
  expect(await observed.metric('passthru_lock_wait_seconds_count')).toBe(0);
  const { core } = observed.service;
  await core.nodes.lock('fake-1', {
    holder: null,
    lockWait: 0,
    caller: operator,
    signal: new AbortController().signal,
  });
  expect((await observed.send('POST', `${CALL}third_method_sync`, { bar: 'meow' })).status).toBe(409);
  expect(await observed.metric('passthru_lock_conflicts_total')).toBe(1);
  await core.nodes.unlock('fake-1', operator);
});

test('locks: measures every wait that got the node', async () => {
  const metrics = createMetrics();
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const { core, hardware } = await startCoreOn(store, 'host-a', {}, metrics.observer);
  await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const first = core.callNodeMethod(nodeCall('exclusive'));
  const held = await hardware.call(0);
  const second = core.callNodeMethod(nodeCall('exclusive', { lockWait: 20_000 }));
  // A call that does not wait finds the line occupied, so the second call is in it.
  await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
    kind: 'node_locked',
  });
  held.finish(null);
  (await hardware.call(1)).finish(null);
  await Promise.all([first, second]);
  expect(lines(await metrics.render())).toMatchObject({
    passthru_lock_wait_seconds_count: '1',
    passthru_lock_conflicts_total: '1',
  });
  await core.shutdown(0);
  await store.close();
});

test('counts requests to BMCs by vendor, method and class of status, and BMCs that are down', async () => {
  const list = () => observed.send('GET', '/v1/nodes/rf-1/vendor_passthru/get_all_subscriptions');
  expect((await list()).status).toBe(200);
  // The simulated BMC is Contoso's; the first request is made before it has said so.
  expect(await observed.metric('passthru_bmc_requests_total{vendor="unknown",method="GET",status="2xx"}')).toBe(1);
  expect(
    await observed.metric('passthru_bmc_requests_total{vendor="other",method="GET",status="2xx"}'),
  ).toBeGreaterThan(0);
  expect(
    await observed.metric('passthru_bmc_request_duration_seconds_count{vendor="other",method="GET"}'),
  ).toBeGreaterThan(0);
  expect(await observed.metric('passthru_bmcs_down{vendor="other"}')).toBeUndefined();

  await using away = await startObserved();
  const callDownNode = () => away.send('GET', '/v1/nodes/rf-1/vendor_passthru/get_all_subscriptions');
  await away.fleet.close();
  for (let attempt = 0; attempt < 5; attempt++) await callDownNode();
  expect(await away.metric('passthru_bmcs_down{vendor="unknown"}')).toBe(1);
  expect(await away.metric('passthru_bmc_errors_total{vendor="unknown",kind="unreachable"}')).toBeGreaterThanOrEqual(5);
  expect(
    await away.metric('passthru_bmc_requests_total{vendor="unknown",method="GET",status="none"}'),
  ).toBeGreaterThanOrEqual(5);
  expect(await away.metric('passthru_errors_total{kind="bmc_unreachable"}')).toBe(5);
});

test('gauges: running jobs, workers and watch streams', async () => {
  const metrics = createMetrics();
  const store = await openStore('sqlite::memory:', { log: silentLogger, onUnavailable: () => metrics.storeFailed() });
  const { core, hardware } = await startCoreOn(store, 'host-a');
  metrics.setSources({
    load: () => core.load(),
    downBmcs: () => ['Dell Inc.', 'Dell', null],
    eventSources: async () => [{ state: 'degraded', count: 3 }],
    handoverLag: async () => ({ events: 7, oldest: new Date(Date.now() - 5000) }),
  });
  await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const job = await startJob(core, nodeCall('work'));
  const follow = core.jobs.watch(job.id, null, ANONYMOUS, new AbortController().signal);
  await follow.next();
  expect(lines(await metrics.render())).toMatchObject({
    passthru_jobs_running: '1',
    passthru_workers_busy: '1',
    passthru_workers_limit: '4',
    passthru_watch_streams: '1',
    'passthru_bmcs_down{vendor="dell"}': '2',
    'passthru_bmcs_down{vendor="unknown"}': '1',
    'passthru_event_sources{state="degraded"}': '3',
    'passthru_event_sources{state="active"}': '0',
    passthru_webhook_lag_events: '7',
    passthru_webhook_lag_seconds: expect.stringMatching(/^[5-9]\b|^\d\d/),
    passthru_store_errors_total: '0',
  });
  (await hardware.call(0)).finish(null);
  for await (const _ of follow);
  expect(lines(await metrics.render())).toMatchObject({
    passthru_jobs_running: '0',
    passthru_workers_busy: '0',
    passthru_watch_streams: '0',
  });
  await core.shutdown(0);
  await store.close();
});

test('names follow the conventions of Prometheus: base units, _total on counters only, help for each', async () => {
  const text = await createMetrics().render();
  const types = [...text.matchAll(/^# TYPE (passthru_\S+) (\S+)$/gm)].map(([, name = '', type]) => ({ name, type }));
  expect(types.length).toBeGreaterThan(15);
  for (const { name, type } of types) {
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
  }
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
});

test.each([
  ['Dell', 'dell'],
  ['HPE', 'hpe'],
  ['Hewlett Packard Enterprise', 'hpe'],
  ['Supermicro', 'supermicro'],
  ['Super Micro Computer, Inc.', 'supermicro'],
  ['Lenovo', 'lenovo'],
  ['', 'other'],
  ['Contoso', 'other'],
  [null, 'unknown'],
])('the vendor %j has the label %s', (vendor, label) => expect(vendorLabel(vendor)).toBe(label));

describe('metrics.listen', () => {
  test('moves the metrics from the main port to an address without credentials', async () => {
    await using apart = await startObserved({ PASSTHRU_METRICS_LISTEN: '127.0.0.1:0' });
    expect((await apart.send('GET', '/metrics')).status).toBe(404);
    const url = apart.service.metricsUrl!;
    expect(new URL(url).port).not.toBe(new URL(apart.service.url).port);
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('passthru_workers_limit 100');
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(new URL('/v1/nodes', url))).status).toBe(404);
  });

  test.each(['localhost', '127.0.0.1:9385', '[::1]', 'LOCALHOST:1'])(
    'serves loopback under the name %s',
    async (host) => {
      expect((await requestWithHost(host)).status).toBe(200);
    },
  );

  test.each(['evil.example', 'evil.example:9385', '127.0.0.1.evil.example', '192.0.2.1'])(
    'refuses loopback under the name %s, which could be DNS rebinding, and audits it',
    async (host) => {
      for (const path of ['/metrics', '/']) {
        const { status, text, record } = await requestWithHost(host, path);
        expect([status, text]).toEqual([403, expect.stringMatching(/^At a loopback address/)]);
        const way = { request_id: expect.stringMatching(/^req-/), way: 'rest', peer: '127.0.0.1', caller: null };
        expect(record).toMatchObject({ ...way, action: 'read the metrics', outcome: 'permission_denied' });
      }
    },
  );

  test('serves every name at an address that is not loopback', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'passthru-metrics-'));
    writeFileSync(join(folder, 'users'), htpasswd('ann'));
    const environment = {
      PASSTHRU_METRICS_LISTEN: '0.0.0.0:0',
      PASSTHRU_AUTH_TYPE: 'http_basic',
      PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
      PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'),
    };
    expect((await requestWithHost('passthru.example:9385', '/metrics', environment)).status).toBe(200);
    rmSync(folder, { recursive: true });
  });

  test('fails the start when it cannot be bound, and leaves nothing behind', async () => {
    const { host } = new URL(observed.service.url);
    await expect(startObserved({ PASSTHRU_METRICS_LISTEN: host })).rejects.toThrow(
      /metrics\.listen: cannot listen on 127\.0\.0\.1/,
    );
  });
});

/** Returns the response of `metrics.listen` to the Host header `host`, and the last audit record. */
async function requestWithHost(host: string, path = '/metrics', environment: Record<string, string> = {}) {
  await using apart = await startObserved({ PASSTHRU_METRICS_LISTEN: '127.0.0.1:0', ...environment });
  const { port } = new URL(apart.service.metricsUrl!);
  const [response] = await once(request({ port, host: '127.0.0.1', path, headers: { Host: host } }).end(), 'response');
  const text = (await response.setEncoding('utf8').toArray()).join('');
  return { status: response.statusCode, text, record: apart.records.at(-1) };
}

function lines(text: string): Record<string, string> {
  const pairs = text.split('\n').map((line) => /^([^#\s]+(?:\{.*\})?) (\S+)$/.exec(line));
  return Object.fromEntries(pairs.filter((pair) => pair !== null).map(([, name, value]) => [name, value]));
}
