import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, type ScriptedRequest, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const SESSIONS = '/redfish/v1/SessionService/Sessions';
const options = { signal: forever };
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

/** How a BMC responds to a request with the token of a session that has ended. */
type Ended = (request: ScriptedRequest) => ScriptedResponse;

/** A BMC whose sessions are numbered and can be ended. */
async function start(ended: Ended, isClosed = (_path: string) => false) {
  const open = new Set<string>();
  let logIns = 0;
  let dead: Ended | null = null;
  clients = createRedfishClients();
  bmc = await startScriptedBmc((request) => {
    const { method, path, headers } = request;
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': SESSIONS } } } };
    if (method === 'POST' && path === SESSIONS) {
      const id = String(++logIns);
      open.add(id);
      return { status: 201, headers: { 'X-Auth-Token': `token-${id}`, Location: `${SESSIONS}/${id}` } };
    }
    const session = String(headers['x-auth-token']).replace('token-', '');
    if (!open.has(session) || (session === '1' && dead !== null)) return (dead ?? ended)(request);
    if (isClosed(path)) return ended(request);
    if (method === 'DELETE' && path.startsWith(SESSIONS)) {
      return { status: open.delete(path.slice(SESSIONS.length + 1)) ? 204 : 404 };
    }
    return { status: 200, body: { '@odata.id': path } };
  });
  return {
    client: clients.for(target(bmc.url), options),
    open,
    logIns: () => logIns,
    /** Ends all sessions. */
    end: () => open.clear(),
    /** Makes the first session respond as if it had ended, although it is still there. */
    doubt: () => {
      dead = ended;
    },
    requests: (line: string) => bmc!.lines().filter((one) => one === line).length,
  };
}

const raw =
  (text: string, reset = false) =>
  (request: ScriptedRequest) => {
    const { socket } = request;
    socket.write(text.replaceAll('\n', '\r\n'), () => (reset ? socket.resetAndDestroy() : socket.end()));
    return null;
  };
const said =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  () => ({ status, body, headers });
const info = (...entries: object[]) => ({ error: { code: 'Base.1.8.GeneralError', '@Message.ExtendedInfo': entries } });

const forms: [string, Ended][] = [
  ['401 without a body', said(401, undefined)],
  [
    '401 cut off before the first chunk',
    raw('HTTP/1.1 401 Unauthorized\nContent-Type: text/html\nTransfer-Encoding: chunked\n\n'),
  ],
  ['401 cut off within a chunk', raw('HTTP/1.1 401 Unauthorized\nTransfer-Encoding: chunked\n\n20\n<html>')],
  ['401 shorter than its Content-Length', raw('HTTP/1.1 401 Unauthorized\nContent-Length: 500\n\n<html>')],
  ['401 whose connection is reset', raw('HTTP/1.1 401 Unauthorized\nContent-Length: 500\n\n', true)],
  ['401 that cannot be decompressed', said(401, 'no gzip', { 'content-encoding': 'gzip' })],
  [
    '403 cut off before the first chunk',
    raw('HTTP/1.1 403 Forbidden\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n'),
  ],
  ['403 cut off within its words', raw('HTTP/1.1 403 Forbidden\nContent-Length: 500\n\n{"error": {"code": "Base.1.')],
  ['403 whose connection is reset after its head', raw('HTTP/1.1 403 Forbidden\nContent-Length: 9\n\n', true)],
  [
    '403 that cannot be decompressed and is cut off',
    raw('HTTP/1.1 403 Forbidden\nContent-Encoding: gzip\nContent-Length: 9\n\nxyz'),
  ],
  ['403 NoValidSession', said(403, info({ MessageId: 'Base.1.8.NoValidSession' }))],
  ['403 with NoValidSession as the code alone', said(403, { error: { code: 'Base.1.8.NoValidSession' } })],
  [
    '403 NoValidSession, cut off after its words',
    (request) => {
      const body = JSON.stringify(info({ MessageId: 'Base.1.0.NoValidSession' }));
      return raw(`HTTP/1.1 403 Forbidden\nTransfer-Encoding: chunked\n\n${body.length.toString(16)}\n${body}\n`)(
        request,
      );
    },
  ],
  [
    '403 of a registry of its own',
    said(403, info({ MessageId: 'Vendor.2.0.SessionExpired', Message: 'Log in again.' })),
  ],
  ['403 SessionTimeout', said(403, info({ MessageId: 'Vendor.1.0.SessionTimeout' }))],
  ['403 InvalidAuthToken', said(403, info({ MessageId: 'InvalidAuthToken' }))],
  ['403 AuthenticationRequired', said(403, info({ MessageId: 'Vendor.1.0.AuthenticationRequired' }))],
  ['403 of a number', said(403, info({ MessageId: 'IDRAC.2.8.RAC0506', Message: 'The user session has timed out.' }))],
  ['403 in plain text', said(403, 'Not logged in')],
  ['403 with words alone', said(403, { error: 'Session has expired' })],
  ['403 with words in HTML', said(403, '<html><p>Invalid session</p></html>', { 'content-type': 'text/html' })],
  [
    '403 of a general id of its own',
    said(403, info({ MessageId: 'Oem.1.0.General', Message: 'No valid session found, please login' })),
  ],
  ['403 of an id without meaning', said(403, info({ MessageId: 'Oem.1.0.Forbidden', Message: 'Invalid session' }))],
  ['403 that asks for a login', said(403, info({ MessageId: 'X.1.0.E17', Message: 'Please log in.' }))],
  ['403 of a code and words', said(403, { error: { code: 'ERR_AUTH_7', message: 'The session was closed.' } })],
  ['302 to a login page', said(302, undefined, { location: '/login.html' })],
  ['303 to a login page', said(303, undefined, { location: '/login?next=%2Fredfish' })],
  ['307 to the web pages', said(307, undefined, { location: '/' })],
  ['400 NoValidSession', said(400, info({ MessageId: 'iLO.2.14.NoValidSession' }))],
  ['200 with NoValidSession', said(200, info({ MessageId: 'Base.1.8.NoValidSession', Severity: 'Critical' }))],
];

