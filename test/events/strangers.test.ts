// What strangers send to the receiver, over each form of HTTP: it is refused, counted, and nothing of it is stored.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientRequest, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EventRecord } from '../../src/core/events/event.ts';
import { StoringIntake } from '../../src/core/events/intake.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { NO_OBSERVER } from '../../src/core/observer.ts';
import type { Store } from '../../src/core/store.ts';
import { MAX_BODY, type PostOutcome, type Receiver, startReceiver } from '../../src/events/receiver.ts';
import { SenderCheck } from '../../src/events/senderCheck.ts';
import { openStore } from '../../src/store/open.ts';
import { selfSigned } from '../sim/selfSigned.ts';

const SECRET = `passthru_evt_${'r'.repeat(43)}`;
const OTHER_SECRET = `passthru_evt_${'o'.repeat(43)}`;
const NODES: Record<string, string> = { [SECRET]: 'right-node', [OTHER_SECRET]: 'other-node' };

let directory: string;
let store: Store;
let receiver: Receiver;
let outcomes: PostOutcome[];
let others: number;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-strangers-'));
  const { key, cert } = selfSigned();
  writeFileSync(join(directory, 'key.pem'), key, { mode: 0o600 });
  writeFileSync(join(directory, 'cert.pem'), cert);
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await receiver.close(0);
  await store.close();
});

interface Settings {
  tls?: boolean;
  verify?: 'off' | 'warn' | 'refuse';
  /** The address of the BMC of SECRET; that of OTHER_SECRET is another one. */
  bmcHost?: string;
  rate?: number;
  totalRate?: number;
}

async function start(settings: Settings = {}): Promise<void> {
  const { tls = false, verify = 'off', bmcHost = '127.0.0.1', rate = 1e6, totalRate = 1e6 } = settings;
  store = await openStore('sqlite::memory:', { log: silentLogger });
  const senderOf = (token: string) => {
    const nodeUuid = NODES[token];
    return nodeUuid === undefined ? null : { nodeUuid, bmcHost: token === SECRET ? bmcHost : '192.0.2.9' };
  };
  [outcomes, others] = [[], 0];
  const files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
  receiver = await startReceiver({
    host: '127.0.0.1',
    port: 0,
    tls: tls ? { group: 'events.tls', ...files, clientCaFile: null, requireClientCertificate: false } : null,
    path: '/events',
    senders: { find: async (token) => senderOf(token), findKnown: senderOf },
    intake: new StoringIntake(store, silentLogger, NO_OBSERVER, { rate, totalRate }),
    senderCheck: verify === 'off' ? null : new SenderCheck(),
    refuseOthers: verify === 'refuse',
    log: silentLogger,
    ended: (outcome) => outcomes.push(outcome),
    otherSender: () => others++,
    maxConnections: 100,
    receiveTimeout: 500,
    limits: { firstBytesTimeout: 500, pingInterval: 300 },
  });
}

const bodyOf = (id: string) => JSON.stringify({ Events: [{ EventId: id, Message: 'text' }] });

async function stored(): Promise<string[]> {
  const events = await store.eventsAbove(0, 10_000);
  return events.map(({ nodeUuid, content }) => `${nodeUuid} ${(content as EventRecord).bmcEventId}`);
}

interface Sent {
  path?: string;
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Uint8Array;
}

/** Returns the status of the response; null when the connection ended without one. */
type Send = (sent: Sent) => Promise<{ status: number | null; text: string }>;

async function sendHttp1(request: ClientRequest, body: string | Uint8Array) {
  const { promise, resolve } = Promise.withResolvers<{ status: number | null; text: string }>();
  request.on('response', async (response) => {
    let text = '';
    for await (const chunk of response) text += chunk;
    resolve({ status: response.statusCode!, text });
  });
  request.on('error', () => resolve({ status: null, text: '' }));
  request.end(body);
  return promise;
}

async function sendHttp2({ path = `/events/${SECRET}`, method = 'POST', headers = {}, body = '' }: Sent) {
  const session = connectHttp2(receiver.url, { rejectUnauthorized: false });
  session.on('error', () => {});
  const stream = session.request({ ...headers, ':method': method, ':path': path }, { endStream: body === '' });
  stream.on('error', () => {});
  let [status, text]: [number | null, string] = [null, ''];
  stream.on('response', (head) => {
    status = head[':status'] ?? null;
  });
  stream.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  if (body !== '') stream.end(body);
  await new Promise((closed) => stream.once('close', closed));
  session.destroy();
  return { status, text };
}

