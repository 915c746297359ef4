import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DocumentTree } from '../../src/sim/documents.ts';
import type { Fleet, SimulatedBmc } from '../../src/sim/index.ts';
import { startFleet } from '../../src/sim/index.ts';
import { SessionTable } from '../../src/sim/sessionTable.ts';
import { call, logIn, messages, SESSIONS } from './client.ts';

let fleet: Fleet;
let bmc: SimulatedBmc;
beforeEach(async () => {
  fleet = await startFleet({ maxSessions: 2 });
  bmc = fleet.bmcs[0]!;
});
afterEach(() => fleet.close());

describe('without credentials', () => {
  test.each(['/redfish', '/redfish/v1', '/redfish/v1/', '/redfish/v1/odata', '/redfish/v1/$metadata'])(
    '%s is readable',
    async (path) => {
      expect((await call(bmc, 'GET', path, { auth: 'none' })).status).toBe(200);
    },
  );

  test.each(['/redfish/v1/Systems', SESSIONS, '/redfish/v1/Nowhere'])('%s gets 401 with a challenge', async (path) => {
    const reply = await call(bmc, 'GET', path, { auth: 'none' });
    expect(reply.status).toBe(401);
    expect(reply.headers.get('WWW-Authenticate')).toMatch(/^Basic /);
    expect(messages(reply)).toEqual(['NoValidSession']);
  });

  test('the service root cannot be written', async () => {
    expect((await call(bmc, 'PATCH', '/redfish/v1', { auth: 'none', body: {} })).status).toBe(401);
  });
});

describe('Basic', () => {
  test.each(['u:wrong', 'nobody:p', '__proto__:p', 'u', 'u:p:p'])('%s gets 401', async (basic) => {
    const reply = await call(bmc, 'GET', '/redfish/v1/Systems', { auth: { basic } });
    expect(reply.status).toBe(401);
    expect(messages(reply)).toEqual(['AccessDenied']);
  });

  test('a password may contain colons and non-ASCII letters', async () => {
    const other = await startFleet({ accounts: { admin: 'a:ü:b' } });
    const credentials = Buffer.from('admin:a:ü:b').toString('base64');
    const reply = await call(other.bmcs[0]!, 'GET', '/redfish/v1/Systems', {
      auth: 'none',
      headers: { Authorization: `Basic ${credentials}` },
    });
    await other.close();
    expect(reply.status).toBe(200);
  });

  test('a BMC without authentication accepts any credentials', async () => {
    const open = await startFleet({ auth: 'none' });
    const none = await call(open.bmcs[0]!, 'GET', '/redfish/v1/Systems', { auth: 'none' });
    const wrong = await call(open.bmcs[0]!, 'GET', '/redfish/v1/Systems', { auth: { basic: 'x:y' } });
    await open.close();
    expect([none.status, wrong.status]).toEqual([200, 200]);
  });
});

describe('sessions', () => {
  test('a log-in gets 201 with token, Location and document, and the token works until DELETE', async () => {
    const reply = await call(bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'p' } });
    expect(reply.status).toBe(201);
    const token = reply.headers.get('X-Auth-Token')!;
    const location = reply.headers.get('Location')!;
    expect(reply.json).toMatchObject({ '@odata.id': location, UserName: 'u' });
    expect(reply.text).not.toContain(token);

    const auth = { token };
    expect((await call(bmc, 'GET', '/redfish/v1/Systems', { auth })).status).toBe(200);
    expect((await call(bmc, 'GET', SESSIONS, { auth })).json.Members).toEqual([{ '@odata.id': location }]);
    expect((await call(bmc, 'GET', location, { auth })).json.Id).toBe('1');
    expect(bmc.sessions).toMatchObject([{ userName: 'u', path: location }]);

    expect((await call(bmc, 'DELETE', location, { auth })).status).toBe(204);
    expect((await call(bmc, 'GET', '/redfish/v1/Systems', { auth })).status).toBe(401);
    expect((await call(bmc, 'GET', location)).status).toBe(404);
    expect(bmc.sessions).toEqual([]);
  });

  test('a wrong password gets 401, and no session is opened', async () => {
    const reply = await call(bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'wrong' } });
    expect(reply.status).toBe(401);
    expect(reply.headers.get('X-Auth-Token')).toBeNull();
    expect(bmc.sessions).toEqual([]);
  });

  test.each([{}, { UserName: 'u' }, { UserName: 'u', Password: 5 }])('%j gets 400', async (body) => {
    const reply = await call(bmc, 'POST', SESSIONS, { auth: 'none', body });
    expect(reply.status).toBe(400);
  });

  test('a log-in gets 503 when all sessions are taken, and succeeds after one has ended', async () => {
    const first = await logIn(bmc);
    await logIn(bmc);
    const refused = await call(bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'p' } });
    expect(refused.status).toBe(503);
    expect(messages(refused)).toEqual(['SessionLimitExceeded']);
    await call(bmc, 'DELETE', first.path);
    expect((await logIn(bmc)).token).not.toBe('');
  });

  test('expired sessions get 401, and a new log-in works', async () => {
    const { token } = await logIn(bmc);
    expect(bmc.expireSessions()).toBe(1);
    const reply = await call(bmc, 'GET', '/redfish/v1/Systems', { auth: { token } });
    expect(reply.status).toBe(401);
    expect(messages(reply)).toEqual(['NoValidSession']);
    const again = await logIn(bmc);
    expect((await call(bmc, 'GET', '/redfish/v1/Systems', { auth: again })).status).toBe(200);
  });

  test('a reset of the manager ends the sessions', async () => {
    const { token } = await logIn(bmc);
    const target = '/redfish/v1/Managers/BMC/Actions/Manager.Reset';
    expect((await call(bmc, 'POST', target, { body: { ResetType: 'ForceRestart' } })).status).toBe(204);
    expect((await call(bmc, 'GET', '/redfish/v1/Systems', { auth: { token } })).status).toBe(401);
  });

  test('an expired session disappears from the collection, also for other clients', async () => {
    const short = await startFleet({ sessionTimeout: 1 });
    const [target] = short.bmcs;
    await logIn(target!);
    await expect.poll(async () => (await call(target!, 'GET', SESSIONS)).json.Members).toEqual([]);
    await short.close();
  });

  test('the session service reports the session timeout', async () => {
    const short = await startFleet({ sessionTimeout: 45_000 });
    const reply = await call(short.bmcs[0]!, 'GET', '/redfish/v1/SessionService');
    await short.close();
    expect(reply.json.SessionTimeout).toBe(45);
  });
});

test('a session ends after the timeout without use', () => {
  let now = 0;
  const collection = '/redfish/v1/SessionService/Sessions';
  const documents = new DocumentTree(new Map([[collection, { Members: [], 'Members@odata.count': 0 }]]));
  const table = new SessionTable({ documents, collection, maxSessions: 4, timeout: 1000, now: () => now });
  const { token, session } = table.open('u')!;
  now = 900;
  expect(table.use(token)).toBeDefined();
  now = 1800;
  expect(table.use(token)).toBeDefined();
  now = 2800;
  expect(table.use(token)).toBeUndefined();
  expect(documents.get(session.path)).toBeUndefined();
  expect(documents.get(collection)).toMatchObject({ Members: [], 'Members@odata.count': 0 });
});
