import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { EventRecord } from '../../src/core/events/event.ts';
import { StoringIntake } from '../../src/core/events/intake.ts';
import type { Logger } from '../../src/core/logger.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { NO_OBSERVER } from '../../src/core/observer.ts';
import type { Store } from '../../src/core/store.ts';
import { MAX_BODY, type PostOutcome, type Receiver, startReceiver } from '../../src/events/receiver.ts';
import { SenderCheck } from '../../src/events/senderCheck.ts';
import { openStore } from '../../src/store/open.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const OTHER_NODE = '22222222-2222-4222-8222-222222222222';
const SECRET = 'passthru_evt_right';

let store: Store;
let receiver: Receiver;
let outcomes: PostOutcome[];
let others: number;
let lines: string[];
/** What the next look-up of a secret fails with. */
let broken: Error | null;
/** What a look-up waits for. */
let lookedUp: Promise<unknown>;

async function start(options: { bmcHost?: string | null; refuseOthers?: boolean; rate?: number; path?: string } = {}) {
  const { bmcHost = '127.0.0.1', refuseOthers = false, rate = 10_000, path = '' } = options;
  const log = {
    ...silentLogger,
    warn: (fields: object, message: string) => lines.push(JSON.stringify({ fields, message })),
  };
  receiver = await startReceiver({
    host: '127.0.0.1',
    port: 0,
    tls: null,
    path,
    senders: {
      findKnown: () => null,
      async find(token) {
        if (broken !== null) throw broken;
        await lookedUp;
        if (token === SECRET) return { nodeUuid: NODE, bmcHost };
        return token === 'passthru_evt_other' ? { nodeUuid: OTHER_NODE, bmcHost: '192.0.2.9' } : null;
      },
    },
    intake: new StoringIntake(store, silentLogger, NO_OBSERVER, { rate, totalRate: 100_000 }),
    senderCheck: new SenderCheck(async (host) => {
      if (host === 'nowhere.example') throw new Error('ENOTFOUND');
      return [{ address: host === 'bmc.example' ? '127.0.0.1' : '192.0.2.1' }];
    }),
    refuseOthers,
    log: log as Logger,
    ended: (outcome) => outcomes.push(outcome),
    otherSender: () => others++,
    maxConnections: 20,
    receiveTimeout: 300,
    limits: { firstBytesTimeout: 200 },
  });
}

beforeEach(async () => {
  store = await openStore('sqlite::memory:', { log: silentLogger });
  [outcomes, others, lines, broken, lookedUp] = [[], 0, [], null, Promise.resolve()];
});
afterEach(async () => {
  await receiver.close(0);
  await store.close();
});

const bodyOf = (...ids: string[]) => JSON.stringify({ Events: ids.map((EventId) => ({ EventId, Message: 'text' })) });

