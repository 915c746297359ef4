import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client } from 'undici';
import { describe, expect, test } from 'vitest';
import { startFleet } from '../../src/sim/index.ts';
import { CD, call, logIn, SUBSCRIPTIONS, SYSTEM } from './client.ts';
import { selfSigned } from './selfSigned.ts';

describe('a fleet', () => {
  test('each BMC has its own state and shares unchanged documents', async () => {
    await using fleet = await disposable({ count: 3 });
    const [first, second] = fleet.bmcs;
    await call(first!, 'POST', `${CD}/Actions/VirtualMedia.EjectMedia`);
    await call(first!, 'DELETE', `${SUBSCRIPTIONS}/1`);
    const { token } = await logIn(first!);
    first!.faults.add({ kind: 'status', status: 500, match: { path: SYSTEM } });

    expect((await call(second!, 'GET', CD)).json.Inserted).toBe(true);
    expect((await call(second!, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
    expect((await call(second!, 'GET', SYSTEM, { auth: { token } })).status).toBe(401);
    expect((await call(second!, 'GET', SYSTEM)).status).toBe(200);
    expect(first!.documents.get(SYSTEM)).toBe(second!.documents.get(SYSTEM));
  });

  test('reset restores the initial state of a BMC', async () => {
    await using fleet = await disposable({ latency: 1 });
    const bmc = fleet.bmcs[0]!;
    await call(bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: 'https://events.example/x' } });
    await call(bmc, 'POST', `${CD}/Actions/VirtualMedia.EjectMedia`);
    const { token } = await logIn(bmc);
    bmc.faults.add({ kind: 'hang' });
    bmc.setLatency(5000);
    bmc.reset();
    expect([bmc.latency, bmc.requests, bmc.requestCount, bmc.sessions]).toEqual([1, [], 0, []]);
    expect((await call(bmc, 'GET', SYSTEM, { auth: { token } })).status).toBe(401);
    expect((await call(bmc, 'GET', CD)).json.Inserted).toBe(true);
    expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
  });

  test('a test may change a document', async () => {
    await using fleet = await disposable({});
    const bmc = fleet.bmcs[0]!;
    const path = '/redfish/v1/EventService';
    bmc.documents.set(path, { ...bmc.documents.get(path), ServiceEnabled: false });
    expect((await call(bmc, 'GET', path)).json.ServiceEnabled).toBe(false);
  });

  test('rejects when a port is in use, and leaves no BMC running', async () => {
    const { taken, port } = await takenPortAfterFreeOne();
    await expect(startFleet({ count: 2, basePort: port - 1 })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(fetch(`http://127.0.0.1:${port - 1}/redfish`)).rejects.toThrow();
    await new Promise((resolve) => taken.close(resolve));
  });

  test('starts and stops two hundred BMCs', async () => {
    await using fleet = await disposable({ count: 200 });
    expect(new Set(fleet.bmcs.map(({ url }) => url)).size).toBe(200);
    const statuses: number[] = [];
    for (const bmc of fleet.bmcs) statuses.push((await call(bmc, 'GET', '/redfish')).status);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});

describe('the record of requests', () => {
  test('has the connection of each request and no secrets', async () => {
    await using fleet = await disposable({});
    const bmc = fleet.bmcs[0]!;
    const client = new Client(bmc.url);
    for (const path of ['/redfish', '/redfish/v1/']) await (await client.request({ method: 'GET', path })).body.dump();
    const { token } = await logIn(bmc);
    await call(bmc, 'GET', `${SYSTEM}/?a=b`, { auth: { token } });
    await call(bmc, 'GET', SYSTEM, { auth: { basic: 'u:wrong' } });
    await client.close();

    expect(bmc.requests).toMatchObject([
      { method: 'GET', path: '/redfish', status: 200, auth: 'none', connection: 1 },
      { method: 'GET', path: '/redfish/v1/', status: 200, auth: 'none', connection: 1 },
      { method: 'POST', status: 201, auth: 'none', body: { UserName: 'u', Password: '******' } },
      { path: `${SYSTEM}/?a=b`, status: 200, auth: 'session', headers: { 'x-auth-token': '******' } },
      { path: SYSTEM, status: 401, auth: 'basic', headers: { authorization: 'Basic ******' } },
    ]);
    expect(bmc.connections).toBeGreaterThanOrEqual(2);
    expect(JSON.stringify(bmc.requests)).not.toContain(token);
    expect(JSON.stringify(bmc.requests)).not.toContain(btoa('u:wrong'));
  });

  test('keeps the newest requests and counts all', async () => {
    await using fleet = await disposable({ keepRequests: 2 });
    const bmc = fleet.bmcs[0]!;
    for (const path of ['/a', '/b', '/c']) await call(bmc, 'GET', path);
    expect(bmc.requests.map(({ path }) => path)).toEqual(['/b', '/c']);
    expect(bmc.requestCount).toBe(3);
  });
});

test('serves HTTPS with a key and a certificate', async () => {
  const tls = selfSigned();
  await using fleet = await disposable({ tls });
  const bmc = fleet.bmcs[0]!;
  expect(bmc.url).toMatch(/^https:/);
  const sent = tlsRequest(`${bmc.url}/redfish`, { ca: tls.cert, agent: false }).end();
  const [response] = await once(sent, 'response');
  expect(await text(response)).toBe('{"v1":"/redfish/v1/"}');
  expect(bmc.connections).toBe(1);
  expect(bmc.requests).toMatchObject([{ path: '/redfish', connection: 1 }]);

  bmc.faults.add({ kind: 'reset' });
  const cut = tlsRequest(`${bmc.url}/redfish`, { ca: tls.cert, agent: false }).end();
  await expect(once(cut, 'response')).rejects.toMatchObject({ code: 'ECONNRESET' });
});

/** Returns a listener whose port follows a free one. */
async function takenPortAfterFreeOne(): Promise<{ taken: Server; port: number }> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const free = await startFleet({ basePort: port - 1 }).catch(() => null);
    await free?.close();
    if (free) return { taken, port };
    await new Promise((resolve) => taken.close(resolve));
  }
  throw new Error('no two adjacent ports');
}

async function disposable(options: Parameters<typeof startFleet>[0]) {
  const fleet = await startFleet(options);
  return { bmcs: fleet.bmcs, [Symbol.asyncDispose]: () => fleet.close() };
}
