import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { createSubscription } from '../../../src/redfish/resources/subscription.ts';
import { CallTranscript } from '../../../src/redfish/transcript/callTranscript.ts';
import { type Fleet, startFleet } from '../../../src/sim/index.ts';
import { type Script, type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';
import { keepingRecorder, lines } from './entries.ts';

let clients: RedfishClients | null = null;
let fleet: Fleet | null = null;
let scripted: ScriptedBmc | null = null;

afterEach(async () => {
  await clients?.close();
  await fleet?.close();
  await scripted?.close();
  [clients, fleet, scripted] = [null, null, null];
});

async function simulated() {
  fleet = await startFleet();
  clients = createRedfishClients();
  return { bmc: fleet.bmcs[0]!, clients };
}

async function script(run: Script) {
  scripted = await startScriptedBmc(run);
  clients = createRedfishClients();
  return { url: scripted.url, clients };
}

test('a call records every request, those of its login too, with status, times and bodies', async () => {
  const { bmc, clients } = await simulated();
  const recorder = keepingRecorder();
  const client = clients.for(target(bmc.url), { signal: forever, recorder });
  await client.get('/redfish/v1/EventService');
  const entries = recorder.entries();
  expect(lines(entries)).toEqual([
    'GET /redfish/v1/ → 200',
    'POST /redfish/v1/SessionService/Sessions → 201',
    'GET /redfish/v1/EventService → 200',
  ]);
  expect(entries[1]!.request.body).toEqual({ UserName: 'u', Password: '******' });
  expect(entries[1]!.response!.headers['x-auth-token']).toBe('******');
  expect(entries[2]!.request.headers).toMatchObject({ 'x-auth-token': '******', accept: 'application/json' });
  expect(entries[2]!.response!.body).toMatchObject({ '@odata.id': '/redfish/v1/EventService' });
  expect(entries.every(({ sent, error }) => sent && error === null)).toBe(true);
  const times = entries.flatMap(({ at, duration }) => [at, duration]);
  expect(times.every((ms) => Number.isInteger(ms) && ms >= 0)).toBe(true);
});

test('each try of a request is recorded, with the kind of its failure', async () => {
  const { bmc, clients } = await simulated();
  const path = '/redfish/v1/EventService';
  await clients.for(target(bmc.url), { signal: forever }).logIn();
  bmc.faults.add({ kind: 'reset', afterRead: true, times: 1 });
  bmc.faults.add({ kind: 'hang', times: 1 });
  const recorder = keepingRecorder();
  const limits = { timeoutMs: 100, connectionAttempts: 1, connectionRetryIntervalMs: 1 };
  const client = clients.for(target(bmc.url, { limits }), { signal: forever, recorder });
  await failure(client.get(path));
  const entries = recorder.entries();
  expect(lines(entries)).toEqual([`GET ${path} → unreachable`, `GET ${path} → timeout`]);
  expect(entries.map(({ error }) => error)).toEqual([
    expect.stringMatching(/^unreachable: the connection was (reset|closed)/),
    'timeout: No response within 0.1 s',
  ]);
  expect(entries.every(({ sent, response }) => sent && response === null)).toBe(true);
});

test('what never left is recorded as not sent', async () => {
  const { bmc, clients } = await simulated();
  const client = clients.for(target(bmc.url), { signal: forever });
  await client.logIn();
  const recorder = keepingRecorder();
  const refused = new Error('the reservation is lost');
  const beforeSend = () => {
    throw refused;
  };
  const sending = clients.for(target(bmc.url), { signal: forever, recorder, beforeSend });
  await expect(sending.get('/redfish/v1/EventService')).rejects.toBe(refused);
  await fleet!.close();
  await failure(clients.for(target(bmc.url), { signal: forever, recorder }).get('/redfish/v1/Systems'));
  const [stopped, unreachable] = recorder.entries();
  expect(stopped).toMatchObject({ sent: false, response: null, error: 'stopped: the reservation is lost' });
  expect(unreachable).toMatchObject({ sent: false, response: null });
  expect(unreachable!.error).toMatch(/^unreachable: connection refused/);
});

test('a login that another call began is not recorded again', async () => {
  const { bmc, clients } = await simulated();
  const recorders = [keepingRecorder(), keepingRecorder()];
  await Promise.all(
    recorders.map((recorder) => clients.for(target(bmc.url), { signal: forever, recorder }).get('/redfish/v1/Systems')),
  );
  expect(lines(recorders[0]!.entries())).toHaveLength(3);
  expect(lines(recorders[1]!.entries())).toEqual(['GET /redfish/v1/Systems → 200']);
});

test('a client that is not kept records the end of its session', async () => {
  const { bmc, clients } = await simulated();
  const recorder = keepingRecorder();
  await clients.once(target(bmc.url), { signal: forever, recorder }, (client) => client.get('/redfish/v1/Systems'));
  expect(lines(recorder.entries()).at(-1)).toMatch(/^DELETE \/redfish\/v1\/SessionService\/Sessions\/\d+ → 204$/);
});

test.each([
  ['no body', '', { body: null }],
  ['text', 'out of order', { body: 'out of order' }],
  ['a JSON string, as the text it is', '"words"', { body: '"words"' }],
  ['a list', '[1, {"a": 2}]', { body: [1, { a: 2 }] }],
  ['JSON after a byte order mark', '\uFEFF{"a": 1}', { body: { a: 1 } }],
  ['JSON that nests too deep', `${'['.repeat(2000)}${']'.repeat(2000)}`, { body: expect.any(String) }],
  ['a document with __proto__', '{"__proto__": {"a": 1}}', { body: JSON.parse('{"__proto__": {"a": 1}}') }],
])('a body is recorded: %s', async (_, body, expected) => {
  const { url, clients } = await script(({ path }) => ({ status: path === '/x' ? 400 : 404, body }));
  const recorder = keepingRecorder();
  const client = clients.for(target(url, { account: { username: null, password: '', authType: 'auto' } }), {
    signal: forever,
    recorder,
  });
  await failure(client.get('/x'));
  expect(recorder.entries()[0]!.response).toMatchObject(expected);
});

test('a large body is recorded by its first 64 kB, and its size is not kept in memory', async () => {
  const { url, clients } = await script(() => ({ status: 500, body: `x${'é'.repeat(200_000)}` }));
  const recorder = keepingRecorder();
  const account = { username: null, password: '', authType: 'auto' } as const;
  await failure(clients.for(target(url, { account }), { signal: forever, recorder }).post('/x', null));
  const { response } = recorder.entries()[0]!;
  expect(response).toMatchObject({ truncated: true, body: expect.stringMatching(/^xé+$/) });
  expect(Buffer.byteLength(String(response!.body))).toBeGreaterThan(65_000);
  expect(recorder.bytes).toBeLessThan(70_000);
});

const PASSWORD = 'm4rker-"pass\\word&\'é';
const HEADER = 'm4rker header/value+x';
const URL_PASSWORD = 'm4rker-url';
const TOKENS = ['m4rker-token-1', 'm4rker-token-2'];
const COOKIE = 'm4rker-cookie';

/** How a BMC may quote what it was sent. */
const QUOTES: [string, (texts: string[]) => { headers?: Record<string, string>; body: string }][] = [
  ['as JSON', (texts) => ({ body: JSON.stringify({ error: { message: texts.join(' and ') } }) })],
  ['as JSON in JSON', (texts) => ({ body: JSON.stringify({ error: JSON.stringify({ said: texts }) }) })],
  ['as broken JSON', (texts) => ({ body: `{"got": ${JSON.stringify(texts.join(' '))}, ` })],
  ['as names of members', (texts) => ({ body: JSON.stringify(Object.fromEntries(texts.map((text) => [text, 1]))) })],
  ['as text', (texts) => ({ body: texts.join('\n'), headers: { 'content-type': 'text/plain' } })],
  ['in a page', (texts) => ({ body: `<p>${texts.map(escapeHtml).join('<br>')}</p>` })],
  ['in a URL', (texts) => ({ body: JSON.stringify({ next: `/x?${texts.map(encodeURIComponent).join('&')}` }) })],
  [
    'in Location',
    (texts) => ({ body: '', headers: { location: `/x?said=${texts.map(encodeURIComponent).join(',')}` } }),
  ],
  ['in base64', (texts) => ({ body: texts.map((text) => Buffer.from(text).toString('base64')).join(' ') })],
];

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": '#39' };
  return text.replaceAll(/[&<>"']/g, (character) => `&${names[character]};`);
}

test.each(QUOTES)('no secret is in an entry when the BMC quotes them %s', async (_, quote) => {
  let logins = 0;
  let gets = 0;
  const secrets = [PASSWORD, HEADER, ...TOKENS, COOKIE, Buffer.from(`u:${PASSWORD}`).toString('base64')];
  const { url, clients } = await script(({ method, path, headers }) => {
    if (path === '/redfish/v1/') {
      const links = { Sessions: { '@odata.id': '/redfish/v1/S' } };
      return { status: 200, body: { EventService: { '@odata.id': '/redfish/v1/E' }, Links: links } };
    }
    if (path === '/redfish/v1/S') {
      const token = TOKENS[logins++]!;
      return { status: 201, headers: { 'x-auth-token': token, 'set-cookie': `SID=${COOKIE}; Path=/` }, body: {} };
    }
    if (path === '/redfish/v1/E') {
      // The session ends once, and the BMC names its token.
      if (gets++ === 0) return { status: 401, body: { error: { message: `${headers['x-auth-token']} ended` } } };
      return { status: 200, body: { Subscriptions: { '@odata.id': '/redfish/v1/E/S' } } };
    }
    return { status: method === 'GET' ? 404 : 400, ...quote(secrets) };
  });
  const recorder = keepingRecorder();
  const account = { username: 'u', password: PASSWORD, authType: 'auto' } as const;
  const client = clients.for(target(url, { account }), { signal: forever, recorder });
  const error = await failure(
    createSubscription(client, {
      Destination: `https://user:${URL_PASSWORD}@h.example/?token=${URL_PASSWORD}`,
      HttpHeaders: [{ 'X-Any': HEADER }],
    }),
  );
  const text = JSON.stringify(recorder.entries());
  expect(lines(recorder.entries())).toHaveLength(7);
  for (const secret of [...secrets, URL_PASSWORD]) {
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), escapeHtml(secret)]) {
      expect(text).not.toContain(form);
    }
    expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 16));
  }
  expect(text).not.toMatch(/m4rker/);
  for (const secret of [PASSWORD, HEADER, TOKENS[1]!]) expect(error.message).not.toContain(secret);
});

