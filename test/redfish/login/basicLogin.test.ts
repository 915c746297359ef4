import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients, type RedfishTarget } from '../../../src/redfish/index.ts';
import { type Script, type ScriptedBmc, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const SYSTEMS = '/redfish/v1/Systems';
const SESSIONS = '/redfish/v1/SessionService/Sessions';
const options = { signal: forever };
const basic = { account: { username: 'u', password: 'not-the-password', authType: 'basic' as const } };
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

async function start(script: Script): Promise<ScriptedBmc> {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(script);
  return bmc;
}

/** Starts a BMC that returns `logIn` to a login and 401 with `challenge` to Basic, and accepts a session's token. */
function refusing(logIn: () => ScriptedResponse, challenge: Record<string, string> = {}): Promise<ScriptedBmc> {
  return start(({ method, path, headers }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': SESSIONS } } } };
    if (method === 'POST') return logIn();
    if (headers['x-auth-token'] === 'token-1') return { status: 200, body: {} };
    return { status: 401, headers: challenge };
  });
}

const send = (change: Partial<RedfishTarget> = {}) => clients.for(target(bmc!.url, change), options).get(SYSTEMS);
const withBasic = () => bmc!.requests.filter(({ headers }) => headers.authorization !== undefined);
const opened = { status: 201, headers: { 'X-Auth-Token': 'token-1' } };

test('reports that a BMC has no free session and refuses Basic, rather than a wrong password', async () => {
  let full = true;
  const limit = { MessageId: 'Base.1.8.SessionLimitExceeded', Message: 'No session is left.' };
  await refusing(() => (full ? { status: 503, body: { error: { '@Message.ExtendedInfo': [limit] } } } : opened));
  const first = await failure(send());
  expect(first).toMatchObject({ kind: 'auth', status: 401 });
  expect(first.message).toMatch(/opened no session .*503: No session is left.*refuses Basic authentication as well/);
  expect(first.message).toContain('Whether the password is right is unknown');
  // The password may still be wrong: Basic is not tried again while that could lock the account.
  const second = await failure(send());
  expect(second).toMatchObject({ kind: 'auth', status: 503 });
  expect(withBasic()).toHaveLength(1);
  full = false;
  expect(await send()).toEqual({});
});

test('callers waiting while a BMC without a free session refuses Basic do not send it again', async () => {
  await refusing(() => ({ status: 503 }));
  const errors = await Promise.all(Array.from({ length: 10 }, () => failure(send())));
  for (const error of errors) expect(error.message).toContain('opened no session');
  expect(withBasic()).toHaveLength(1);
});

test('Basic turned off at the BMC is reported, and does not block the account', async () => {
  await refusing(() => opened, { 'www-authenticate': 'Redfish realm="bmc"' });
  const error = await failure(send(basic));
  expect(error.message).toContain('does not accept Basic authentication (it offers Redfish realm="bmc")');
  expect((await failure(send(basic))).message).not.toContain('retry blocked');
  expect(await send({ account: { ...basic.account, authType: 'auto' } })).toEqual({});
});

test('a 401 from a BMC that offers Basic among other schemes means a wrong password', async () => {
  await start(({ socket, connection }) => {
    socket.end(
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Redfish\r\nWWW-Authenticate: Basic realm="bmc"\r\n' +
        `X-Connection: ${connection}\r\nContent-Length: 0\r\n\r\n`,
    );
    return null;
  });
  expect((await failure(send(basic))).kind).toBe('auth');
  expect((await failure(send(basic))).message).toContain('retry blocked');
  expect(withBasic()).toHaveLength(1);
});

test('concurrent first calls with a wrong password send it only once, across all clients', async () => {
  await start(({ path }) => ({ status: path === '/redfish/v1/' ? 200 : 401, body: {} }));
  const { connection } = target(bmc!.url);
  // A response of the service root, which needs no credentials, does not prove the password.
  await clients.for(target(bmc!.url, basic), options).get('/redfish/v1/');
  bmc!.requests.length = 0;
  const calls = Array.from({ length: 12 }, (_, i) =>
    failure(send({ ...basic, connection: { ...connection, keepAlive: i % 2 === 0 } })),
  );
  for (const error of await Promise.all(calls)) expect(error.kind).toBe('auth');
  expect(withBasic()).toHaveLength(1);
});

test('once the password has proved right, requests run concurrently', async () => {
  let under = 0;
  let most = 0;
  let release: (() => void) | null = null;
  const four = new Promise<void>((resolve) => {
    release = resolve;
  });
  await start(async ({ path }) => {
    if (path === '/first') return { status: 200, body: {} };
    most = Math.max(most, ++under);
    if (under === 4) release!();
    await four;
    return { status: 200, body: {} };
  });
  const client = clients.for(target(bmc!.url, basic), options);
  await client.get('/first');
  await Promise.all([1, 2, 3, 4].map(() => client.get(SYSTEMS)));
  expect(most).toBe(4);
});

test('after the BMC refuses a password that worked before, requests waiting for a connection fail without sending it', async () => {
  let changed = false;
  await start(() => ({ status: changed ? 401 : 200, body: {} }));
  await send(basic);
  changed = true;
  bmc!.requests.length = 0;
  const errors = await Promise.all(Array.from({ length: 30 }, () => failure(send(basic))));
  for (const error of errors) expect(error.kind).toBe('auth');
  // The maximum number of concurrent requests.
  expect(withBasic().length).toBeLessThanOrEqual(4);
});

test('a first call that hangs delays others only up to their own time limit', async () => {
  await start(() => null);
  const leaving = new AbortController();
  const patient = { limits: { timeoutMs: 60_000, connectionAttempts: 1, connectionRetryIntervalMs: 10 } };
  const held = clients
    .for(target(bmc!.url, { ...basic, ...patient }), options)
    .with({ signal: leaving.signal })
    .get('/held');
  held.catch(() => undefined);
  const hasty = { limits: { ...patient.limits, timeoutMs: 100 } };
  const error = await failure(send({ ...basic, ...hasty }));
  expect(error).toMatchObject({ kind: 'busy', message: expect.stringContaining('not sent') });
  leaving.abort(new Error('left'));
  await expect(held).rejects.toThrow('left');
});

test('after a target is forgotten (its node or credentials changed), its password may be tried again', async () => {
  let right = false;
  await start(() => ({ status: right ? 200 : 401, body: {} }));
  await failure(send(basic));
  expect((await failure(send(basic))).message).toContain('retry blocked');
  right = true;
  await clients.forget(target(bmc!.url, basic));
  expect(await send(basic)).toEqual({});
});

test('forgetting a target also forgets a wrong password tried by a one-time client', async () => {
  let right = false;
  await start(() => ({ status: right ? 200 : 401, body: {} }));
  await failure(clients.once(target(bmc!.url, basic), options, (client) => client.get(SYSTEMS)));
  right = true;
  await clients.forget(target(bmc!.url, basic));
  expect(await send(basic)).toEqual({});
});
