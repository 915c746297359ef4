import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClient, type RedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

/** Starts a BMC and a client with one connection that was used and kept; `close` closes it without telling. */
async function start(): Promise<{ bmc: ScriptedBmc; client: RedfishClient; close: () => void }> {
  clients = createRedfishClients();
  const bmc = await startScriptedBmc(() => ({ status: 200, body: {} }));
  closing.push(bmc);
  const account = { username: null, password: '', authType: 'auto' as const };
  const client = clients.for(target(bmc.url, { account }), { signal: forever });
  await client.get('/a');
  return { bmc, client, close: () => bmc.requests.at(-1)!.socket.destroy() };
}

const changes: [string, (client: RedfishClient) => Promise<unknown>][] = [
  ['POST', (client) => client.post('/b', {})],
  ['POST without a body', (client) => client.post('/b', null)],
  ['PATCH', (client) => client.patch('/b', {})],
  ['DELETE', (client) => client.delete('/b')],
];

test.each(changes)('a %s takes a new connection when the kept one was closed a moment ago', async (_, send) => {
  const { bmc, client, close } = await start();
  close();
  await send(client);
  expect(bmc.requests).toHaveLength(2);
  expect(bmc.connections()).toBe(2);
});

test.each(changes)('a %s that begins while other sockets are read takes a new connection too', async (_, send) => {
  const { bmc, client, close } = await start();
  // Runs between two polls of the sockets, so that the close has not been noticed when the request begins.
  const other = await startScriptedBmc(async () => {
    close();
    await send(client);
    return { status: 200, body: {} };
  });
  closing.push(other);
  expect((await fetch(other.url)).status).toBe(200);
  expect(bmc.requests).toHaveLength(2);
});

test.each(changes)('a %s that beforeSend refuses leaves the kept connection to the next', async (_, send) => {
  const { bmc, client } = await start();
  const lost = new Error('the lock is lost');
  const refusing = client.with({
    beforeSend() {
      throw lost;
    },
  });
  await expect(send(refusing)).rejects.toBe(lost);
  expect(bmc.requests).toHaveLength(1);
  await send(client);
  expect(bmc.connections()).toBe(1);
});

test('a change whose connection closes after it was sent is not sent again', async () => {
  clients = createRedfishClients();
  const bmc = await startScriptedBmc(({ method, socket }) => {
    if (method === 'GET') return { status: 200, body: {} };
    socket.destroy();
    return null;
  });
  closing.push(bmc);
  const account = { username: null, password: '', authType: 'auto' as const };
  const client = clients.for(target(bmc.url, { account }), { signal: forever });
  await client.get('/a');
  expect((await failure(client.post('/b', {}))).kind).toBe('outcome-unknown');
  expect(bmc.requests).toHaveLength(2);
});

test('a change takes no connection that was idle nearly as long as the BMC has let another be', async () => {
  const { bmc, client, close } = await start();
  await setTimeout(700);
  close();
  await setTimeout(50);
  await client.get('/a');
  await setTimeout(600);
  await client.get('/a');
  expect(bmc.connections()).toBe(2);
  await setTimeout(600);
  await client.post('/b', {});
  expect(bmc.connections()).toBe(3);
  await client.post('/b', {});
  expect(bmc.connections()).toBe(3);
});

test.each(changes)('a %s takes a new connection where the BMC closes them soon after a response', async (_, send) => {
  const { bmc, client, close } = await start();
  close();
  // Noticed while the connection is idle.
  await setTimeout(50);
  await client.get('/a');
  await client.get('/a');
  expect(bmc.connections()).toBe(2);
  await send(client);
  await send(client);
  expect(bmc.connections()).toBe(4);
});