test('an empty token is recorded as none, not as a masked one', async () => {
  const { url, clients } = await script(({ path }) =>
    path === '/redfish/v1/' ? { status: 200, body: {} } : { status: 201, headers: { 'x-auth-token': '' }, body: {} },
  );
  const recorder = keepingRecorder();
  const account = { username: 'u', password: 'p', authType: 'session' } as const;
  await failure(clients.for(target(url, { account }), { signal: forever, recorder }).logIn());
  expect(recorder.entries()[1]!.response!.headers).not.toHaveProperty('x-auth-token');
});

test('what is no text is recorded in base64, with its secrets masked', async () => {
  const bytes = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe, 0]), Buffer.from(text)]);
  const server = createServer((_request, response) => void response.writeHead(400).end(bytes(PASSWORD)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  clients = createRedfishClients();
  const recorder = keepingRecorder();
  const account = { username: null, password: PASSWORD, authType: 'auto' } as const;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await failure(clients.for(target(url, { account }), { signal: forever, recorder }).get('/x'));
  server.close();
  server.closeAllConnections();
  const { response } = recorder.entries()[0]!;
  expect(response!.encoding).toBe('base64');
  expect(Buffer.from(String(response!.body), 'base64')).toEqual(bytes('******'));
});

test('a call that runs keeps no more of large bodies than is recorded', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const recorder = keepingRecorder();
  const transcript = new CallTranscript(recorder, () => []);
  const held = () => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const before = held();
  for (let i = 0; i < 30; i++) {
    const request = { method: 'GET', path: `/${i}`, headers: {}, body: null };
    transcript.add(request, performance.now(), { status: 200, headers: {}, body: Buffer.alloc(8 * 1024 * 1024, 'a') });
  }
  // V8 frees the memory of collected buffers in the background.
  for (let turn = 0; turn < 100 && held() - before >= 16 * 1024 * 1024; turn++) await setTimeout(20);
  expect(held() - before).toBeLessThan(16 * 1024 * 1024);
  expect(recorder.entries()[29]!.response).toMatchObject({ truncated: true });
});
