import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readEventRecords } from '../../src/core/events/records/readRecords.ts';
import { type Sent, send } from './client.ts';
import { openEvents } from './eventSource.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
let nodeUuid: string;
beforeEach(async () => {
  service = await startGatedService();
  nodeUuid = (await service.core.nodes.get('n1')).uuid;
});
afterEach(() => service.close());

const rest = (sent: Sent) => send(service.url, sent);

async function take(...ids: string[]): Promise<void> {
  for (const id of ids) {
    const record = {
      EventId: id,
      EventTimestamp: '2026-11-30T03:45:28Z',
      MessageId: 'ResourceEvent.1.0.ResourceChanged',
      Message: `Event ${id}`,
      Severity: id.startsWith('c') ? 'Critical' : 'OK',
      OriginOfCondition: '/redfish/v1/Systems/1',
    };
    await service.core.intake.take(nodeUuid, readEventRecords({ Events: [record] }));
  }
}

const idsOf = (events: { bmc_event_id: string }[]) => events.map((event) => event.bmc_event_id);

describe('GET /v1/events', () => {
  test('lists events, newest first, with filters and page by page', async () => {
    await take('1', 'c2', '3', '4', 'c5');
    const list = async (query: string) =>
      (await rest({ path: `/v1/events${query}` })).json as never as {
        events: { bmc_event_id: string }[];
        next?: string;
        cursor?: string;
      };
    const all = await list('');
    expect(idsOf(all.events)).toEqual(['c5', '4', '3', 'c2', '1']);
    expect(all.events[0]).toMatchObject({
      node_uuid: nodeUuid,
      node_name: 'n1',
      kind: 'EVENT_KIND_RECORD',
      bmc_time: '2026-11-30T03:45:28Z',
      message_id: 'ResourceEvent.1.0.ResourceChanged',
      registry: 'ResourceEvent',
      message: 'Event c5',
      severity: 'EVENT_SEVERITY_CRITICAL',
      origin: '/redfish/v1/Systems/1',
    });
    expect(all.events[0]).not.toHaveProperty('raw');
    expect((await list('?raw=true&limit=1')).events[0]).toMatchObject({ raw: { EventId: 'c5' } });
    expect(idsOf((await list('?severity=warning')).events)).toEqual(['c5', 'c2']);
    expect(idsOf((await list('?severity=EVENT_SEVERITY_CRITICAL&node=n1')).events)).toEqual(['c5', 'c2']);
    expect(idsOf((await list('?message=x&message=resourcechanged&origin=/redfish/v1/Systems')).events)).toHaveLength(5);
    expect((await list('?until=2026-01-01T00:00:00Z')).events).toEqual([]);
    expect((await list('?since=2026-01-01T00:00:00%2B01:00&until=2200-01-01T00:00:00Z')).events).toHaveLength(5);
    const first = await list('?limit=2&node=n1&message=ResourceEvent&severity=ok');
    const second = (await rest({ path: first.next!.slice(service.url.length) })).json as never as typeof first;
    expect([idsOf(first.events), idsOf(second.events)]).toEqual([
      ['c5', '4'],
      ['3', 'c2'],
    ]);
    expect([typeof first.cursor, second.cursor]).toEqual(['string', undefined]);
  });

  test.each([
    ['severity=bad', 'severity'],
    ['since=yesterday', 'since'],
    ['marker=x', 'marker'],
    ['limit=0', 'limit'],
    ['state=x', 'state'],
    ['node=%2F', 'node'],
  ])('refuses ?%s', async (query, field) => {
    const response = await rest({ path: `/v1/events?${query}` });
    expect(response.status).toBe(400);
    expect(JSON.stringify(response.json).toLowerCase()).toContain(field);
  });

  test("leaves Ironic's POST as it is", async () => {
    const headers = { 'X-OpenStack-Ironic-API-Version': '1.80' };
    const { status, json } = await rest({ method: 'POST', path: '/v1/events', body: { events: [] }, headers });
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toContain('events of networks');
  });
});

describe('GET /v1/events/stream', () => {
  test('tells each event from now on once, and resumes after the last one or the list', async () => {
    await take('1');
    const { cursor } = (await rest({ path: '/v1/events' })).json as never as { cursor: string };
    const events = openEvents(service.url, '/v1/events/stream?severity=ok');
    expect(await events.next()).toMatchObject({ event: 'current', id: cursor });
    await take('2', 'c3');
    const told = [await events.next(), await events.next()];
    expect(told.map((each) => [each!.event, each!.job.bmc_event_id])).toEqual([
      ['event', '2'],
      ['event', 'c3'],
    ]);
    await events.leave();
    const critical = openEvents(service.url, '/v1/events/stream?severity=critical&raw=1', { 'Last-Event-ID': cursor });
    expect((await critical.next())!.job).toMatchObject({ bmc_event_id: 'c3', raw: { EventId: 'c3' } });
    expect((await critical.next())!.event).toBe('current');
    await critical.leave();
    const resumed = openEvents(service.url, `/v1/events/stream?cursor=${told[0]!.id}`);
    expect((await resumed.next())!.job.bmc_event_id).toBe('c3');
    expect((await resumed.next())!.event).toBe('current');
    await take('4');
    expect((await resumed.next())!.job.bmc_event_id).toBe('4');
    await resumed.leave();
  });

  test('tells what is kept, when a cursor is too old', async () => {
    await take('1');
    const { cursor } = (await rest({ path: '/v1/events' })).json as never as { cursor: string };
    await take('2', '3');
    await service.store.removeChanges('event', new Date(0), 1, 10);
    const events = openEvents(service.url, `/v1/events/stream?cursor=${cursor}`);
    const told = [await events.next(), await events.next(), await events.next()];
    expect(told.map((each) => each!.job.bmc_event_id ?? each!.event)).toEqual(['reset', '3', 'current']);
    await events.leave();
    expect((await rest({ path: '/v1/events/stream?cursor=x' })).status).toBe(400);
  });
});
