import { expect, test } from 'vitest';
import { startControl, startFleet } from '../../src/sim/index.ts';
import { call, logIn, SUBSCRIPTIONS, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const ROOT = '/redfish/v1/';
const RESET = '/redfish/v1/Managers/BMC/Actions/Manager.Reset';

test('a restart ends sessions, and refuses connections until the BMC listens on the same port again', async () => {
  await using one = await bmcWith([]);
  const { bmc } = one;
  const { token } = await logIn(bmc);
  const booted = bmc.restart({ bootTime: 100 });
  expect(bmc.restart()).toBe(booted);
  await expect(call(bmc, 'GET', ROOT)).rejects.toMatchObject({
    cause: { code: expect.stringMatching(/^ECONN(REFUSED|RESET)$/) },
  });
  await booted;
  expect((await call(bmc, 'GET', SYSTEM, { auth: { token } })).status).toBe(401);
  expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
});

test('Manager.Reset gets its response before the BMC restarts', async () => {
  await using one = await bmcWith(['subscriptions-lost-at-restart'], { bootTime: 50 });
  const { bmc } = one;
  expect((await call(bmc, 'POST', RESET, { body: { ResetType: 'ForceRestart' } })).status).toBe(204);
  await bmc.restart();
  expect((await call(bmc, 'GET', SUBSCRIPTIONS)).json.Members).toEqual([]);
});

test('the service root has the same ETag, another ETag, or another UUID after a restart', async () => {
  await using one = await bmcWith([]);
  const root = async () => {
    const { headers, json } = await call(one.bmc, 'GET', ROOT);
    return { etag: headers.get('ETag'), uuid: json.UUID };
  };
  const first = await root();
  await one.bmc.restart();
  expect(await root()).toEqual(first);
  await one.bmc.restart({ serviceRoot: 'etag' });
  const second = await root();
  expect([second.uuid === first.uuid, second.etag === first.etag]).toEqual([true, false]);
  await one.bmc.restart({ serviceRoot: 'uuid' });
  const third = await root();
  expect([third.uuid === first.uuid, third.etag === second.etag]).toEqual([false, false]);
});

test('a BMC that is closed while it boots stays closed', async () => {
  const fleet = await startFleet();
  const booting = fleet.bmcs[0]!.restart({ bootTime: 60_000 });
  await fleet.close();
  await booting;
  await expect(call(fleet.bmcs[0]!, 'GET', ROOT)).rejects.toThrow();
});

test('the control API restarts a BMC and makes deliveries fail', async () => {
  await using one = await bmcWith(['failed-delivery-deletes']);
  const control = await startControl({ bmcs: [one.bmc], close: async () => {} }, '127.0.0.1', 0);
  const post = async (path: string, body?: unknown) => {
    const response = await fetch(`${control.url}/bmcs/1${path}`, {
      method: 'POST',
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
  expect(JSON.parse((await post('/subscriptions/fail', { id: '2' })).text)).toEqual({ failed: 1 });
  expect(JSON.parse((await post('/subscriptions/fail')).text)).toEqual({ failed: 3 });
  await logIn(one.bmc);
  expect((await post('/restart', { serviceRoot: 'uuid' })).status).toBe(204);
  expect(one.bmc.sessions).toEqual([]);
  expect((await post('/restart', { bootTime: -1 })).status).toBe(400);
  await control.close();
});