test.each(forms)('a session that ends by %s costs one new login, and the read is sent once more', async (_, ended) => {
  const { client, end, logIns, requests } = await start(ended);
  await client.get('/redfish/a');
  end();
  expect(await client.get('/redfish/a')).toEqual({ '@odata.id': '/redfish/a' });
  expect(logIns()).toBe(2);
  expect(requests('GET /redfish/a')).toBe(3);
  await client.get('/redfish/a');
  expect(logIns()).toBe(2);
});

test.each(forms.slice(0, -1))(
  'a POST refused by %s was not done, and is sent once more with a new login',
  async (_, ended) => {
    const { client, end, logIns, requests } = await start(ended);
    await client.get('/redfish/a');
    end();
    expect((await client.post('/redfish/b', {})).status).toBe(200);
    expect(logIns()).toBe(2);
    expect(requests('POST /redfish/b')).toBe(2);
  },
);

test('callers whose session ended at the same time share one new login', async () => {
  const { client, end, logIns } = await start(forms[1]![1]);
  await client.get('/redfish/a');
  end();
  await Promise.all(Array.from({ length: 12 }, () => client.get('/redfish/a')));
  expect(logIns()).toBe(2);
});

test.each([
  ['InsufficientPrivilege', info({ MessageId: 'Base.1.8.InsufficientPrivilege' })],
  ['PasswordChangeRequired', info({ MessageId: 'Base.1.10.PasswordChangeRequired', Message: 'Change it.' })],
  ['EventSubscriptionLimitExceeded', info({ MessageId: 'Base.1.4.EventSubscriptionLimitExceeded' })],
  ['SessionLimitExceeded', info({ MessageId: 'Base.1.4.SessionLimitExceeded' })],
  [
    'an unknown id beside words about sessions',
    info({ MessageId: 'X.1.0.Quota', Message: 'The session is not valid here' }),
  ],
  [
    'an id for rights beside words about sessions',
    info({ MessageId: 'X.1.0.MissingPermission', Message: 'This session is not valid for that; log in again' }),
  ],
  [
    'an id without meaning and words about rights',
    info({ MessageId: 'X.1.0.General', Message: 'Not in this session' }),
  ],
  ['no words', undefined],
  ['AccessDenied', info({ MessageId: 'Base.1.8.AccessDenied', Message: 'Access to /b is denied.' })],
  ['a number', info({ MessageId: 'IDRAC.2.8.SYS403', Message: 'This needs the privilege ConfigureManager.' })],
  ['words about rights', { error: 'This user may not do that' }],
])('403 with %s is no ended session: the request is sent once, with one login', async (_, body) => {
  const { client, end, logIns, requests } = await start(said(403, body));
  await client.get('/redfish/a');
  end();
  expect(await failure(client.post('/redfish/b', {}))).toMatchObject({ kind: 'refused', status: 403 });
  expect(logIns()).toBe(1);
  expect(requests('POST /redfish/b')).toBe(1);
});

