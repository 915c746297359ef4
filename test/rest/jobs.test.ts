import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import { type Sent, send } from './client.ts';
import { openEvents } from './eventSource.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService();
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);

/** Starts a job on a node that no other job locks; returns its id. */
async function startJob(node = 'n1', method = 'shared_work'): Promise<string> {
  const response = await rest({ method: 'POST', path: `/v1/nodes/${node}/vendor_passthru/${method}`, body: {} });
  return String(response.headers['passthru-job-id']);
}

test("shows a job in proto3 JSON with the proto's names", async () => {
  const id = await startJob();
  const running = await rest({ path: `/v1/jobs/${id}` });
  expect(running.json).toMatchObject({
    id,
    node_name: 'n1',
    driver: 'gated',
    method: 'shared_work',
    state: 'JOB_STATE_RUNNING',
    revision: '1',
    requested_by: 'anonymous',
  });
  expect(running.json.create_time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  expect(running.json).not.toHaveProperty('end_time');

  const events = openEvents(service.url, `/v1/jobs/${id}/events`);
  (await service.hardware.call(0)).finish({ ejected: ['cd'] });
  await events.toEnd();
  const ended = await rest({ path: `/v1/jobs/${id}` });
  expect(ended.json).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', revision: '2', result: { ejected: ['cd'] } });
});

test("shows the whole error of a failed job, and the node's last_error", async () => {
  const id = await startJob();
  const events = openEvents(service.url, `/v1/jobs/${id}/events`);
  const error = new PassthruError('bmc_failed', 'The BMC is on fire', { bmc: { status: 500, extendedInfo: [] } });
  (await service.hardware.call(0)).fail(error);
  await events.toEnd();
  expect((await rest({ path: `/v1/jobs/${id}` })).json).toMatchObject({
    state: 'JOB_STATE_FAILED',
    error: { reason: 'ERROR_REASON_BMC_FAILED', message: 'The BMC is on fire', bmc: { status: 500 } },
  });
  const { json } = await rest({ path: '/v1/nodes/n1?fields=last_error' });
  expect(json.last_error).toBe('Async execution of shared_work failed with error: The BMC is on fire');
});

test('returns 404 for an unknown job', async () => {
  for (const method of ['GET', 'DELETE']) {
    const response = await rest({ method, path: '/v1/jobs/01890000-0000-7000-8000-000000000000' });
    expect(response).toMatchObject({ status: 404, fault: { faultcode: 'Client' } });
  }
});

describe('the list of jobs', () => {
  test('is newest first and continues with its next link', async () => {
    const ids = [await startJob(), await startJob(), await startJob()].reverse();
    const first = await rest({ path: '/v1/jobs?limit=2' });
    expect(first.json.jobs.map((job: { id: string }) => job.id)).toEqual(ids.slice(0, 2));
    expect(first.json.next).toBe(`${service.url}/v1/jobs?limit=2&marker=${ids[1]}`);
    const second = await rest({ path: first.json.next.slice(service.url.length) });
    expect(second.json.jobs.map((job: { id: string }) => job.id)).toEqual(ids.slice(2));
    expect(second.json).not.toHaveProperty('next');
  });

  test('is filtered by node, driver and state, and the next link keeps the filters', async () => {
    const [one, two, three] = [await startJob('n1'), await startJob('n2'), await startJob('n2')];
    const events = openEvents(service.url, `/v1/jobs/${two}/events`);
    (await service.hardware.call(1)).finish(null);
    await events.toEnd();
    const list = async (query: string) => {
      const { json } = await rest({ path: `/v1/jobs?${query}` });
      return json.jobs.map((job: { id: string }) => job.id);
    };
    expect(await list('node=n1')).toEqual([one]);
    expect(await list('node=n2')).toEqual([three, two]);
    expect(await list('node=n2&state=running')).toEqual([three]);
    expect(await list('state=JOB_STATE_RUNNING')).toEqual([three, one]);
    expect(await list('state=succeeded&driver=gated')).toEqual([two]);
    expect(await list('driver=other')).toEqual([]);
    const { json } = await rest({ path: '/v1/jobs?node=n2&limit=1' });
    expect(json.next).toBe(`${service.url}/v1/jobs?node=n2&limit=1&marker=${three}`);
  });

  test.each(['state=dead', 'limit=0', 'limit=x', 'marker=x', 'colour=red', 'node=a%2Fb'])(
    'refuses %s',
    async (query) => {
      expect((await rest({ path: `/v1/jobs?${query}` })).status).toBe(400);
    },
  );
});

test('DELETE cancels a job and returns it; one that has ended is unchanged', async () => {
  const id = await startJob('n1', 'work');
  const { task } = await service.hardware.call(0);
  const cancelled = await rest({ method: 'DELETE', path: `/v1/jobs/${id}` });
  expect(cancelled).toMatchObject({ status: 200, json: { id, state: 'JOB_STATE_CANCELLED' } });
  expect(task.signal.aborted).toBe(true);
  const again = await rest({ method: 'DELETE', path: `/v1/jobs/${id}` });
  expect(again).toMatchObject({ status: 200, json: cancelled.json });
});

describe('the events of a job', () => {
  test('begin with the current state, include every change and end after the last', async () => {
    const id = await startJob();
    const events = openEvents(service.url, `/v1/jobs/${id}/events`);
    expect(await events.next()).toMatchObject({ event: 'job', id: '1', job: { id, state: 'JOB_STATE_RUNNING' } });
    expect(events.headers()).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const call = await service.hardware.call(0);
    call.task.progress(0.5, 'half');
    expect(await events.next()).toMatchObject({ id: '2', job: { progress: { fraction: 0.5, message: 'half' } } });
    call.finish('done');
    const rest = await events.toEnd();
    expect(rest).toMatchObject([{ id: '3', job: { state: 'JOB_STATE_SUCCEEDED', result: 'done' } }]);
  });

  test('resume after Last-Event-ID, as browsers send it, and after after_revision', async () => {
    const id = await startJob();
    const call = await service.hardware.call(0);
    const first = openEvents(service.url, `/v1/jobs/${id}/events`);
    await first.next();
    call.task.progress(0.1, 'on');
    await first.next();
    call.finish(null);
    await first.toEnd();
    const resumed = openEvents(service.url, `/v1/jobs/${id}/events?after_revision=0`, { 'Last-Event-ID': '1' });
    expect((await resumed.toEnd()).map((event) => event.id)).toEqual(['2', '3']);
    const queried = openEvents(service.url, `/v1/jobs/${id}/events?after_revision=2`);
    expect((await queried.toEnd()).map((event) => event.id)).toEqual(['3']);
  });

  test('return 204 after the last, so that a browser stops reconnecting', async () => {
    const id = await startJob();
    const events = openEvents(service.url, `/v1/jobs/${id}/events`);
    (await service.hardware.call(0)).finish(null);
    const last = (await events.toEnd()).at(-1)?.id ?? '';
    const headers = { 'Last-Event-ID': last };
    expect(await rest({ path: `/v1/jobs/${id}/events`, headers })).toMatchObject({ status: 204, text: '' });
  });

  test('refuse an invalid revision', async () => {
    const id = await startJob();
    for (const after of ['-1', 'x', '1.5']) {
      expect((await rest({ path: `/v1/jobs/${id}/events?after_revision=${after}` })).status).toBe(400);
      const headers = { 'Last-Event-ID': after };
      expect((await rest({ path: `/v1/jobs/${id}/events`, headers })).status).toBe(400);
    }
  });

  test('are kept alive by a comment after 15 idle seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const id = await startJob();
      const response = await new Promise<IncomingMessage>((resolve) =>
        get(`${service.url}/v1/jobs/${id}/events`, resolve),
      );
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      await expect.poll(() => text).toContain('JOB_STATE_RUNNING');
      vi.advanceTimersByTime(14_999);
      vi.advanceTimersByTime(1);
      await expect.poll(() => text).toMatch(/\n\n: keep-alive\n\n$/);
      response.destroy();
    } finally {
      vi.useRealTimers();
    }
  });

  test('leave nothing behind when the client disconnects, and the job continues', async () => {
    const id = await startJob();
    const events = openEvents(service.url, `/v1/jobs/${id}/events`);
    await events.next();
    await events.leave();
    (await service.hardware.call(0)).finish('done');
    const again = openEvents(service.url, `/v1/jobs/${id}/events`);
    expect((await again.toEnd()).at(-1)).toMatchObject({ job: { state: 'JOB_STATE_SUCCEEDED' } });
  });
});
