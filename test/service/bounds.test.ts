import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { GatedHardware, nodeCall, operator, watchToEnd } from '../core/harness.ts';
import { send } from '../rest/client.ts';
import { type GatedService, startGatedService } from '../rest/gatedService.ts';

// What a hostile driver or BMC sends, and what callers get of it.

const LONG = 8_000_000;

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService();
});
afterEach(() => service.close());

const transports = () => [
  createConnectTransport({ baseUrl: service.url, httpVersion: '1.1' }),
  createGrpcTransport({ baseUrl: service.url }),
];

/** Runs a job to its end. */
async function runJob(end: (call: Awaited<ReturnType<typeof service.hardware.call>>) => void): Promise<string> {
  const outcome = await service.core.callNodeMethod(nodeCall('work'));
  if (outcome.kind !== 'job') throw new Error('not a job');
  end(await service.hardware.call(service.hardware.calls.length - 1));
  await watchToEnd(service.core, outcome.job.id);
  return outcome.job.id;
}

/** An error of 8 MB in each of its parts, changed after it was made, as a driver in JavaScript can. */
function hugeError(): PassthruError {
  const entry = { Message: 'x'.repeat(LONG), MessageArgs: Array.from({ length: 30_000 }, () => 'y') };
  const error = new PassthruError('bmc_failed', 'short');
  return Object.assign(error, {
    message: `The BMC says ${'x'.repeat(LONG)}`,
    bmc: { status: 400, extendedInfo: Array.from({ length: 30_000 }, () => entry) as unknown as JsonObject[] },
  });
}

test('an error of 8 MB is some KiB of a job, of the node, and of a list, and is marked', async () => {
  const id = await runJob((call) => call.fail(hugeError()));
  const job = await send(service.url, { path: `/v1/jobs/${id}` });
  expect(job.bytes.length).toBeLessThan(64 * 1024);
  expect(job.json).toMatchObject({
    error: { reason: 'ERROR_REASON_BMC_FAILED', truncated: true, bmc: { status: 400 } },
  });
  expect(job.json.error).toHaveProperty('message', expect.stringMatching(/^The BMC says x+…$/));
  const node = await send(service.url, { path: '/v1/nodes/n1' });
  expect(String(node.json.last_error).length).toBeLessThanOrEqual(4096);
  for (const transport of transports()) {
    const { jobs } = await createClient(JobService, transport).listJobs({});
    expect(jobs[0]?.error).toMatchObject({ truncated: true });
  }
});

test('a synchronous call gets an error of 8 MB in some KiB over REST', async () => {
  const sent = send(service.url, { method: 'POST', path: '/v1/nodes/n1/vendor_passthru/exclusive', body: {} });
  (await service.hardware.call(0)).fail(hugeError());
  const response = await sent;
  expect(response.bytes.length).toBeLessThan(96 * 1024);
  expect(response.fault).toMatchObject({ detail: { truncated: true } });
});

test('a progress message of 8 MB is cut, and the secret at its end is masked', async () => {
  const signal = new AbortController().signal;
  await service.core.nodes.update('n1', () => ({ driverInfo: { password: 'hunter2hunter2' } }), operator, signal);
  const id = await runJob((call) => {
    call.task.progress(0.5, 'hunter2hunter2'.repeat(LONG / 14));
    call.finish(null);
  });
  const { progress } = await service.core.jobs.get(id, ANONYMOUS);
  expect(progress?.message.length).toBeLessThanOrEqual(1000);
  expect(progress?.message).not.toContain('hunter');
});

test('a result longer than 2 MiB fails with what happened to it; one below is returned', async () => {
  const result: Json = Array.from({ length: 100 }, () => 'x'.repeat(20_000));
  const kept = await service.core.jobs.get(await runJob((call) => call.finish(result)), ANONYMOUS);
  expect(kept).toMatchObject({ state: 'succeeded', result });
  const long = await service.core.jobs.get(await runJob((call) => call.finish([...result, ...result])), ANONYMOUS);
  expect(long).toMatchObject({ state: 'failed', result: null, error: { kind: 'bmc_failed' } });
  expect(long.error?.message).toMatch(/^work was carried out, but its result is dropped: it is longer than 2 MiB/);
});

test('a list of jobs ends its page before it is too long, and goes on with the next', async () => {
  const ids: string[] = [];
  for (let job = 0; job < 6; job++) ids.unshift(await runJob((call) => call.finish('x'.repeat(900_000))));
  const overRest: string[] = [];
  for (let path: string | undefined = '/v1/jobs?limit=6'; path !== undefined; ) {
    const { json, bytes } = await send(service.url, { path });
    expect(bytes.length).toBeLessThan(2.2 * 1024 * 1024);
    overRest.push(...(json.jobs as { id: string }[]).map(({ id }) => id));
    path = json.next === undefined ? undefined : String(json.next).slice(service.url.length);
    if (path !== undefined) expect(path).toContain('limit=6&');
  }
  expect(overRest).toEqual(ids);
  for (const transport of transports()) {
    const client = createClient(JobService, transport);
    const found: string[] = [];
    let pages = 0;
    let pageToken = '';
    do {
      const page = await client.listJobs({ pageToken });
      pages++;
      found.push(...page.jobs.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(found).toEqual(ids);
    expect(pages).toBe(3);
  }
});

test('a list of nodes ends its page before it is too long, in every order, and goes on with the next', async () => {
  for (let node = 3; node <= 8; node++) {
    const extra = { text: 'x'.repeat(700_000) };
    await service.core.nodes.create({ name: node % 2 ? `n${node}` : undefined, driver: 'gated', extra }, operator);
  }
  for (const sort of ['', '&sort_key=name', '&sort_key=name&sort_dir=desc', '&sort_key=uuid']) {
    const found = new Set<unknown>();
    let pages = 0;
    for (let path: string | undefined = `/v1/nodes?detail=true${sort}`; path !== undefined; pages++) {
      const { json, bytes } = await send(service.url, { path });
      expect(bytes.length).toBeLessThan(2.2 * 1024 * 1024);
      for (const { uuid } of json.nodes as { uuid: string }[]) found.add(uuid);
      path = json.next === undefined ? undefined : String(json.next).slice(service.url.length);
    }
    expect(found.size).toBe(8);
    expect(pages).toBeGreaterThanOrEqual(3);
  }
  for (const transport of transports()) {
    const client = createClient(NodeService, transport);
    const first = await client.listNodes({});
    expect(first.nextPageToken).not.toBe('');
    expect(first.nodes.length).toBeLessThan(8);
  }
});

test('a list of drivers ends its page before it is too long', async () => {
  await service.close();
  const { hardwareType } = new GatedHardware();
  const type = (name: string) => ({ ...hardwareType, name, properties: { p: 'x'.repeat(900_000) } });
  const hardwareTypes = ['gated', 'h1', 'h2', 'h3'].map(type);
  service = await startGatedService({}, { hardwareTypes });
  for (const transport of transports()) {
    const client = createClient(DriverService, transport);
    const first = await client.listDrivers({});
    expect(first.drivers.map(({ name }) => name)).toEqual(['gated', 'h1']);
    const second = await client.listDrivers({ pageToken: first.nextPageToken });
    expect(second.drivers.map(({ name }) => name)).toEqual(['h2', 'h3']);
    expect(second.nextPageToken).toBe('');
  }
});
