import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Sent, send } from './client.ts';
import { type Events, type JobEvent, openEvents } from './eventSource.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService();
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);
const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };

/** Reads events to the first of this name. */
async function readTo(events: Events, name: string): Promise<JobEvent[]> {
  const read: JobEvent[] = [];
  while (read.at(-1)?.event !== name) {
    const event = await events.next();
    if (event === null) throw new Error('the stream has ended');
    read.push(event);
  }
  return read;
}

describe('GET /v1/jobs/events', () => {
  test('tells the current jobs, then each change, and resumes after the last event', async () => {
    await rest({ method: 'POST', path: '/v1/nodes/n1/vendor_passthru/shared_work', body: {} });
    const events = openEvents(service.url, '/v1/jobs/events?state=running&node=n1&node=n1');
    const current = await readTo(events, 'current');
    expect(current.map(({ event, job }) => job.state ?? event)).toEqual(['JOB_STATE_RUNNING', 'current']);
    expect(events.headers()['content-type']).toBe('text/event-stream');
    const cursor = current[1]?.id ?? '';
    expect(current[0]).not.toHaveProperty('id');
    await rest({ method: 'POST', path: '/v1/nodes/n1/vendor_passthru/shared_work', body: {} });
    const [begun] = await readTo(events, 'job');
    expect(begun?.job).toMatchObject({ node_name: 'n1', revision: '1' });
    await events.leave();

    for (const [path, headers] of [
      ['/v1/jobs/events', { 'Last-Event-ID': cursor }],
      [`/v1/jobs/events?cursor=${cursor}`, {}],
    ] as const) {
      const resumed = openEvents(service.url, path, headers);
      expect(await resumed.next()).toEqual(begun);
      await resumed.leave();
    }
  });

  test.each([
    ['cursor=x', 'cursor'],
    ['state=x', 'state'],
    ['limit=1', 'limit'],
    ['node=%2F', 'node'],
  ])('refuses ?%s', async (query, field) => {
    const response = await rest({ path: `/v1/jobs/events?${query}` });
    expect(response.status).toBe(400);
    expect(JSON.stringify(response.json)).toContain(field);
  });
});

describe('GET /v1/nodes/events', () => {
  test('tells the current nodes, then each change and removal, without secrets', async () => {
    const events = openEvents(service.url, '/v1/nodes/events?driver=gated');
    const current = await readTo(events, 'current');
    expect(current.map(({ event }) => event)).toEqual([...current.slice(1).map(() => 'node'), 'current']);
    const node = { name: 'new', driver: 'gated', driver_info: { password: 'secret' } };
    await rest({ method: 'POST', path: '/v1/nodes', body: node, headers: VERSION });
    await rest({ method: 'DELETE', path: '/v1/nodes/new', headers: VERSION });
    const told = await readTo(events, 'removed');
    expect(told[0]?.job).toMatchObject({ name: 'new', driver_info: { password: '******' } });
    expect(told.at(-1)?.job).toEqual({ uuid: told[0]?.job.uuid });
    await events.leave();
  });

  test('tells a cursor of another service to reset', async () => {
    const other = await startGatedService();
    const elsewhere = openEvents(other.url, '/v1/nodes/events');
    const cursor = (await readTo(elsewhere, 'current')).at(-1)?.id ?? '';
    await elsewhere.leave();
    await other.close();
    const events = openEvents(service.url, '/v1/nodes/events', { 'Last-Event-ID': cursor });
    const told = await readTo(events, 'current');
    expect(told[0]?.event).toBe('reset');
    await events.leave();
  });
});

test('no node can be named as the route of events', async () => {
  const response = await rest({
    method: 'POST',
    path: '/v1/nodes',
    body: { name: 'events', driver: 'gated' },
    headers: VERSION,
  });
  expect(response.status).toBe(400);
});

test('event streams end when the service stops', async () => {
  const events = openEvents(service.url, '/v1/jobs/events');
  await readTo(events, 'current');
  const ended = events.toEnd();
  await service.close();
  expect(await ended).toEqual([]);
});
