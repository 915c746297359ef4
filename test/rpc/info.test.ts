import { durationMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { InfoService } from '../../gen/passthru/v1/info_pb.ts';
import { startConfiguredService } from '../auth/guardedService.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { startObserved } from '../observe/observedService.ts';

test.each([
  ['ann', 'admin'],
  ['olga', 'operator'],
  ['rita', 'reader'],
])('%s is told their name, and that they are %s', async (name, role) => {
  await using service = await startConfiguredService(
    'auth: { type: http_basic, http_basic_auth_user_file: users, roles: { ann: admin, olga: operator, rita: reader } }',
    { users: htpasswd('ann', 'olga', 'rita') },
  );
  const info = createClient(InfoService, createGrpcTransport({ baseUrl: service.url }));
  const authorization = `Basic ${btoa(`${name}:${passwordOf(name)}`)}`;
  expect(await info.getCaller({}, { headers: { authorization } })).toMatchObject({ name, role });
});

test('without authentication everyone is the one anonymous admin', async () => {
  await using service = await startConfiguredService('auth: { type: none }');
  const info = createClient(InfoService, createConnectTransport({ baseUrl: service.url, httpVersion: '1.1' }));
  expect(await info.getCaller({})).toMatchObject({ name: 'anonymous', role: 'admin' });
});

test('the activity tells the calls, failures, locks and BMC requests of the last hour, and since when', async () => {
  const before = Date.now();
  await using observed = await startObserved({ PASSTHRU_HOST: 'replica-7' });
  const { send, service } = observed;
  const info = createClient(InfoService, createGrpcTransport({ baseUrl: service.url }));
  await send('GET', '/v1/nodes/rf-1/vendor_passthru?method=get_all_subscriptions');
  expect((await send('PUT', '/v1/nodes/fake-1/reservation', { holder: 'h' })).status).toBe(201);
  expect((await send('POST', '/v1/nodes/fake-1/vendor_passthru/third_method_sync', { bar: 'meow' })).status).toBe(409);
  const { host, since, minutes } = await info.getActivity({});
  expect(host).toBe('replica-7');
  const began = Number(since!.seconds) * 1000;
  expect(began).toBeGreaterThanOrEqual(before - 1000);
  expect(began).toBeLessThanOrEqual(Date.now());
  const sum = (key: 'calls' | 'failedCalls' | 'lockConflicts' | 'bmcRequests') =>
    minutes.reduce((total, minute) => total + minute[key], 0);
  expect([sum('calls'), sum('failedCalls'), sum('lockConflicts')]).toEqual([2, 1, 1]);
  expect(minutes.at(-1)!.lockedNodes).toBe(1);
  expect(sum('bmcRequests')).toBeGreaterThan(0);
  for (const { bmcRequests, bmcMean, bmcP95 } of minutes) {
    expect([bmcMean !== undefined, bmcP95 !== undefined]).toEqual([bmcRequests > 0, bmcRequests > 0]);
    if (bmcP95 !== undefined) expect(durationMs(bmcP95)).toBeGreaterThan(0);
  }
});
