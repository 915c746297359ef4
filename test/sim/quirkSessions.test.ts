import { expect, test } from 'vitest';
import type { SimulatedBmc } from '../../src/sim/index.ts';
import { endsAfter } from '../../src/sim/quirks/sessionEnds.ts';
import { call, logIn, messages, SESSIONS, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const WRONG = { UserName: 'u', Password: 'wrong' };
const RIGHT = { UserName: 'u', Password: 'p' };

/** Uses the token of a session that has ended. */
async function useEnded(bmc: SimulatedBmc) {
  const { token } = await logIn(bmc);
  bmc.expireSessions();
  return call(bmc, 'GET', SYSTEM, { auth: { token } });
}

test.each([
  ['403', 403, /NoValidSession/],
  ['403-vendor', 403, /SessionTimeout/],
  ['403-expired', 403, /SessionExpired/],
  ['401-vendor', 401, /TokenUnknown/],
  ['401-html', 401, /<form/],
  ['401-empty', 401, /^$/],
])('ended-session-%s: the token of an ended session gets %i; a live one works', async (form, status, text) => {
  await using one = await bmcWith([`ended-session-${form}`]);
  const refused = await useEnded(one.bmc);
  expect([refused.status, text.test(refused.text)]).toEqual([status, true]);
  const { token } = await logIn(one.bmc);
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: { token } })).status).toBe(200);
  // A wrong password is no ended session.
  expect((await call(one.bmc, 'POST', SESSIONS, { body: WRONG, auth: 'none' })).status).toBe(401);
});

test.each([
  ['401-no-body', 401],
  ['401-half-body', 401],
  ['403-half-body', 403],
  ['401-reset', 401],
])('ended-session-%s: the head arrives, with %i, and the body breaks off', async (form, status) => {
  await using one = await bmcWith([`ended-session-${form}`]);
  const { token } = await logIn(one.bmc);
  one.bmc.expireSessions();
  const response = await fetch(one.bmc.url + SYSTEM, { headers: { 'X-Auth-Token': token } });
  expect(response.status).toBe(status);
  await expect(response.text()).rejects.toThrow();
});

test('ended-session-reset: the token of an ended session gets a reset without a response', async () => {
  await using one = await bmcWith(['ended-session-reset']);
  await expect(useEnded(one.bmc)).rejects.toThrow();
});

test('a session ends after a number of requests, each session by itself', async () => {
  await using one = await bmcWith([endsAfter('x', 2)]);
  for (let session = 0; session < 2; session++) {
    const { token } = await logIn(one.bmc);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await call(one.bmc, 'GET', SYSTEM, { auth: { token } })).status);
    expect(statuses).toEqual([200, 200, 401]);
  }
  const { token, path } = await logIn(one.bmc);
  for (let i = 0; i < 2; i++) await call(one.bmc, 'GET', SYSTEM, { auth: { token } });
  expect((await call(one.bmc, 'DELETE', path, { auth: { token } })).status).toBe(204);
});

test.each([
  ['log-in-401', 401],
  ['log-in-400', 400],
  ['log-in-403', 403],
  ['log-in-405', 405],
  ['log-in-500', 500],
  ['log-in-501', 501],
  ['log-in-licence', 403],
  ['sessions-disabled', 503],
])('%s: a log-in with the right password gets %i, and Basic works', async (name, status) => {
  await using one = await bmcWith([name]);
  expect((await call(one.bmc, 'POST', SESSIONS, { body: RIGHT, auth: 'none' })).status).toBe(status);
  expect((await call(one.bmc, 'GET', SYSTEM)).status).toBe(200);
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: { basic: 'u:wrong' } })).status).toBe(401);
  const { json } = await call(one.bmc, 'GET', '/redfish/v1/SessionService');
  expect(json.ServiceEnabled).toBe(name !== 'sessions-disabled');
});

test('a front end that knows Basic alone refuses all else, also the service root and a log-in', async () => {
  await using one = await bmcWith(['basic-front-end']);
  const root = await call(one.bmc, 'GET', '/redfish/v1/', { auth: 'none' });
  expect([root.status, root.headers.get('WWW-Authenticate'), root.json]).toEqual([
    401,
    expect.stringMatching(/^Basic/),
    undefined,
  ]);
  expect((await call(one.bmc, 'POST', SESSIONS, { body: RIGHT, auth: 'none' })).status).toBe(401);
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: { basic: 'u:wrong' } })).status).toBe(401);
  const { status, headers } = await call(one.bmc, 'POST', SESSIONS, { body: RIGHT });
  const token = headers.get('X-Auth-Token')!;
  expect([status, (await call(one.bmc, 'GET', SYSTEM, { auth: { token } })).status]).toEqual([201, 401]);
  expect((await call(one.bmc, 'GET', SYSTEM)).status).toBe(200);
});

test.each([
  ['401-html', 401],
  ['401-empty', 401],
  ['401-idrac', 401],
  ['403', 403],
  ['403-resource', 403],
  ['400', 400],
  ['400-value', 400],
])('wrong-password-%s: a wrong password gets %i, by both ways', async (form, status) => {
  await using one = await bmcWith([`wrong-password-${form}`]);
  expect((await call(one.bmc, 'POST', SESSIONS, { body: WRONG, auth: 'none' })).status).toBe(status);
  // By Basic there is no property whose value is wrong.
  const byBasic = form === '400-value' ? 401 : status;
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: { basic: 'u:wrong' } })).status).toBe(byBasic);
  expect((await call(one.bmc, 'POST', SESSIONS, { body: RIGHT, auth: 'none' })).status).toBe(201);
  // Neither of these is a wrong password.
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: { token: 'x' } })).status).toBe(401);
  expect(messages(await call(one.bmc, 'GET', SYSTEM, { auth: 'none' }))).toEqual(['NoValidSession']);
});
