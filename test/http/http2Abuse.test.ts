import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { startTestService, type TestService } from '../rpc/service.ts';
import { END_HEADERS, END_STREAM, FRAME, frame, GET, HELLO, POST, rapidReset, streamId, word } from './http2Frames.ts';

let service: TestService;
let friend: ClientHttp2Session;
let abuser: Socket;

async function start(limits: Parameters<typeof startTestService>[0] = {}): Promise<void> {
  service = await startTestService(limits);
  friend = connectHttp2(service.url);
  abuser = connect(Number(new URL(service.url).port), '127.0.0.1');
  abuser.on('error', () => {});
  await once(abuser, 'connect');
}

afterEach(async () => {
  friend.destroy();
  abuser.destroy();
  await service[Symbol.asyncDispose]();
});

/** Sends at most `most` frames while the connection is open; returns how many were sent. */
async function send(make: (index: number) => Buffer, most: number, batch = 250): Promise<number> {
  const closed = new Promise<void>((resolve) => abuser.once('close', () => resolve()));
  abuser.resume();
  abuser.write(HELLO);
  let index = 0;
  while (index < most && !abuser.destroyed) {
    const frames = Array.from({ length: Math.min(batch, most - index) }, () => make(index++));
    await Promise.race([new Promise((resolve) => abuser.write(Buffer.concat(frames), resolve)), closed]);
    // The service is in this process and reads in the next turn of the event loop.
    await turn();
  }
  await closed;
  return index;
}

async function health(session: ClientHttp2Session): Promise<number | undefined> {
  const stream = session.request({ ':path': '/healthz' }).resume();
  const [headers] = await once(stream, 'response');
  await once(stream, 'close');
  return headers[':status'];
}

describe('a client that abuses HTTP/2 is disconnected while another is served:', () => {
  beforeEach(() => start());

  test.each<[what: string, make: (index: number) => Buffer]>([
    ['streams that are reset at once', rapidReset],
    [
      'streams that force a reset by an invalid window',
      (index) =>
        Buffer.concat([
          frame(FRAME.headers, END_HEADERS, streamId(index), POST),
          frame(FRAME.windowUpdate, 0, streamId(index), word(0)),
        ]),
    ],
    [
      'streams that force a reset by data after their end',
      (index) =>
        Buffer.concat([
          frame(FRAME.headers, END_HEADERS | END_STREAM, streamId(index), POST),
          frame(FRAME.data, END_STREAM, streamId(index), word(0)),
        ]),
    ],
    [
      'streams without a path',
      (index) => frame(FRAME.headers, END_HEADERS | END_STREAM, streamId(index), GET.subarray(0, 1)),
    ],
    [
      'an endless header',
      (index) => (index === 0 ? frame(FRAME.headers, END_STREAM, 1, GET) : frame(FRAME.continuation, 0, 1)),
    ],
    [
      'empty DATA frames',
      (index) => (index === 0 ? frame(FRAME.headers, END_HEADERS, 1, POST) : frame(FRAME.data, 0, 1)),
    ],
    [
      'endless streams over the maximum',
      (index) =>
        frame(
          FRAME.headers,
          END_HEADERS,
          streamId(index),
          Buffer.concat([POST.subarray(0, 2), Buffer.from([0x44, 3, 0x2f, 0x76, 0x31]), POST.subarray(3)]),
        ),
    ],
    ['pings', () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['settings', () => frame(FRAME.settings, 0, 0, Buffer.concat([Buffer.from([0, 3]), word(100)]))],
    ['a frame that is too large', () => frame(FRAME.data, 0, 1, Buffer.alloc(20_000))],
  ])('%s', async (_what, make) => {
    expect(await health(friend)).toBe(200);
    expect(await send(make, 100_000)).toBeLessThan(100_000);
    expect(await health(friend)).toBe(200);
  });
});

test('a stream that its client resets immediately is not handled', async () => {
  const seen: object[] = [];
  const note = { debug: (fields: object) => void seen.push(fields), info() {}, warn() {}, error() {} };
  await start({ log: note });
  abuser.write(Buffer.concat([HELLO, ...Array.from({ length: 20 }, (_, index) => rapidReset(index))]));
  expect(await health(friend)).toBe(200);
  await expect.poll(() => seen.length).toBeGreaterThan(0);
  expect(seen).toEqual([expect.objectContaining({ path: '/healthz' })]);
});

test.each([
  ['pings', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ['settings', frame(FRAME.settings, 0, 0)],
])(
  'a flood of %s ends the connection even when each is acknowledged before the next few arrive',
  async (_what, one) => {
    await start({ limits: { maxControlFrames: 50 } });
    expect(await send(() => one, 10_000, 10)).toBeLessThan(10_000);
    expect(await health(friend)).toBe(200);
  },
);

test('a client that pings occasionally stays connected', async () => {
  await start({ limits: { maxControlFrames: 50 } });
  for (let index = 0; index < 90; index++) {
    await new Promise<void>((resolve, reject) => friend.ping((error) => (error ? reject(error) : resolve())));
  }
  expect(await health(friend)).toBe(200);
});

test('an old HTTP/2 connection gets GOAWAY, and its open streams finish', async () => {
  const limits = { pingInterval: 1000, sessionMaxAge: 500 };
  // The session ages when the test says so, however slow the machine is.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  try {
    await start({ limits });
    await service.createNode('n1');
    const headers = { ':method': 'POST', 'content-type': 'application/json' };
    const call = friend.request({ ...headers, ':path': '/passthru.v1.PassthruService/CallNodeMethod' });
    call.end('{"node":"n1","method":"job_of_two_steps"}');
    const { job } = JSON.parse((await call.setEncoding('utf8').toArray()).join(''));
    const watch = friend.request({ ':path': `/v1/jobs/${job.id}/events` });
    await once(watch, 'response');
    const goaway = once(friend, 'goaway');
    vi.advanceTimersByTime(limits.pingInterval);
    const [code] = await goaway;
    expect(code).toBe(0);
    // Node sends no more pings on a closed session, whose absence must not end it.
    vi.advanceTimersByTime(5 * limits.pingInterval);
    service.nextStep();
    await expect.poll(async () => (await service.core.jobs.get(job.id, ANONYMOUS)).revision).toBe(2);
    service.nextStep();
    expect((await watch.setEncoding('utf8').toArray()).join('')).toContain('JOB_STATE_SUCCEEDED');
    if (!friend.destroyed) await once(friend, 'close');
  } finally {
    vi.useRealTimers();
  }
});

test('a step of the wall clock ends no HTTP/2 connection', async () => {
  await start({ limits: { pingInterval: 500 } });
  expect(await health(friend)).toBe(200);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 60 * 60 * 1000 });
  try {
    // The first check of the session either sends a PING or GOAWAY.
    const seen = await Promise.race(['ping', 'goaway'].map((event) => once(friend, event).then(() => event)));
    expect(seen).toBe('ping');
    expect(await health(friend)).toBe(200);
  } finally {
    vi.useRealTimers();
  }
});
