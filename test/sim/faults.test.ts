import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { Fault, Fleet, SimulatedBmc } from '../../src/sim/index.ts';
import { startFleet } from '../../src/sim/index.ts';
import { CD, call, messages, SUBSCRIPTIONS, SYSTEM } from './client.ts';

let fleet: Fleet;
let bmc: SimulatedBmc;
beforeEach(async () => {
  fleet = await startFleet();
  bmc = fleet.bmcs[0]!;
});
afterEach(() => fleet.close());

const eject = `${CD}/Actions/VirtualMedia.EjectMedia`;

describe('a fault', () => {
  test('status replaces the response by a Redfish error with the given headers, and does not perform the request', async () => {
    bmc.faults.add({ kind: 'status', status: 503, headers: { 'Retry-After': '7' } });
    const reply = await call(bmc, 'POST', eject);
    expect([reply.status, messages(reply)]).toEqual([503, ['ServiceTemporarilyUnavailable']]);
    expect(reply.headers.get('Retry-After')).toBe('7');
    expect(reply.json.error.message).toContain('7 seconds');
    bmc.faults.clear();
    expect((await call(bmc, 'GET', CD)).json.Inserted).toBe(true);
  });

  test('status may have its own body, or be one without body', async () => {
    bmc.faults.add({
      kind: 'status',
      status: 418,
      body: 'teapot',
      headers: { 'Content-Type': 'text/plain' },
      times: 1,
    });
    bmc.faults.add({ kind: 'status', status: 204 });
    expect(await call(bmc, 'GET', SYSTEM)).toMatchObject({ status: 418, text: 'teapot' });
    expect(await call(bmc, 'GET', SYSTEM)).toMatchObject({ status: 204, text: '' });
  });

  test('garbage returns 200 with HTML or truncated JSON', async () => {
    bmc.faults.add({ kind: 'garbage', times: 1 });
    bmc.faults.add({ kind: 'garbage', form: 'broken-json', times: 1 });
    const html = await call(bmc, 'GET', SYSTEM);
    const broken = await call(bmc, 'GET', SYSTEM);
    expect([html.status, html.headers.get('Content-Type'), html.text]).toEqual([
      200,
      'text/html',
      expect.stringContaining('<html>'),
    ]);
    expect([broken.status, broken.headers.get('Content-Type'), broken.json]).toEqual([
      200,
      'application/json',
      undefined,
    ]);
  });

  test('reset resets the connection and does not perform the request', async () => {
    bmc.faults.add({ kind: 'reset', times: 1 });
    await expect(call(bmc, 'POST', eject)).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    expect((await call(bmc, 'GET', CD)).json.Inserted).toBe(true);
  });

  test('reset with afterRead performs the request and loses the response', async () => {
    bmc.faults.add({ kind: 'reset', afterRead: true, times: 1 });
    const body = { Destination: 'https://events.example/x' };
    await expect(call(bmc, 'POST', SUBSCRIPTIONS, { body })).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    expect(bmc.requests.at(-1)).toMatchObject({ method: 'POST', status: null, body });
    expect((await call(bmc, 'GET', `${SUBSCRIPTIONS}/5`)).json.Destination).toBe(body.Destination);
  });

  test.each([
    [false, true],
    [true, false],
  ])('hang (afterRead %s) sends no response, and leaves Inserted %s', async (afterRead, left) => {
    bmc.faults.add({ kind: 'hang', afterRead, times: 1 });
    const client = new AbortController();
    const arrived = bmc.nextRequest({ method: 'post' });
    const reply = call(bmc, 'POST', eject, { signal: client.signal });
    const request = await arrived;
    // Other requests get responses meanwhile.
    await expect.poll(async () => (await call(bmc, 'GET', CD)).json.Inserted).toBe(left);
    expect(request.status).toBeNull();
    client.abort();
    await expect(reply).rejects.toThrow('aborted');
  });

  test('delay adds to the latency, and other faults still apply', async () => {
    bmc.setLatency(30);
    bmc.faults.add({ kind: 'delay', ms: 30 });
    bmc.faults.add({ kind: 'status', status: 500 });
    const start = performance.now();
    expect((await call(bmc, 'GET', SYSTEM)).status).toBe(500);
    // In real time, as only a lower bound is checked. A timer may fire a millisecond early.
    expect(performance.now() - start).toBeGreaterThanOrEqual(58);
  });

  test('closing the fleet ends hanging and delayed requests', async () => {
    bmc.faults.add({ kind: 'hang', match: { method: 'POST' } });
    bmc.faults.add({ kind: 'delay', ms: 60_000, match: { method: 'GET' } });
    const waiting = [bmc.nextRequest({ method: 'POST' }), bmc.nextRequest({ method: 'GET' })];
    const replies = Promise.allSettled([call(bmc, 'POST', eject), call(bmc, 'GET', SYSTEM)]);
    await Promise.all(waiting);
    await fleet.close();
    expect((await replies).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

describe('the requests that a fault affects', () => {
  const broken: Fault = { kind: 'status', status: 500 };

  test.each([
    [{ method: 'get' }, [500, 500, 204]],
    [{ path: SYSTEM }, [500, 200, 204]],
    [{ path: `${SYSTEM}/` }, [500, 200, 204]],
    [{ path: '/redfish/v1/*/VirtualMedia/*' }, [200, 500, 500]],
    [{ path: /CD1$/ }, [200, 500, 204]],
    [{ path: /VirtualMedia/g }, [200, 500, 500]],
    [{ method: 'POST', path: `${CD}/*` }, [200, 200, 500]],
    [{ path: '/redfish/v1/Systems/437XR1138R.' }, [200, 200, 204]],
    [{}, [500, 500, 500]],
  ])('%j', async (match, statuses) => {
    bmc.faults.add({ ...broken, match });
    const replies = [await call(bmc, 'GET', SYSTEM), await call(bmc, 'GET', CD), await call(bmc, 'POST', eject)];
    expect(replies.map(({ status }) => status)).toEqual(statuses);
  });

  test('a fault affects the given number of requests and is then removed', async () => {
    bmc.faults.add({ ...broken, times: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await call(bmc, 'GET', SYSTEM)).status);
    expect(statuses).toEqual([500, 500, 200]);
    expect(bmc.faults.list()).toEqual([]);
  });

  test('the first matching fault decides, and later ones are not used up', async () => {
    bmc.faults.add({ kind: 'status', status: 501, times: 1 });
    const second = bmc.faults.add({ kind: 'status', status: 502, times: 1 });
    expect((await call(bmc, 'GET', SYSTEM)).status).toBe(501);
    expect(bmc.faults.list()).toMatchObject([{ id: second, left: 1 }]);
    expect(bmc.faults.remove(second)).toBe(true);
    expect(bmc.faults.remove(second)).toBe(false);
    expect((await call(bmc, 'GET', SYSTEM)).status).toBe(200);
  });

  test('a probability selects about that share of the requests, and the same ones for the same seed', async () => {
    const statusesWith = async (seed: number) => {
      const seeded = await startFleet({ seed });
      const target = seeded.bmcs[0]!;
      target.faults.add({ ...broken, probability: 0.3 });
      const statuses = [];
      for (let i = 0; i < 60; i++) statuses.push((await call(target, 'GET', SYSTEM)).status);
      await seeded.close();
      return statuses;
    };
    const first = await statusesWith(7);
    expect(await statusesWith(7)).toEqual(first);
    expect(await statusesWith(8)).not.toEqual(first);
    const share = first.filter((status) => status === 500).length / first.length;
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.5);
  });

  test.each<Fault>([
    { kind: 'delay', ms: -1 },
    { kind: 'delay', ms: 2 ** 31 },
    { kind: 'status', status: 99 },
    { ...broken, times: 0 },
    { ...broken, probability: 1.5 },
  ])('add throws for %j', (fault) => {
    expect(() => bmc.faults.add(fault)).toThrow(PassthruError);
    expect(bmc.faults.list()).toEqual([]);
  });
});