test.each(['get', 'post', 'patch', 'delete'] as const)(
  'a 403 that is cut off with the new session too is the response to %s, and the session in doubt is deleted',
  async (verb) => {
    const cut = raw('HTTP/1.1 403 Forbidden\nContent-Length: 500\n\n{"error"');
    const { client, logIns, open, requests } = await start(cut, (path) => path === '/closed');
    await client.get('/redfish/a');
    const error = await failure(
      verb === 'post' || verb === 'patch' ? client[verb]('/closed', {}) : client[verb]('/closed'),
    );
    expect(error).toMatchObject({ kind: 'refused', status: 403 });
    expect(requests(`${verb.toUpperCase()} /closed`)).toBe(2);
    expect(logIns()).toBe(2);
    expect([...open]).toEqual(['2']);
    await client.get('/redfish/a');
    expect(logIns()).toBe(2);
  },
);

const reset: Ended = ({ socket }) => {
  socket.resetAndDestroy();
  return null;
};

test('a read whose connection is reset under an older session is sent once more with a new one, and the old one is deleted', async () => {
  const { client, doubt, logIns, open, requests } = await start(reset);
  await client.get('/redfish/a');
  doubt();
  expect(await client.get('/redfish/b')).toEqual({ '@odata.id': '/redfish/b' });
  expect(logIns()).toBe(2);
  // Three tries with the old session, one with the new.
  expect(requests('GET /redfish/b')).toBe(4);
  expect([...open]).toEqual(['2']);
  await clients.close();
  expect([...open]).toEqual([]);
});

test('concurrent reads that are reset under an older session share one new login', async () => {
  const { client, doubt, logIns } = await start(reset);
  await client.get('/redfish/a');
  doubt();
  await Promise.all(Array.from({ length: 8 }, () => client.get('/redfish/b')));
  expect(logIns()).toBe(2);
});

test('a POST that is reset under an older session has an unknown outcome and is not repeated; the session is not used again', async () => {
  const { client, doubt, logIns, open, requests } = await start(reset);
  await client.get('/redfish/a');
  doubt();
  expect((await failure(client.post('/redfish/b', {}))).kind).toBe('outcome-unknown');
  expect(requests('POST /redfish/b')).toBe(1);
  await client.post('/c', {});
  expect(logIns()).toBe(2);
  expect([...open]).toEqual(['2']);
});

test('a session in doubt is deleted at the end although no request followed', async () => {
  const { client, doubt, open } = await start(reset);
  await client.get('/redfish/a');
  doubt();
  await failure(client.delete('/b'));
  await clients.close();
  expect([...open]).toEqual([]);
});

test('a session that was opened for the request itself is kept when its connection is reset', async () => {
  const { client, doubt, logIns } = await start(reset);
  doubt();
  await failure(client.get('/redfish/a'));
  expect(logIns()).toBe(1);
});

test('a task monitor whose session has ended is read once more with a new login', async () => {
  const { client, end, logIns } = await start(forms[1]![1]);
  await client.get('/redfish/a');
  end();
  expect((await client.getMonitor('/m')).status).toBe(200);
  expect(logIns()).toBe(2);
});

test('a redirect to a page of the web server with the new session too is told, and the page is not requested', async () => {
  const page = said(302, undefined, { location: '/login.html' });
  const { client, logIns } = await start(page, (path) => path === '/redfish/closed');
  await client.get('/redfish/a');
  for (const send of [() => client.post('/redfish/closed', {}), () => client.get('/redfish/closed')]) {
    expect(await failure(send())).toMatchObject({
      kind: 'failed',
      status: 302,
      message: expect.stringContaining('/login.html'),
    });
  }
  expect(logIns()).toBe(3);
  expect(bmc!.lines().some((line) => line.includes('login.html'))).toBe(false);
});
