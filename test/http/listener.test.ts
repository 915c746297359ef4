import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { startListener } from '../../src/http/listener.ts';
import { LISTENER_LIMITS } from '../defaultLimits.ts';
import { startTestService, type TestService } from '../rpc/service.ts';
import { FRAME } from './http2Frames.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const CALL = '/passthru.v1.PassthruService/CallNodeMethod';

/** Short enough to wait for, long enough not to elapse by accident. */
const SHORT = 300;

const SHORT_LIMITS = {
  firstBytesTimeout: SHORT,
  headersTimeout: SHORT,
  requestTimeout: SHORT,
  pingInterval: SHORT,
};

let service: TestService;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await service[Symbol.asyncDispose]();
});

function openSocket(): Socket {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** Resolves with the received data when the peer has closed the connection. */
async function closing(socket: Socket): Promise<string> {
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  await once(socket, 'close');
  return received;
}

/** Returns the types of the HTTP/2 frames in `received`. */
function frameTypes(received: string): number[] {
  const bytes = Buffer.from(received, 'latin1');
  const types = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes[at + 3]!);
  return types;
}

test('a kept-alive HTTP/1.1 connection serves the next request after a message that was too large', async () => {
  service = await startTestService({ rpcLimits: { readMaxBytes: 1000 } });
  const socket = openSocket();
  const large = `{"method": "${'m'.repeat(1024 * 1024)}"}`;
  const head = `POST ${CALL} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json`;
  socket.write(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`);
  socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const received = await closing(socket);
  expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 429', 'HTTP/1.1 200']);
});

describe('a stalled connection is closed', () => {
  beforeEach(async () => {
    service = await startTestService({ limits: SHORT_LIMITS });
  });

  test('when it is silent', async () => {
    expect(await closing(openSocket())).toBe('');
  });

  test('when it stops within the HTTP/2 preface', async () => {
    const socket = openSocket();
    socket.write('PR');
    expect(await closing(socket)).toBe('');
  });

  test.each([
    ['half a header', 'GET /v1 HTTP/1.1\r\nHost: a\r\nX-Half'],
    ['half a body for REST', 'POST /v1/nodes HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{'],
    [
      'half a body for Connect',
      `POST ${CALL} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`,
    ],
  ])('when it sends %s over HTTP/1.1', async (_what, text) => {
    const socket = openSocket();
    socket.write(text);
    expect(await closing(socket)).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  test('when it is silent after the HTTP/2 preface', async () => {
    const socket = openSocket();
    socket.write(Buffer.concat([Buffer.from(PREFACE), EMPTY_SETTINGS]));
    expect(frameTypes(await closing(socket))).toContain(FRAME.ping);
  });

  test('when it sends half a frame over HTTP/2', async () => {
    const socket = openSocket();
    // The header of a HEADERS frame of 100 bytes, and the first three.
    const half = Buffer.from([0, 0, 100, 1, 4, 0, 0, 0, 1, 0x82, 0x86, 0x84]);
    socket.write(Buffer.concat([Buffer.from(PREFACE), EMPTY_SETTINGS, half]));
    expect(frameTypes(await closing(socket))).toContain(FRAME.ping);
  });

  test.each(['/v1/nodes', CALL])('when it sends half a body to %s over HTTP/2: the stream ends', async (path) => {
    const session = connectHttp2(service.url);
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    stream.write('{');
    await new Promise((resolve) => stream.once('close', resolve));
    expect(session.closed).toBe(false);
    session.destroy();
  });
});

test('an HTTP/2 session without streams gets GOAWAY after its idle timeout', async () => {
  service = await startTestService({ limits: { pingInterval: 50, sessionIdleTimeout: 200 } });
  const session = connectHttp2(service.url);
  const [code] = await once(session, 'goaway');
  expect(code).toBe(constants.NGHTTP2_NO_ERROR);
  await once(session, 'close');
});

test('a quiet stream stays open while its peer responds to pings', async () => {
  service = await startTestService({ limits: { ...SHORT_LIMITS, pingInterval: 150 } });
  await service.createNode('n1');
  const transport = createConnectTransport({ baseUrl: service.url, httpVersion: '2' });
  const client = createClient(PassthruService, transport);
  const { outcome } = await client.callNodeMethod({ node: 'n1', method: 'job_of_two_steps' });
  const jobId = outcome.case === 'job' ? outcome.value.id : '';
  const watch = client.watchJob({ jobId })[Symbol.asyncIterator]();
  expect((await watch.next()).value.job.revision).toBe(1n);
  const pings = openSocket();
  await closing(pings);
  service.nextStep();
  expect((await watch.next()).value.job.revision).toBe(2n);
  await watch.return?.();
});

test('an HTTP/2 client that dies during a call, with unread responses, is noticed immediately', async () => {
  service = await startTestService();
  await service.createNode('n1');
  const socket = openSocket();
  const session = connectHttp2(service.url, { createConnection: () => socket, settings: { initialWindowSize: 0 } });
  session.on('error', () => {});
  const version = { 'x-openstack-ironic-api-version': '1.80' };
  const unread = session.request({ ':path': '/v1/nodes/n1', ...version });
  const call = { ':method': 'POST', ':path': '/v1/nodes/n1/vendor_passthru/until_aborted', ...version };
  for (const stream of [unread, session.request(call)]) stream.on('error', () => {}).end();
  await once(unread, 'response');
  await expect.poll(async () => (await service.core.nodes.get('n1')).reservation).not.toBeNull();
  // Like a killed process: its system closes the connection without a frame.
  socket.destroy();
  expect((await service.aborted).kind).toBe('cancelled');
  await service.listener.close(60_000);
});

describe('limits', () => {
  beforeEach(async () => {
    service = await startTestService({ limits: { maxConcurrentStreams: 7 } });
    await service.createNode('n1');
  });

  test('a message over 1 MiB is RESOURCE_EXHAUSTED, also when it is small before decompression', async () => {
    const text = JSON.stringify({ node: 'n1', method: 'echo', arguments: { value: 'x'.repeat(1024 * 1024) } });
    const plain = await post(text);
    const packed = await post(gzipSync(text), { 'Content-Encoding': 'gzip' });
    for (const response of [plain, packed]) {
      expect([response.status, (await response.error()).code]).toEqual([429, 'resource_exhausted']);
    }
  });

  test('a deadline over an hour is refused, except for a stream', async () => {
    const long = { 'Connect-Timeout-Ms': '3600001' };
    expect((await (await post('{}', long)).error()).code).toBe('invalid_argument');
    const watch = await fetch(`${service.url}/passthru.v1.PassthruService/WatchJob`, {
      method: 'POST',
      headers: { ...long, 'Content-Type': 'application/connect+json' },
      body: Buffer.concat([Buffer.from([0, 0, 0, 0, 14]), Buffer.from('{"job_id":"x"}')]),
    });
    expect(await watch.text()).toContain('"not_found"');
  });

  test.each([
    ['Grpc-Timeout', '99999999H', 'application/grpc+json', '{}'],
    ['Connect-Timeout-Ms', '9999999999', 'application/json', '{}'],
  ])(
    'a deadline that no timer can count (%s: %s) is refused, and nothing warns of it',
    async (name, value, type, body) => {
      const warnings: Error[] = [];
      const note = (warning: Error) => void warnings.push(warning);
      process.on('warning', note);
      const session = connectHttp2(service.url);
      const headers = { ':method': 'POST', ':path': CALL, 'content-type': type, te: 'trailers', [name]: value };
      const stream = session.request(headers).on('error', () => {});
      const got: Record<string, unknown> = {};
      stream.on('response', (fields) => Object.assign(got, fields));
      stream.on('trailers', (fields) => Object.assign(got, fields));
      stream.resume().end(body);
      await new Promise((resolve) => stream.once('close', resolve));
      expect(got).toMatchObject(type === 'application/json' ? { ':status': 400 } : { 'grpc-status': '3' });
      session.destroy();
      process.off('warning', note);
      expect(warnings.filter(({ name }) => name === 'TimeoutOverflowWarning')).toEqual([]);
    },
  );

  test('a deadline that passes is reported with its detail', async () => {
    const body = JSON.stringify({ node: 'n1', method: 'until_aborted' });
    const response = await post(body, { 'Connect-Timeout-Ms': '50' });
    const { code, details } = await response.error();
    expect(code).toBe('deadline_exceeded');
    expect(details[0]?.debug.reason).toBe('ERROR_REASON_DEADLINE_EXCEEDED');
    expect((await service.aborted).kind).toBe('deadline_exceeded');
  });

  test.each([
    ['no JSON', '{'],
    ['no object', '[1]'],
    ['a field that is not there', '{"nodes":"n1"}'],
    ['a wrong type', '{"node":1}'],
    ['100000 levels', '['.repeat(100_000)],
    ['100000 levels of objects', `{"arguments":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}`],
  ])('a body that is %s is INVALID_ARGUMENT', async (_what, body) => {
    const response = await post(body);
    const { code, message } = await response.error();
    expect([response.status, code]).toEqual([400, 'invalid_argument']);
    expect(message).not.toMatch(/\.js:\d/);
  });

  test('a header over the limit is refused by either version of HTTP', async () => {
    const big = { 'X-Big': 'x'.repeat(20_000) };
    expect((await post('{}', big)).status).toBe(431);
    const session = connectHttp2(service.url);
    // The limit applies once the peer has acknowledged it, as it has with the first response.
    await once(session.request({ ':path': '/healthz' }).resume(), 'close');
    const stream = session.request({ ':method': 'POST', ':path': CALL, 'x-big': big['X-Big'] });
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  });

  test('HTTP/2 peers are sent the maximum number of streams', async () => {
    const session: ClientHttp2Session = connectHttp2(service.url);
    await once(session, 'remoteSettings');
    expect(session.remoteSettings.maxConcurrentStreams).toBe(7);
    session.destroy();
  });

  test.each(['', 'Host: a b\r\n', 'Host: [\r\n'])('an RPC with the Host header "%s" is refused', async (host) => {
    const socket = openSocket();
    socket.write(`POST ${CALL} HTTP/1.0\r\n${host}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`);
    expect(await closing(socket)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  });
});

describe('closing', () => {
  beforeEach(async () => {
    service = await startTestService();
    await service.createNode('n1');
  });

  test('a running call gets its response within the grace period, and kept-alive connections do not delay closing', async () => {
    const idle = await fetch(`${service.url}/healthz`);
    await idle.text();
    const session = connectHttp2(service.url);
    await once(session, 'connect');
    const http1 = post(JSON.stringify({ node: 'n1', method: 'until_aborted' }), { 'Connect-Timeout-Ms': '500' });
    await expect.poll(async () => (await service.core.nodes.get('n1')).reservation).not.toBeNull();
    await service.listener.close(60_000);
    expect((await (await http1).error()).code).toBe('deadline_exceeded');
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
    session.destroy();
  });

  test('streams end immediately with UNAVAILABLE', async () => {
    const transport = createConnectTransport({ baseUrl: service.url, httpVersion: '2' });
    const client = createClient(PassthruService, transport);
    const { outcome } = await client.callNodeMethod({ node: 'n1', method: 'job_of_two_steps' });
    const watch = client.watchJob({ jobId: outcome.case === 'job' ? outcome.value.id : '' })[Symbol.asyncIterator]();
    await watch.next();
    const closed = service.listener.close(60_000);
    await expect(watch.next()).rejects.toThrow(/^\[unavailable\] The service is shutting down/);
    await closed;
  });

  test('a call that outlasts the grace period is aborted, and the listener closes', async () => {
    const late = post(JSON.stringify({ node: 'n1', method: 'until_aborted' }));
    await expect.poll(async () => (await service.core.nodes.get('n1')).reservation).not.toBeNull();
    await service.listener.close(50);
    // Not `unavailable`, which clients retry: the call may have been executed.
    expect((await (await late).error()).code).toBe('deadline_exceeded');
    expect((await service.aborted).kind).toBe('shutting_down');
  });

  test('a silent connection does not delay closing', async () => {
    const socket = openSocket();
    await once(socket, 'connect');
    const [received] = await Promise.all([closing(socket), service.listener.close(60_000)]);
    expect(received).toBe('');
  });
});

describe('the address', () => {
  beforeEach(async () => {
    service = await startTestService();
  });
  const listen = (host: string, port: number) =>
    startListener({
      host,
      port,
      log: silentLogger,
      handle: (_request, response) => response.end('ok'),
      endsInTime: () => true,
      stop: { streams: new AbortController(), calls: new AbortController() },
      limits: LISTENER_LIMITS,
    });

  test('one in use is refused with a clear error', async () => {
    const port = Number(new URL(service.url).port);
    await expect(listen('127.0.0.1', port)).rejects.toMatchObject({
      kind: 'failed_precondition',
      message: `Cannot listen on 127.0.0.1:${port}: the address is already in use`,
    });
  });

  test('an IPv6 address is shown in brackets', async () => {
    const listener = await listen('::1', 0);
    expect(listener.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    const request = httpRequest(listener.url).end();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    await listener.close(0);
  });
});

interface ErrorBody {
  code: string;
  message: string;
  details: { debug: { reason: string } }[];
}

/** Calls over Connect with JSON. */
async function post(body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await fetch(service.url + CALL, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });
  return {
    status: response.status,
    headers: response.headers,
    error: async () => (await response.json()) as ErrorBody,
  };
}
