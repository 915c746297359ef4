import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import type { AuthType } from '../../../src/redfish/login/account.ts';
import { type ScriptedBmc, type ScriptedRequest, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const SESSIONS = '/redfish/v1/SessionService/Sessions';
const options = { signal: forever };
const FIVE_MINUTES = 5 * 60_000;
let now = 0;
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
  now = 0;
});

type Response = (request: ScriptedRequest) => ScriptedResponse;
const said =
  (status: number, body?: unknown, headers: Record<string, string> = {}): Response =>
  () => ({ status, body, headers });
const info = (MessageId: string, Message?: string) => ({
  error: { code: 'Base.1.8.GeneralError', '@Message.ExtendedInfo': [{ MessageId, ...(Message ? { Message } : {}) }] },
});

/** A BMC that responds so to a login by a session, and to a request by Basic. */
async function start(session: Response, basic: Response, stranger: Response | null = null) {
  clients = createRedfishClients({ now: () => now });
  bmc = await startScriptedBmc((request) => {
    const { method, path, headers } = request;
    if (headers.authorization !== undefined) return basic(request);
    if (method === 'POST' && path === SESSIONS) return session(request);
    if (headers['x-auth-token'] === 'token') return { status: 200, body: { '@odata.id': path } };
    if (stranger !== null) return stranger(request);
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': SESSIONS } } } };
    return { status: 401 };
  });
}

const ok: Response = ({ path }) => ({ status: 200, body: { '@odata.id': path } });
const opened = said(201, undefined, { 'X-Auth-Token': 'token', Location: `${SESSIONS}/1` });
const account = (authType: AuthType = 'auto') => ({ username: 'operator', password: 'hunter22', authType });
/** The client of another node with that BMC and account, whose settings differ. */
const clientOf = (authType: AuthType = 'auto', keepAlive = true) => {
  const { connection } = target(bmc!.url);
  return clients.for(
    target(bmc!.url, { account: account(authType), connection: { ...connection, keepAlive } }),
    options,
  );
};
const tries = () => ({
  session: bmc!.lines().filter((line) => line === `POST ${SESSIONS}`).length,
  basic: bmc!.requests.filter(({ headers }) => headers.authorization !== undefined).length,
});

const refusals: [string, Response][] = [
  ['401 with a challenge of Basic', said(401, undefined, { 'www-authenticate': 'Basic realm="bmc"' })],
  ['401 AccessDenied', said(401, info('Base.1.8.AccessDenied'))],
  ['400 UnauthorizedLoginAttempt', said(400, info('iLO.2.14.UnauthorizedLoginAttempt'))],
  ['403 ResourceAtUriUnauthorized', said(403, info('Base.1.8.ResourceAtUriUnauthorized', 'Denied.'))],
  ['403 in plain text', said(403, 'Forbidden')],
  ['403 without a body', said(403)],
  ['400 without a body', said(400)],
];

test.each(refusals)(
  'where Sessions refuses by %s, Basic is right from then on, after one try at Sessions',
  async (_, refused) => {
    await start(refused, ok);
    await clientOf().get('/a');
    await clientOf().get('/b');
    expect(tries()).toEqual({ session: 1, basic: 2 });
    now = FIVE_MINUTES + 1;
    await clientOf().get('/c');
    expect(tries()).toEqual({ session: 1, basic: 3 });
  },
);

test.each(refusals)('a password that is refused by each way, by %s, is tried once by each', async (_, refused) => {
  await start(refused, refused);
  const first = await failure(clientOf().get('/a'));
  expect(first.kind).toBe('auth');
  expect(first.message).toContain(
    'The BMC refuses the user name or password of account operator (tried by a session and by Basic authentication)',
  );
  expect(tries()).toEqual({ session: 1, basic: 1 });
  for (const authType of ['auto', 'session', 'basic'] as const) {
    const later = await failure(clientOf(authType, false).delete('/a'));
    expect(later).toMatchObject({
      kind: 'auth',
      status: 401,
      message: expect.stringContaining('retry blocked for 300 s'),
    });
  }
  expect(tries()).toEqual({ session: 1, basic: 1 });
  now = FIVE_MINUTES + 1;
  await failure(clientOf().get('/a'));
  expect(tries()).toEqual({ session: 2, basic: 2 });
});

