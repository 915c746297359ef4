import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients, type RedfishTarget } from '../../../src/redfish/index.ts';
import { type Fleet, startFleet } from '../../../src/sim/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

let clients: RedfishClients = createRedfishClients();
let fleet: Fleet | null = null;
let scripted: ScriptedBmc | null = null;
const options = { signal: forever };
const SYSTEMS = '/redfish/v1/Systems';

async function startBmc(fleetOptions: Parameters<typeof startFleet>[0] = {}) {
  clients = createRedfishClients();
  fleet = await startFleet(fleetOptions);
  return fleet.bmcs[0]!;
}

async function startScript(script: Parameters<typeof startScriptedBmc>[0]) {
  clients = createRedfishClients();
  scripted = await startScriptedBmc(script);
  return scripted;
}

afterEach(async () => {
  await clients.close();
  await fleet?.close();
  await scripted?.close();
  fleet = scripted = null;
});

const WRONG = { username: 'u', password: 'not-the-password', authType: 'auto' } as const;
const tls = { verifyCa: true, minimumVersion: null, ciphers: null };
const variants: [string, Partial<RedfishTarget>][] = [
  ['the root path written without its slash', { root: '/redfish/v1' }],
  ['connections that are not kept', { connection: { tls, keepAlive: false } }],
  ['another verify_ca', { connection: { tls: { ...tls, verifyCa: false }, keepAlive: true } }],
  ['auth_type session', { account: { ...WRONG, authType: 'session' } }],
  ['auth_type basic', { account: { ...WRONG, authType: 'basic' } }],
];

test.each(variants)('a wrong password is also blocked for %s, and for a one-time client', async (_, change) => {
  const bmc = await startBmc();
  const other = target(bmc.url, { account: WRONG, ...change });
  await failure(clients.for(target(bmc.url, { account: WRONG }), options).get(SYSTEMS));
  const credentials = () => bmc.requests.filter(({ method, auth }) => method === 'POST' || auth === 'basic');
  expect(credentials()).toHaveLength(2);
  const keptAlive = await failure(clients.for(other, options).get(SYSTEMS));
  const once = await failure(clients.once(other, options, (client) => client.get(SYSTEMS)));
  for (const error of [keptAlive, once]) expect(error.message).toContain('retry blocked');
  expect(credentials()).toHaveLength(2);
});

test('a wrong password tried by a one-time client is blocked for all clients, but not for another account or BMC', async () => {
  const bmc = await startBmc({ count: 2 });
  const logIns = () => fleet!.bmcs.map(({ requests }) => requests.filter(({ method }) => method === 'POST').length);
  const send = (change: Partial<RedfishTarget>, url = bmc.url) =>
    failure(clients.once(target(url, change), options, (client) => client.get(SYSTEMS)));
  await send({ account: WRONG });
  await send({ account: WRONG });
  await failure(clients.for(target(bmc.url, { account: WRONG }), options).get(SYSTEMS));
  expect(logIns()).toEqual([1, 0]);
  await send({ account: { ...WRONG, password: 'another-wrong-one' } });
  await send({ account: { ...WRONG, username: 'v' } });
  await send({ account: WRONG }, fleet!.bmcs[1]!.url);
  expect(logIns()).toEqual([3, 1]);
});

test('clients that start at the same time send a wrong password only once between them', async () => {
  const bmc = await startBmc({ latency: 20 });
  const targets = [{}, ...variants.slice(1, 4).map(([, change]) => change)].map((change) =>
    target(bmc.url, { account: WRONG, ...change }),
  );
  const keptAlive = targets.map((each) => failure(clients.for(each, options).get(SYSTEMS)));
  const once = targets.map((each) => failure(clients.once(each, options, (client) => client.get(SYSTEMS))));
  for (const error of await Promise.all([...keptAlive, ...once])) expect(error.kind).toBe('auth');
  expect(bmc.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('an open session stays in use although its password was refused meanwhile', async () => {
  let wrong = false;
  const bmc = await startScript(({ path, method }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': '/S' } } } };
    if (method !== 'POST') return { status: 200, body: {} };
    return wrong ? { status: 401 } : { status: 201, headers: { 'X-Auth-Token': 'token-1' } };
  });
  const session = target(bmc.url, { account: { username: 'u', password: 'p', authType: 'session' } });
  const client = clients.for(session, options);
  await client.get(SYSTEMS);
  wrong = true;
  const refused = await failure(clients.once(session, options, (other) => other.get(SYSTEMS)));
  expect(refused.kind).toBe('auth');
  expect(await client.get(SYSTEMS)).toEqual({});
});

test('a root path without its final slash shares the session', async () => {
  const bmc = await startBmc();
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  await clients.for(target(bmc.url, { root: '/redfish/v1' }), options).get(SYSTEMS);
  expect(bmc.sessions).toHaveLength(1);
});

test('a BMC without sessions that refuses a login does not block Basic', async () => {
  const bmc = await startScript(({ path, method, headers }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { Systems: { '@odata.id': SYSTEMS } } };
    return { status: method === 'GET' && headers.authorization === `Basic ${btoa('u:p')}` ? 200 : 401, body: {} };
  });
  const by = (authType: 'session' | 'basic') =>
    clients.for(target(bmc.url, { account: { username: 'u', password: 'p', authType } }), options).get(SYSTEMS);
  expect((await failure(by('session'))).message).toContain('offers no sessions');
  expect((await failure(by('session'))).message).toContain('retry blocked');
  expect(await by('basic')).toEqual({});
});