const options = ({ path = `/events/${SECRET}`, method = 'POST', headers = {} }: Sent) => ({ path, method, headers });

const TRANSPORTS: [string, boolean, Send][] = [
  ['HTTP/1.1', false, (sent) => sendHttp1(requestHttp(receiver.url, options(sent)), sent.body ?? '')],
  [
    'HTTP/1.1 over TLS',
    true,
    (sent) => sendHttp1(requestHttps(receiver.url, { ...options(sent), rejectUnauthorized: false }), sent.body ?? ''),
  ],
  ['HTTP/2', false, sendHttp2],
  ['HTTP/2 over TLS', true, sendHttp2],
];

const compressed = (encoding: string, body: Uint8Array): Sent => ({ headers: { 'content-encoding': encoding }, body });
const big = Buffer.from(JSON.stringify({ Events: [{ Message: 'x'.repeat(16 * MAX_BODY) }] }));
const nested = (depth: number) => `{"Events":[{"EventId":"1","Oem":${'['.repeat(depth)}${']'.repeat(depth)}}]}`;

/** What is sent to a path of a source or elsewhere, and how it must end. */
const REFUSED: [string, number, PostOutcome, Sent[]][] = [
  [
    'another path',
    404,
    'unknown_path',
    [
      ...['/', '/events', '/events/', '/events/passthru_evt_', `/events/${SECRET}/`, `/events//${SECRET}`],
      ...[`/events/${SECRET}x`, `/events/${SECRET.slice(0, -1)}`, `/events/${SECRET.toUpperCase()}`],
      ...[`/events/x/../${SECRET}/.`, `/events/${SECRET.replace('_', '%5f')}`, `/events?${SECRET}`, `/other/${SECRET}`],
      ...[`/events/${'x'.repeat(5000)}`, '/redfish/v1', '/v1/events', `/events/${'*'.repeat(56)}`],
    ].map((path) => ({ path, body: bodyOf('1') })),
  ],
  [
    'another method',
    405,
    'wrong_method',
    ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'].map((method) => ({ method })),
  ],
  [
    'a body that is too long',
    413,
    'too_large',
    [
      compressed('gzip', gzipSync(big)),
      compressed('X-GZIP', gzipSync(big)),
      compressed('deflate', deflateSync(big)),
      compressed('br', brotliCompressSync(big)),
    ],
  ],
  [
    'a body that is malformed',
    400,
    'malformed',
    [
      ...['', ' ', '{', '}', 'null', '1', '"text"', '[]x', '{}', '[1]', '[[]]', '{"Events":[1]}', '{"Events":[null]}'],
      ...[
        '{"Events":',
        '{"Events":[{"EventId":"1"}',
        '<xml/>',
        '\u0000',
        'EventId=1',
        '{"Events":"x"}',
        '{"Alerts":7}',
      ],
      ...[nested(70), '['.repeat(200_000), '{"a":'.repeat(50_000), `[${'[],'.repeat(10_000)}[]]`],
    ].map((body) => ({ body })),
  ],
  [
    'a coding that is unknown or untrue',
    400,
    'malformed',
    [
      compressed('zstd', Buffer.from(bodyOf('1'))),
      compressed('gzip, gzip', gzipSync(gzipSync(bodyOf('1')))),
      compressed('gzip', Buffer.from(bodyOf('1'))),
      compressed('br', Buffer.from('x')),
      compressed('deflate', gzipSync(bodyOf('1'))),
      compressed('gzip', gzipSync(bodyOf('1')).subarray(0, 20)),
      compressed('__proto__', Buffer.from(bodyOf('1'))),
    ],
  ],
];