test.each(refusals)(
  'fifty callers on three nodes with a password refused by %s try it once by each way',
  async (_, refused) => {
    await start(refused, refused);
    const nodes = [clientOf(), clientOf('auto', false), clientOf('session'), clientOf('basic')];
    const calls = Array.from({ length: 50 }, (_one, index) => failure(nodes[index % 4]!.get('/a')));
    for (const error of await Promise.all(calls)) expect(error.kind).toBe('auth');
    expect(tries()).toEqual({ session: 1, basic: 1 });
  },
);

test('fifty callers where only Basic is right try Sessions once', async () => {
  await start(refusals[0]![1], ok);
  const nodes = [clientOf(), clientOf('auto', false)];
  await Promise.all(Array.from({ length: 50 }, (_one, index) => nodes[index % 2]!.get('/a')));
  expect(tries().session).toBe(1);
});

test('a refused session keeps out no node that asks for Basic', async () => {
  await start(said(401), ok);
  expect((await failure(clientOf('session').get('/a'))).message).toContain('(tried by a session)');
  expect((await failure(clientOf('session').get('/a'))).message).toContain('retry blocked');
  await clientOf('basic').get('/a');
  await clientOf('auto').get('/a');
  expect(tries().session).toBe(1);
});

test('refused Basic keeps out no node that asks for a session', async () => {
  await start(opened, said(401));
  expect((await failure(clientOf('basic').get('/a'))).message).toContain('(tried by Basic authentication)');
  expect((await failure(clientOf('basic').get('/a'))).message).toContain('retry blocked');
  await clientOf('session').get('/a');
  await clientOf('auto').get('/a');
  expect(tries().basic).toBe(1);
});

test('a front end that knows Basic alone, which it asks for at every path, the root included', async () => {
  const challenge = said(401, undefined, { 'WWW-Authenticate': 'Basic realm="proxy"' });
  await start(challenge, ok, challenge);
  await clientOf().get('/a');
  await clientOf().get('/b');
  expect(tries()).toEqual({ session: 1, basic: 2 });
});

test.each<[string, Response]>([
  ['404', said(404)],
  ['405', said(405)],
  ['501', said(501)],
  ['503 ServiceDisabled', said(503, info('Base.1.8.ServiceDisabled', 'The service is disabled.'))],
  ['503 in words', said(503, { error: { message: 'The session service has been switched off.' } })],
  ['403 for want of a licence', said(403, info('iLO.2.14.LicenseKeyRequired', 'A license is required.'))],
  ['201 without a token', said(201, undefined, { Location: `${SESSIONS}/7` })],
  ['201 with an empty token', said(201, undefined, { 'X-Auth-Token': ' ', Location: `${SESSIONS}/7` })],
])('sessions that are switched off, as %s says, are not asked for again', async (_, response) => {
  await start(response, ok);
  await clientOf().get('/a');
  await clientOf().get('/b');
  expect(tries()).toEqual({ session: 1, basic: 2 });
});

test.each<[string, Response]>([
  ['503', said(503)],
  ['503 RAC0218', said(503, info('IDRAC.2.4.RAC0218', 'The maximum number of user sessions is reached.'))],
  ['403 SessionLimitExceeded', said(403, info('Base.1.8.SessionLimitExceeded'))],
  ['400 in words', said(400, { error: 'Too many sessions' })],
  ['503 not ready', said(503, info('IDRAC.2.8.SYS518', 'Not ready.'))],
])('no session left, as %s says, means Basic for this call alone', async (_, full) => {
  let left = false;
  await start((request) => (left ? opened(request) : full(request)), ok);
  await clientOf().get('/a');
  left = true;
  await clientOf().get('/b');
  expect(tries()).toEqual({ session: 2, basic: 1 });
  expect(bmc!.requests.at(-1)?.headers['x-auth-token']).toBe('token');
});

test.each([
  ['InsufficientPrivilege', info('Base.1.8.InsufficientPrivilege')],
  ['PasswordChangeRequired', info('Base.1.10.PasswordChangeRequired')],
  ['EventSubscriptionLimitExceeded', info('Base.1.4.EventSubscriptionLimitExceeded')],
])('403 %s to Basic is told as such, and proves the login right', async (_, body) => {
  await start(said(404), said(403, body));
  for (let i = 0; i < 2; i++) {
    expect(await failure(clientOf('basic').get('/a'))).toMatchObject({ kind: 'refused', status: 403 });
  }
  expect(tries().basic).toBe(2);
});

