import { Agent, fetch as request } from 'undici';
import { expect, test } from 'vitest';
import { call, logIn, SUBSCRIPTIONS, SYSTEM } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';
import { selfSigned } from '../selfSigned.ts';
import { startReceiver } from './receiver.ts';
import { subscribe } from './subscribe.ts';

test('a BMC that is away refuses connections, keeps its state, and sends what waited when it is back', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  const { bmc } = one;
  await subscribe(bmc, receiver.url);
  const { token } = await logIn(bmc);
  const back = bmc.leave(50);
  expect(bmc.leave(50)).toBe(back);
  let isBack = false;
  void back.then(() => {
    isBack = true;
  });
  const arrivals: boolean[] = [];
  receiver.respond = (_post, response) => {
    arrivals.push(isBack);
    response.writeHead(200).end();
  };
  const [id] = bmc.events.send();
  await expect(call(bmc, 'GET', SYSTEM)).rejects.toThrow();
  await back;
  await bmc.events.idle();
  expect([bmc.events.acknowledged, arrivals]).toEqual([[id], [true]]);
  expect((await call(bmc, 'GET', SYSTEM, { auth: { token } })).status).toBe(200);
});

test('a wrong clock shows in events and in the Date of responses', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url);
  const hour = 3_600_000;
  one.bmc.setClockOffset(-24 * hour);
  one.bmc.events.send();
  await one.bmc.events.idle();
  const date = (await call(one.bmc, 'GET', SYSTEM)).headers.get('Date')!;
  for (const time of [receiver.posts[0]!.json.Events[0].EventTimestamp, date]) {
    expect(Math.abs(Date.parse(time) - Date.now() + 24 * hour)).toBeLessThan(hour);
  }
  one.bmc.reset();
  expect(one.bmc.clockOffset).toBe(0);
});

test('a new certificate is served to new connections, and the old ones are cut', async () => {
  const [before, after] = [selfSigned(), selfSigned()];
  await using one = await bmcWith([], { tls: before });
  const read = async (dispatcher: Agent) => {
    const response = await request(`${one.bmc.url}/redfish`, { dispatcher });
    await response.text();
    return response.status;
  };
  const agentFor = (ca: string) => new Agent({ connect: { ca } });
  const kept = new Agent({ connections: 1, connect: { rejectUnauthorized: false } });
  expect([await read(kept), await read(kept)]).toEqual([200, 200]);
  one.bmc.setCertificate(after);
  const [old, fresh] = [agentFor(before.cert), agentFor(after.cert)];
  await expect(read(old)).rejects.toThrow();
  expect(await read(fresh)).toBe(200);
  // The end of the old connection may be met by a request, or be known before.
  await read(kept).catch(() => read(kept));
  const [first, second, ...others] = one.bmc.requests.map(({ connection }) => connection);
  expect([first, others.includes(first!)]).toEqual([second, false]);
  for (const agent of [kept, old, fresh]) await agent.destroy();
  expect(() => one.bmc.setCertificate({ key: 'x', cert: 'y' })).toThrow('key and cert');
  await using plain = await bmcWith([]);
  expect(() => plain.bmc.setCertificate(after)).toThrow('no HTTPS');
});

test('a factory reset loses the subscriptions and the changes of clients', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url);
  await call(one.bmc, 'PATCH', SYSTEM, { body: { AssetTag: 'changed' } });
  await one.bmc.factoryReset();
  expect((await call(one.bmc, 'GET', SYSTEM)).json.AssetTag).toBe('Chicago-45Z-2381');
  expect((await call(one.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts).toEqual([]);
});

test('subscriptions that clients made are dropped or disabled, one or all', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  const paths = [];
  for (let count = 0; count < 3; count++) paths.push(await subscribe(one.bmc, receiver.url));
  expect([one.bmc.events.disable('5'), one.bmc.events.disable('1'), one.bmc.events.drop('6')]).toEqual([1, 0, 1]);
  const states = await Promise.all(
    paths.map(async (path) => {
      const { status, json } = await call(one.bmc, 'GET', path);
      return [status, json.Status?.State];
    }),
  );
  expect(states).toEqual([
    [200, 'Disabled'],
    [404, undefined],
    [200, undefined],
  ]);
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect([receiver.posts.length, one.bmc.events.drop()]).toEqual([1, 2]);
});