describe.each(TRANSPORTS)('over %s, a stranger', (_, tls, send) => {
  test.each(REFUSED)('with %s is refused, counted, and told nothing', async (_what, status, outcome, all) => {
    await start({ tls });
    for (const sent of all) {
      const described = JSON.stringify(sent).slice(0, 200);
      expect(await send(sent), described).toEqual({ status, text: '' });
    }
    expect(outcomes).toEqual(all.map(() => outcome));
    expect(await stored()).toEqual([]);
    expect(await send({ body: bodyOf('mine') })).toEqual({ status: 200, text: '' });
    expect(await stored()).toEqual(['right-node mine']);
  });

  test('with a body that does not end in time, or is too long as it is, leaves nothing', async () => {
    await start({ tls });
    const long = JSON.stringify({ Events: [{ Message: 'x'.repeat(2 * MAX_BODY) }] });
    // A client that still writes may meet the end of the connection before the response.
    for (const headers of [{ 'content-length': String(long.length) }, {}]) {
      expect([413, null]).toContain((await send({ body: long, headers })).status);
    }
    expect([408, 413, 400, null]).toContain((await send({ body: '{', headers: { 'content-length': '1000' } })).status);
    await vi.waitFor(() => expect(outcomes.length).toBeGreaterThanOrEqual(2));
    expect(outcomes).not.toContain('stored');
    expect(await stored()).toEqual([]);
    expect((await send({ body: bodyOf('mine') })).status).toBe(200);
  });

  test('that repeats a post is told the same, and it is stored once', async () => {
    await start({ tls });
    for (let times = 0; times < 5; times++) expect((await send({ body: bodyOf('1') })).status).toBe(200);
    expect(await stored()).toEqual(['right-node 1']);
  });

  test('that floods is refused, and keeps no other source out', async () => {
    await start({ tls, rate: 1 });
    const statuses = new Set<number | null>();
    for (let id = 0; id < 30; id++) statuses.add((await send({ body: bodyOf(String(id)) })).status);
    expect(statuses).toEqual(new Set([200, 503]));
    expect(await stored()).toHaveLength(outcomes.filter((outcome) => outcome === 'stored').length);
    expect((await send({ path: `/events/${OTHER_SECRET}`, body: bodyOf('1') })).status).toBe(200);
  });
});

test('floods of all sources together are refused above the total rate', async () => {
  await start({ totalRate: 1 });
  const [, , send] = TRANSPORTS[0]!;
  for (let id = 0; id < 30; id++) {
    await send({ path: `/events/${id % 2 === 0 ? SECRET : OTHER_SECRET}`, body: bodyOf(String(id)) });
  }
  expect(outcomes).toContain('rate_limited');
  expect(await stored()).toHaveLength(outcomes.filter((outcome) => outcome === 'stored').length);
});

describe('a post that comes from another address than that of the BMC', () => {
  // The token of another node is one such: its BMC has another address.
  test.each([
    ['off', 200, 'stored', 0],
    ['warn', 200, 'stored', 2],
    ['refuse', 403, 'wrong_sender', 0],
  ] as const)('with verify_sender: %s', async (verify, status, outcome, counted) => {
    await start({ verify, bmcHost: '192.0.2.1' });
    const [, , send] = TRANSPORTS[0]!;
    expect((await send({ body: bodyOf('1') })).status).toBe(status);
    expect((await send({ path: `/events/${OTHER_SECRET}`, body: bodyOf('1') })).status).toBe(status);
    expect([outcomes, others]).toEqual([[outcome, outcome], counted]);
    expect(await stored()).toHaveLength(status === 200 ? 2 : 0);
  });
});

describe('connections that say too little are closed, while others are served', () => {
  const head = `POST /events/${SECRET} HTTP/1.1\r\nHost: x\r\n`;
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  test.each([
    ['nothing', false, []],
    ['a head without end', false, [head, 'X-A: 1\r\n', 'X-A: 2\r\n']],
    ['a body without end', false, [`${head}Content-Length: 100\r\n\r\n`, '{', '"']],
    ['a chunk without end', false, [`${head}Transfer-Encoding: chunked\r\n\r\n`, 'ff\r\n{', '"']],
    ['a preface of HTTP/2', false, [preface]],
    ['half a preface', false, [preface.slice(0, 10)]],
    ['bytes that are no HTTP', false, ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03']],
    ['nothing to a port with TLS', true, []],
    ['HTTP to a port with TLS', true, [`${head}Content-Length: 2\r\n\r\n{}`]],
  ])('%s', async (_, tls, parts) => {
    await start({ tls });
    const sockets: Socket[] = Array.from({ length: 20 }, () =>
      connect(Number(new URL(receiver.url).port), '127.0.0.1'),
    );
    const closed = sockets.map((socket) => once(socket.on('error', () => {}).resume(), 'close'));
    const trickle = parts.map((part) => Buffer.from(part, 'latin1'));
    for (const part of trickle) for (const socket of sockets) socket.write(part);
    const send = TRANSPORTS[tls ? 1 : 0]![2];
    expect((await send({ body: bodyOf('mine') })).status).toBe(200);
    await Promise.all(closed);
    expect(await stored()).toEqual(['right-node mine']);
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1);
  });
});