test('a 403 without words is no wrong password once Basic has proved right', async () => {
  await start(said(404), ({ path }) => (path === '/closed' ? { status: 403 } : { status: 200, body: {} }));
  await clientOf('basic').get('/a');
  expect((await failure(clientOf('basic').get('/closed'))).kind).toBe('refused');
  await clientOf('basic').get('/a');
});

test('words that are not recognised count against Basic only where a session was refused too', async () => {
  const closed = said(403, { error: 'Closed on Sundays' });
  await start(said(401), closed);
  expect(await failure(clientOf('basic').get('/a'))).toMatchObject({ kind: 'refused', status: 403 });
  expect((await failure(clientOf('auto').get('/a'))).kind).toBe('auth');
});

test('Basic that was right and is refused later gives way to a session again', async () => {
  let basic: Response = ok;
  let session: Response = said(401);
  await start(
    (request) => session(request),
    (request) => basic(request),
  );
  await clientOf().get('/a');
  basic = said(401);
  session = opened;
  now = FIVE_MINUTES + 1;
  await failure(clientOf().get('/a'));
  await clientOf().get('/a');
  expect(bmc!.requests.at(-1)?.headers['x-auth-token']).toBe('token');
});

test('the words of a refused login reach the caller without the password', async () => {
  const body = info('IDRAC.2.7.SYS415', 'The password hunter22 of operator is invalid.');
  await start(said(401, body), said(401, body));
  const error = await failure(clientOf().get('/a'));
  expect(error.message).toMatch(/: The password \*+ of operator is invalid\.$/);
  expect(JSON.stringify(error.extendedInfo)).not.toContain('hunter22');
});

test('a token is used without the blanks around it', async () => {
  await start(said(201, undefined, { 'X-Auth-Token': '  token ' }), said(401));
  await clientOf().get('/a');
  expect(tries()).toEqual({ session: 1, basic: 0 });
});

const noneLeft: [string, Response][] = [
  ['503', said(503)],
  ['503 with words', said(503, info('Base.1.8.SessionLimitExceeded'))],
  ['400 SessionLimitExceeded', said(400, info('Base.1.8.SessionLimitExceeded'))],
  ['429', said(429, 'Too many requests')],
  ['500 in plain text', said(500, 'Internal error')],
  ['502 in HTML', said(502, '<html><h1>Bad Gateway</h1></html>')],
];

test.each(noneLeft)(
  'a call whose login returns %s uses Basic to its end, and the next call tries once more',
  async (_, none) => {
    await start(none, ok);
    for (const calls of [1, 2]) {
      const client = clientOf();
      await client.logIn();
      await Promise.all([client.get('/a'), client.get('/b'), client.with({ patienceMs: 10 }).get('/c')]);
      await client.post('/d', {});
      expect(tries()).toEqual({ session: calls, basic: calls * 4 });
    }
  },
);

test('a call uses the session that another has opened meanwhile in place of Basic', async () => {
  let left = false;
  await start((request) => (left ? opened(request) : { status: 503 }), ok);
  const client = clientOf();
  await client.get('/a');
  left = true;
  await clientOf().get('/a');
  await client.get('/a');
  expect(tries()).toEqual({ session: 2, basic: 1 });
});

/** Loses the response to the first login, before or after the BMC has refused it. */
const loseFirst =
  (refused: Response): Response =>
  (request) => {
    if (tries().session > 1) return refused(request);
    request.socket.destroy();
    return null;
  };

test.each<[string, Response, AuthType]>([
  ['401 by each way', said(401), 'auto'],
  ['400 by each way', said(400, info('Vendor.1.0.InvalidCredentials')), 'auto'],
  ['401 with auth_type session', said(401), 'session'],
])(
  'a wrong password (%s) whose first login is lost is not tried again when its node is deleted',
  async (_, refused, type) => {
    await start(loseFirst(refused), refused);
    await failure(clientOf(type).get('/a'));
    const tried = { session: 2, basic: type === 'auto' ? 1 : 0 };
    expect(tries()).toEqual(tried);
    now = FIVE_MINUTES + 1;
    await clients.forget(target(bmc!.url, { account: account(type) }));
    await clients.close();
    expect(tries()).toEqual(tried);
  },
);

test('a wrong password whose login is lost is not tried again by a client used once', async () => {
  await start(loseFirst(said(401)), said(401));
  const used = target(bmc!.url, { account: account() });
  await failure(clients.once(used, options, (client) => client.get('/a')));
  expect(tries()).toEqual({ session: 2, basic: 1 });
});