async function post(path: string, body: string | Uint8Array, init: RequestInit = {}) {
  const response = await fetch(receiver.url + path, { method: 'POST', body: body as string, ...init });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function stored(): Promise<string[]> {
  const events = await store.eventsAbove(0, 10_000);
  return events.map(
    ({ nodeUuid, content }) => `${nodeUuid === NODE ? '' : 'other '}${(content as EventRecord).bmcEventId}`,
  );
}

/** Sends text as it is, and returns all that is received until the connection closes. */
async function raw(...parts: string[]): Promise<string> {
  const socket = connect(Number(new URL(receiver.url).port), '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (text) => (received += text));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  for (const part of parts) {
    socket.write(part);
    await sleep(5);
  }
  await closed;
  return received;
}

describe('a post to the path of a source', () => {
  beforeEach(() => start());

  test('is acknowledged by 200 without a body when its events are stored', async () => {
    expect(await post(`/${SECRET}`, bodyOf('1', '2'))).toMatchObject({ status: 200, text: '' });
    expect(await post('/passthru_evt_other', bodyOf('3'))).toMatchObject({ status: 200 });
    expect(await stored()).toEqual(['1', '2', 'other 3']);
    expect(outcomes).toEqual(['stored', 'stored']);
  });

  test('that is repeated is acknowledged, and stored once', async () => {
    for (let times = 0; times < 3; times++) expect((await post(`/${SECRET}`, bodyOf('1'))).status).toBe(200);
    expect(await stored()).toEqual(['1']);
  });

  test('is taken from clients that keep to less than the standard', async () => {
    const { host } = new URL(receiver.url);
    const head = `POST /${SECRET} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`;
    const length = (body: string) => `Content-Length: ${body.length}\r\n\r\n`;
    const body = (id: string) => bodyOf(id);
    expect(await raw(`${head}Content-Type: text/plain\r\n${length(body('1'))}${body('1')}`)).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    expect(await raw(`${head}Expect: 100-continue\r\n${length(body('2'))}`, body('2'))).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
    );
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const half = body('3').length / 2;
    expect(
      await raw(
        `${head}Transfer-Encoding: chunked\r\n\r\n`,
        chunk(body('3').slice(0, half)),
        `${chunk(body('3').slice(half))}0\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1\.1 200 /);
    expect(await raw(`POST /${SECRET} HTTP/1.0\r\n${length(body('4'))}${body('4')}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(
      (await post(`/${SECRET}?x=1`, gzipSync(body('5')), { headers: { 'Content-Encoding': 'gzip' } })).status,
    ).toBe(200);
    expect(await stored()).toEqual(['1', '2', '3', '4', '5']);
  });
});

describe('strangers are refused, counted, told nothing, and leave nothing', () => {
  test('at another path, and with another method', async () => {
    await start({ path: '/events' });
    const { text } = await post('/', bodyOf('1'));
    expect(text).toBe('');
    for (const path of [
      '/',
      '/x',
      `/${SECRET}/`,
      `/x/${SECRET}`,
      `/${SECRET}x`,
      `/${'x'.repeat(300)}`,
      `/events/events/${SECRET}`,
    ]) {
      expect(await post(path, bodyOf('1'))).toMatchObject({ status: 404, text: '' });
    }
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect((await fetch(`${receiver.url}/${SECRET}`, { method })).status).toBe(405);
      expect((await fetch(`${receiver.url}/x`, { method })).status).toBe(404);
    }
    expect(await stored()).toEqual([]);
    expect(new Set(outcomes)).toEqual(new Set(['unknown_path', 'wrong_method']));
    expect((await post(`/events/${SECRET}`, bodyOf('1'))).status).toBe(200);
    expect((await post(`/${SECRET}`, bodyOf('2'))).status).toBe(200);
    // One line for all of them, without what they sent.
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain(SECRET);
  });

  test('from another address, when that is checked', async () => {
    await start({ bmcHost: '192.0.2.1', refuseOthers: true });
    expect(await post(`/${SECRET}`, bodyOf('1'))).toMatchObject({ status: 403, text: '' });
    // The token of another node.
    expect(await post('/passthru_evt_other', bodyOf('1'))).toMatchObject({ status: 403, text: '' });
    expect([await stored(), outcomes, others]).toEqual([[], ['wrong_sender', 'wrong_sender'], 0]);
  });

  test('with bodies that are too long, compressed or not, or that hold no events', async () => {
    await start();
    const long = JSON.stringify({ Events: [{ Message: 'x'.repeat(MAX_BODY) }] });
    const statusOf = async (body: string | Uint8Array, headers: Record<string, string> = {}) =>
      (await post(`/${SECRET}`, body, { headers }).catch(() => ({ status: 413 }))).status;
    expect(await statusOf(long)).toBe(413);
    expect(await statusOf(gzipSync(long), { 'Content-Encoding': 'gzip' })).toBe(413);
    expect(await statusOf('x', { 'Content-Encoding': 'gzip' })).toBe(400);
    expect(await statusOf('x', { 'Content-Encoding': 'zstd' })).toBe(400);
    for (const body of ['', '{', '{}', '[1]', '"x"', '['.repeat(100_000), `${'['.repeat(80)}${']'.repeat(80)}`]) {
      expect(await statusOf(body), body.slice(0, 20)).toBe(400);
    }
    expect(await stored()).toEqual([]);
    expect(outcomes.filter((outcome) => outcome === 'malformed')).toHaveLength(9);
  });

  test.each([
    ['at once', 0],
    ['after its end', 50],
  ])('without a body, looked up %s', async (_, ms) => {
    await start();
    for (const head of ['HTTP/1.1\r\nHost: x\r\nConnection: close', 'HTTP/1.0', 'HTTP/1.0\r\nContent-Length: 0']) {
      lookedUp = sleep(ms);
      expect(await raw(`POST /${SECRET} ${head}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(outcomes).toEqual(['malformed', 'malformed', 'malformed']);
  });

  test('that leave while they are looked up', async () => {
    await start();
    const { promise, resolve } = Promise.withResolvers<void>();
    lookedUp = promise;
    const socket = connect(Number(new URL(receiver.url).port), '127.0.0.1');
    socket.write(`POST /${SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{`);
    await sleep(20);
    socket.destroy();
    await sleep(20);
    resolve();
    await expect.poll(() => outcomes, { timeout: 30_000 }).toEqual(['aborted']);
    expect(await stored()).toEqual([]);
  });

  test('that are slow, or say nothing', async () => {
    await start();
    const head = `POST /${SECRET} HTTP/1.1\r\nHost: x\r\n`;
    await raw('');
    await raw(head);
    await raw(`${head}Content-Length: 100\r\n\r\n{`);
    expect(await stored()).toEqual([]);
    expect((await post(`/${SECRET}`, bodyOf('1'))).status).toBe(200);
  });

  test('that send more than their rate get 503 with Retry-After, and nothing of it is acknowledged', async () => {
    await start({ rate: 2 });
    const ids = Array.from({ length: 40 }, (_, id) => String(id));
    const acknowledged: string[] = [];
    for (const id of ids) {
      const { status, headers } = await post(`/${SECRET}`, bodyOf(id));
      if (status === 200) acknowledged.push(id);
      else expect([status, headers.get('retry-after')]).toEqual([503, '5']);
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(20);
    expect(acknowledged.length).toBeLessThan(40);
    expect(await stored()).toEqual(acknowledged);
    // Others have rates of their own.
    expect((await post('/passthru_evt_other', bodyOf('1'))).status).toBe(200);
  });
});

describe('the sender of a post', () => {
  test.each([
    ['an address', '127.0.0.1', 200, 0],
    ['a mapped address', '::ffff:127.0.0.1', 200, 0],
    ['a name', 'BMC.example', 200, 0],
    ['another address', '192.0.2.1', 200, 1],
    ['another name', 'x.example', 200, 1],
    ['nothing', null, 200, 1],
    ['a name that cannot be resolved now', 'nowhere.example', 503, 0],
  ])('is held against the BMC: %s', async (_, bmcHost, status, strangers) => {
    await start({ bmcHost });
    expect((await post(`/${SECRET}`, bodyOf('1'))).status).toBe(status);
    expect(others).toBe(strangers);
    expect(await stored()).toEqual(status === 200 ? ['1'] : []);
  });
});

describe('the receiver', () => {
  test('acknowledges nothing while the store is away', async () => {
    await start();
    broken = new PassthruError('store_unavailable', 'away');
    expect(await post(`/${SECRET}`, bodyOf('1'))).toMatchObject({ status: 503, text: '' });
    broken = null;
    store.addEvents = async () => {
      throw new PassthruError('store_unavailable', 'away');
    };
    expect((await post(`/${SECRET}`, bodyOf('1'))).status).toBe(503);
    expect(outcomes).toEqual(['unavailable', 'unavailable']);
  });

  test('finishes what is under way when it stops', async () => {
    await start();
    const { addEvents } = store;
    const begun = Promise.withResolvers<void>();
    const committed = Promise.withResolvers<void>();
    store.addEvents = async (events) => {
      begun.resolve();
      await committed.promise;
      return addEvents(events);
    };
    const response = post(`/${SECRET}`, bodyOf('1'));
    await begun.promise;
    const closed = receiver.close(5000);
    committed.resolve();
    expect((await response).status).toBe(200);
    await closed;
    expect(await stored()).toEqual(['1']);
    await expect(post(`/${SECRET}`, bodyOf('2'))).rejects.toThrow('fetch failed');
  });
});
