import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Control, Fleet } from '../../src/sim/index.ts';
import { startControl, startFleet } from '../../src/sim/index.ts';
import { call, logIn, SUBSCRIPTIONS, SYSTEM } from './client.ts';
import { startReceiver } from './events/receiver.ts';

let fleet: Fleet;
let control: Control;
beforeEach(async () => {
  fleet = await startFleet({ count: 2 });
  control = await startControl(fleet, '127.0.0.1', 0);
});
afterEach(async () => {
  await control.close();
  await fleet.close();
});

/** Sends JSON as `curl -d` does, with curl's default content type. */
async function send(method: string, path: string, body?: unknown) {
  const response = await fetch(`${control.url}${path}`, {
    method,
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  });
  const text = await response.text();
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
}

test('lists the BMCs with their state', async () => {
  await logIn(fleet.bmcs[1]!);
  const { status, json } = await send('GET', '/bmcs');
  expect(status).toBe(200);
  expect(json).toMatchObject([
    { number: 1, url: fleet.bmcs[0]!.url, latency: 0, faults: 0, sessions: 0, requests: 0 },
    { number: 2, url: fleet.bmcs[1]!.url, sessions: 1, requests: 1, connections: 1 },
  ]);
  expect((await send('GET', '/bmcs/2')).json).toEqual(json[1]);
});

test('adds, lists and removes faults of one BMC', async () => {
  const [first, second] = fleet.bmcs;
  const fault = { kind: 'status', status: 503, match: { method: 'GET', path: '/redfish/v1/Systems/*' } };
  expect(await send('POST', '/bmcs/1/faults', fault)).toEqual({ status: 200, json: { id: 1 } });
  expect((await call(first!, 'GET', SYSTEM)).status).toBe(503);
  expect((await call(second!, 'GET', SYSTEM)).status).toBe(200);
  expect((await send('GET', '/bmcs/1/faults')).json).toEqual([{ id: 1, fault, left: null }]);
  expect((await send('DELETE', '/bmcs/1/faults')).status).toBe(204);
  expect((await call(first!, 'GET', SYSTEM)).status).toBe(200);
});

test('sets the latency, expires sessions, lists requests, and resets', async () => {
  const bmc = fleet.bmcs[0]!;
  const { token } = await logIn(bmc);
  expect((await send('PUT', '/bmcs/1/latency', { ms: 5 })).status).toBe(204);
  expect(bmc.latency).toBe(5);
  expect((await send('POST', '/bmcs/1/sessions/expire')).json).toEqual({ expired: 1 });
  expect((await call(bmc, 'GET', SYSTEM, { auth: { token } })).status).toBe(401);
  expect((await send('GET', '/bmcs/1/requests')).json).toMatchObject([{ status: 201 }, { path: SYSTEM, status: 401 }]);
  expect((await send('POST', '/bmcs/1/reset')).status).toBe(204);
  expect([bmc.latency, bmc.requestCount]).toEqual([0, 0]);
});

test.each([
  ['GET', '/bmcs/3', undefined, 404],
  ['GET', '/bmcs/0', undefined, 404],
  ['GET', '/bmcs/x', undefined, 404],
  ['PUT', '/bmcs', undefined, 404],
  ['PUT', '/bmcs/1/latency', { ms: -1 }, 400],
  ['PUT', '/bmcs/1/latency', { ms: 'x' }, 400],
  ['PUT', '/bmcs/1/latency', '{bad', 400],
  ['POST', '/bmcs/1/faults', { kind: 'earthquake' }, 400],
  ['POST', '/bmcs/1/faults', { kind: 'hang', often: true }, 400],
  ['POST', '/bmcs/1/faults', { kind: 'delay', ms: -5 }, 400],
  ['POST', '/bmcs/1/faults', { kind: 'status', status: 503, headers: { 'a b': 'c' } }, 400],
  ['POST', '/bmcs/1/faults', { kind: 'hang', times: 0 }, 400],
])('%s %s %j gets %i with a reason', async (method, path, body, status) => {
  const response = await send(method, path, body);
  expect(response).toEqual({ status, json: { error: expect.stringMatching(/\w/) } });
  expect(fleet.bmcs[0]!.faults.list()).toEqual([]);
});

test('sends an event, and tells what became of it', async () => {
  await using receiver = await startReceiver();
  const [bmc] = fleet.bmcs;
  await call(bmc!, 'POST', SUBSCRIPTIONS, { body: { Destination: receiver.url } });
  expect(await send('POST', '/bmcs/1/events', { severity: 'Critical' })).toEqual({ status: 200, json: { ids: ['1'] } });
  await bmc!.events.idle();
  expect(receiver.posts[0]!.json.Events[0].Severity).toBe('Critical');
  expect((await send('GET', '/bmcs/1/events')).json).toMatchObject({
    made: 1,
    acknowledged: 1,
    waiting: 0,
    streams: 0,
  });
  expect((await send('GET', '/bmcs/1/events/acknowledged')).json).toEqual(['1']);
  expect((await send('POST', '/bmcs/1/events', { colour: 'red' })).status).toBe(400);
});

test('makes all BMCs send a flow of events, tells their sum, and ends flows', async () => {
  await using receiver = await startReceiver();
  for (const bmc of fleet.bmcs) await call(bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: receiver.url } });
  expect((await send('POST', '/events/flow', { count: 20, event: { severity: 'OK' } })).status).toBe(204);
  const { json } = await send('GET', '/events');
  expect(json).toMatchObject({ made: 20 });
  await Promise.all(fleet.bmcs.map(({ events }) => events.idle()));
  expect((await send('GET', '/events')).json).toMatchObject({ made: 20, acknowledged: 20, waiting: 0 });
  expect((await send('POST', '/bmcs/2/events/flow', { rate: 1000 })).status).toBe(204);
  await expect.poll(() => fleet.bmcs[1]!.events.counters.made).toBeGreaterThan(10);
  expect((await send('DELETE', '/events/flow')).status).toBe(204);
  expect(fleet.bmcs[0]!.events.counters.made).toBe(10);
  expect((await send('POST', '/events/flow', { rate: 0 })).status).toBe(400);
});

test('takes a BMC off the network, changes its clock, drops and disables subscriptions, and resets it', async () => {
  const bmc = fleet.bmcs[0]!;
  const create = () => call(bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: 'https://events.example/x' } });
  await create();
  await create();
  expect((await send('POST', '/bmcs/1/subscriptions/disable', { id: '5' })).json).toEqual({ disabled: 1 });
  expect((await send('POST', '/bmcs/1/subscriptions/drop')).json).toEqual({ dropped: 2 });
  expect((await send('PUT', '/bmcs/1/clock', { offset: -5000 })).status).toBe(204);
  expect(bmc.clockOffset).toBe(-5000);
  const report = { values: [{ id: 'Power', value: '1' }] };
  expect((await send('POST', '/bmcs/1/events/report', report)).json).toEqual({ id: '1' });
  expect((await send('PUT', '/bmcs/1/certificate', { key: 'k', cert: 'c' })).status).toBe(400);
  expect((await send('POST', '/bmcs/1/factory-reset')).status).toBe(204);
  expect((await send('POST', '/bmcs/1/leave', { ms: 60_000 })).status).toBe(204);
  await expect(call(bmc, 'GET', SYSTEM)).rejects.toThrow();
});
