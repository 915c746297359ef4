import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, listSubscriptions, type RedfishClients } from '../../src/redfish/index.ts';
import { type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { startScriptedBmc } from './scriptedBmc.ts';
import { forever, target } from './target.ts';

const ROOT = '/redfish/v1';
const EVENT_SERVICE = '/redfish/v1/EventService';
const options = { signal: forever };
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

/** A BMC whose event service is known to the client. */
async function known() {
  clients = createRedfishClients();
  const fleet = await startFleet();
  closing.push(fleet);
  const bmc = fleet.bmcs[0]!;
  const client = clients.for(target(bmc.url));
  const list = async () => void (await listSubscriptions(client, options));
  await list();
  return { bmc, list, asked: asks(bmc) };
}

/** Tells the paths that were asked for since it was last called. */
function asks(bmc: SimulatedBmc): () => string[] {
  let seen = bmc.requestCount;
  return () => {
    const paths = bmc.requests.slice(seen).map(({ path }) => path.replace(/\/$/, ''));
    seen = bmc.requestCount;
    return paths;
  };
}

test('a session that has ended by itself costs a log-in and a look at the service root; what is known stays', async () => {
  const { bmc, list, asked } = await known();
  bmc.expireSessions();
  await list();
  expect(asked()).toContain(ROOT);
  expect(asked()).not.toContain(EVENT_SERVICE);
  await list();
  expect(asked()).toHaveLength(1);
});

test.each([
  ['UUID', { UUID: '11111111-1111-4111-8111-111111111111' }],
  ['ETag', { Name: 'Changed, and so its ETag' }],
])('a service root whose %s has changed when a session was lost drops what is known', async (_, change) => {
  const { bmc, list, asked } = await known();
  bmc.documents.set(ROOT, { ...bmc.documents.get(ROOT)!, ...change });
  await list();
  expect(asked()).toHaveLength(1);
  bmc.expireSessions();
  await list();
  await list();
  expect(asked()).toContain(EVENT_SERVICE);
});

test('a BMC that could not be connected to and is back is asked anew where things are', async () => {
  clients = createRedfishClients();
  const script: Parameters<typeof startScriptedBmc>[0] = ({ path }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { EventService: { '@odata.id': EVENT_SERVICE } } };
    if (path === EVENT_SERVICE) return { status: 200, body: { Subscriptions: { '@odata.id': '/subscriptions' } } };
    return { status: 200, body: { Members: [] } };
  };
  const before = await startScriptedBmc(script);
  const account = { username: 'u', password: 'p', authType: 'basic' as const };
  const client = clients.for(target(before.url, { account }));
  await listSubscriptions(client, options);
  await before.close();
  await expect(listSubscriptions(client, options)).rejects.toMatchObject({ kind: 'unreachable' });
  const after = await startScriptedBmc(script, undefined, Number(new URL(before.url).port));
  closing.push(after);
  await listSubscriptions(client, options);
  expect(after.lines()).toContain(`GET ${EVENT_SERVICE}`);
  await listSubscriptions(client, options);
  expect(after.lines().filter((line) => line === `GET ${EVENT_SERVICE}`)).toHaveLength(1);
});
