import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import type { AuthType } from '../../../src/redfish/login/account.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

// BMCs lock an account after some wrong passwords, for all its nodes: guesses by callers of `discover` are bounded.

const SESSIONS = '/redfish/v1/SessionService/Sessions';
const RIGHT = 'right-1';
const FIVE_MINUTES = 5 * 60_000;
const options = { signal: forever };
let now: number;
let clients: RedfishClients;
let bmc: ScriptedBmc;
/** Whether the BMC opens sessions; otherwise it takes Basic only. */
let sessions: boolean;
/** The password that it takes. */
let right: string;

beforeEach(async () => {
  now = 0;
  sessions = true;
  right = RIGHT;
  clients = createRedfishClients({ now: () => now });
  bmc = await startScriptedBmc(({ method, path, headers, body }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': SESSIONS } } } };
    if (method === 'POST' && path === SESSIONS) {
      if (!sessions || JSON.parse(body).Password !== right) return { status: 401 };
      return { status: 201, headers: { 'x-auth-token': 't', location: `${SESSIONS}/1` } };
    }
    const isRight = headers['x-auth-token'] === 't' || headers.authorization?.endsWith(btoa(`u:${right}`));
    return isRight ? { status: 200, body: {} } : { status: 401 };
  });
});
afterEach(async () => {
  await clients.close();
  await bmc.close();
});

const at = (password: string, change: { username?: string; authType?: AuthType; name?: string } = {}) => {
  const { username = 'u', authType = 'auto', name } = change;
  const origin = name === undefined ? bmc.url : bmc.url.replace('127.0.0.1', name);
  const addresses = name === undefined ? {} : { addresses: [{ address: '127.0.0.1', family: 4 }] };
  const { connection } = target(origin);
  return target(origin, { account: { username, password, authType }, connection: { ...connection, ...addresses } });
};
/** Logs in with credentials that a caller gave, as `discover` does. */
const guess = (...args: Parameters<typeof at>) => clients.once(at(...args), options, (client) => client.get('/a'));
/** Logs in as a node. */
const asNode = (...args: Parameters<typeof at>) => clients.for(at(...args), options).get('/a');
/** The number of requests with a password. */
const tries = () =>
  bmc.requests.filter(({ method, path, headers }) => (method === 'POST' && path === SESSIONS) || headers.authorization)
    .length;

const WRONG = Array.from({ length: 20 }, (_, number) => `wrong-${number}`);

test.each<[AuthType, number]>([
  ['auto', 4],
  ['session', 3],
  ['basic', 3],
])('of 20 wrong passwords by %s one after the other %i logins reach the BMC', async (authType, most) => {
  for (const password of WRONG) await failure(guess(password, { authType }));
  expect(tries()).toBe(most);
  const error = await failure(guess('wrong-20', { authType }));
  expect(error).toMatchObject({
    kind: 'auth',
    message: expect.stringMatching(/account u .*not tried for 300 s.*locking/),
  });
  expect(error.message).not.toContain('wrong-20');
});

test('of 20 wrong passwords at once no more reach it', async () => {
  await Promise.all(WRONG.map((password) => failure(guess(password))));
  expect(tries()).toBe(4);
});

test('guesses do not keep out a node, whether its password was right before or is new here', async () => {
  await asNode(RIGHT);
  for (const password of WRONG) await failure(guess(password));
  expect(await asNode(RIGHT)).toEqual({});
  // And a caller who knows it gets in as well.
  expect(await guess(RIGHT)).toEqual({});
  const before = tries();
  await failure(asNode('new-password'));
  expect(tries()).toBe(before + 2);
});

test('wrong passwords of nodes are bounded as well, and count for guesses', async () => {
  for (const password of WRONG) await failure(asNode(password));
  expect(tries()).toBe(4);
  await failure(guess('another'));
  expect(tries()).toBe(4);
});

test('after five minutes passwords are tried again', async () => {
  for (const password of WRONG) await failure(guess(password));
  now = FIVE_MINUTES;
  expect(await guess(RIGHT)).toEqual({});
  expect(tries()).toBe(5);
});

test('the names and the address of one BMC count together', async () => {
  const names = ['localhost', 'bmc-1.example', 'bmc-2.example', 'localhost.', '127.0.0.1'];
  for (const [index, name] of names.entries()) await failure(guess(WRONG[index]!, { name, authType: 'session' }));
  expect(tries()).toBe(3);
});

test('other user names are tried, within ten refused logins in all', async () => {
  for (const password of WRONG.slice(0, 3)) await failure(guess(password));
  expect(tries()).toBe(4);
  for (const username of WRONG) await failure(guess(`${username}-too`, { username, authType: 'session' }));
  expect(tries()).toBe(10);
});

test('a right password counts for nothing, though the BMC refuses sessions with it', async () => {
  sessions = false;
  for (const password of [RIGHT, ...WRONG.slice(0, 2)]) await guess(password).catch(() => undefined);
  expect(tries()).toBe(6);
  expect(await guess(RIGHT)).toEqual({});
});

test.each([
  ['one after the other', false],
  ['at once', true],
])('a password for many user names, or one for each, reaches the BMC ten times at most: %s', async (_, atOnce) => {
  for (const password of ['same', null]) {
    const before = tries();
    const guesses = WRONG.map(
      (username) => () => failure(guess(password ?? `${username}-own`, { username, authType: 'session' })),
    );
    if (atOnce) await Promise.all(guesses.map((run) => run()));
    else for (const run of guesses) await run();
    expect(tries() - before).toBe(10);
    now += FIVE_MINUTES;
  }
});

test('the requests under way when a right password is changed count as one wrong login', async () => {
  sessions = false;
  await asNode(RIGHT, { authType: 'basic' });
  const old = at(RIGHT, { authType: 'basic' });
  right = 'right-2';
  const reads = Array.from({ length: 4 }, (_, number) => failure(clients.for(old, options).get(`/${number}`)));
  await Promise.all(reads);
  expect(await asNode('right-2', { authType: 'basic' })).toEqual({});
});
