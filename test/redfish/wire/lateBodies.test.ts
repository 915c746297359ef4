import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, type ScriptedRequest, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const SESSIONS = '/redfish/v1/SessionService/Sessions';
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

/** Sends a head and the beginning of a body that never ends. */
const stalled = (head: string, begin = '') =>
  function stall({ socket }: ScriptedRequest) {
    socket.write(`HTTP/1.1 ${head}\r\n${begin}`);
    return null;
  };

/** A BMC whose sessions can be ended; `respond` handles requests with a session that is open. */
async function start(
  respond: (request: ScriptedRequest) => ReturnType<ReturnType<typeof stalled>> | undefined,
  ended = stalled('500 No\r\n'),
) {
  let logIns = 0;
  let dead = 0;
  clients = createRedfishClients();
  bmc = await startScriptedBmc((request) => {
    const { method, path, headers } = request;
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': SESSIONS } } } };
    if (method === 'POST' && path === SESSIONS) return { status: 201, headers: { 'X-Auth-Token': String(++logIns) } };
    if (Number(headers['x-auth-token']) <= dead) return ended(request);
    const own = respond(request);
    return own === undefined ? { status: 200, body: { '@odata.id': path } } : own;
  });
  const { limits } = target(bmc.url);
  // A test that waits for the time limit of the request fails by its own.
  const client = clients.for(target(bmc.url, { limits: { ...limits, timeoutMs: 600_000, bodyMs: 50 } }), {
    signal: forever,
  });
  return {
    client,
    logIns: () => logIns,
    end: () => {
      dead = logIns;
    },
  };
}

test.each([
  ['401 with a length', stalled('401 Unauthorized\r\nContent-Length: 500\r\n')],
  ['401 within its body', stalled('401 Unauthorized\r\nContent-Length: 500\r\n', '<html>')],
  ['401 in chunks', stalled('401 Unauthorized\r\nTransfer-Encoding: chunked\r\n', '6\r\n<html>\r\n')],
  ['403 without its words', stalled('403 Forbidden\r\nContent-Length: 500\r\n', '{"error"')],
])('a session that ends by %s whose rest never comes is replaced without waiting for it', async (_, ended) => {
  const { client, end, logIns } = await start(() => undefined, ended);
  await client.get('/a');
  end();
  expect(await client.get('/a')).toEqual({ '@odata.id': '/a' });
  end();
  expect((await client.post('/b', {})).status).toBe(200);
  expect(logIns()).toBe(3);
});

test.each([
  [404, 'refused'],
  [400, 'refused'],
  [500, 'failed'],
  [503, 'failed'],
] as const)('a %i whose body never comes is the response', async (status, kind) => {
  const { client } = await start(({ method }) =>
    method === 'GET'
      ? undefined
      : stalled(`${status} Error\r\nContent-Length: 9\r\n`, '<p>words')(bmc!.requests.at(-1)!),
  );
  const error = await failure(client.post('/b', {}));
  expect(error).toMatchObject({ kind, status });
  expect(error.message).toContain('words');
});

test.each([
  ['POST', 201],
  ['DELETE', 200],
])('a %s that got %i is a success although its body never comes', async (verb, status) => {
  const { client } = await start((request) =>
    request.method === verb
      ? stalled(`${status} OK\r\nLocation: /b/1\r\nContent-Length: 9\r\n`, '{')(request)
      : undefined,
  );
  const response = await (verb === 'POST' ? client.post('/b', {}) : client.delete('/b'));
  expect(response).toMatchObject({ status, document: null, headers: { location: '/b/1' } });
});

test('a document that takes longer than the body of an error is waited for', async () => {
  const { client } = await start((request) => {
    if (request.path !== '/slow') return undefined;
    stalled('200 OK\r\nContent-Length: 12\r\n', '{"Id"')(request);
    setTimeout(() => request.socket.write(': "1" '), 150);
    setTimeout(() => request.socket.write('}'), 200);
    return null;
  });
  expect(await client.get('/slow')).toEqual({ Id: '1' });
});
