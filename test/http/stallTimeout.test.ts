import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestService, type TestService } from '../rpc/service.ts';

const STALL = 400;
const SIZE = 32 * 1024 * 1024;
const DUMP = '/v1/nodes/n1/vendor_passthru?method=dump';
const ARGUMENTS = JSON.stringify({ size: SIZE });
const VERSION = 'X-OpenStack-Ironic-API-Version';

let service: TestService;
beforeEach(async () => {
  service = await startTestService({ limits: { stallTimeout: STALL } });
  await service.createNode('n1');
});
afterEach(() => service[Symbol.asyncDispose]());

function dumpOverHttp2(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({ ':path': DUMP, [VERSION]: '1.80' }, { endStream: false });
  stream.on('error', () => {}).end(ARGUMENTS);
  return stream;
}

async function health(session: ClientHttp2Session): Promise<unknown> {
  const [headers] = await once(session.request({ ':path': '/healthz' }).resume(), 'response');
  return headers[':status'];
}

test('a response that the client does not read is aborted over HTTP/1.1', async () => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET ${DUMP} HTTP/1.1\r\nHost: a\r\n${VERSION}: 1.80\r\n`);
  socket.write(`Content-Length: ${ARGUMENTS.length}\r\n\r\n${ARGUMENTS}`);
  await once(socket, 'readable');
  expect(socket.read(15).toString()).toBe('HTTP/1.1 200 OK');
  // It waits for responses longer than the test does.
  await service.listener.close(60_000);
  socket.destroy();
});

test('over HTTP/2 its stream is reset, and the connection stays', async () => {
  const session = connectHttp2(service.url);
  const stream = dumpOverHttp2(session);
  const [headers] = await once(stream, 'response');
  expect(headers[':status']).toBe(200);
  await new Promise((resolve) => stream.once('close', resolve));
  expect(await health(session)).toBe(200);
  // It waits for streams as well: the service has ended this one too.
  await service.listener.close(60_000);
  session.destroy();
});

test('so is a small one of a gRPC call whose client takes no data at all', async () => {
  const session = connectHttp2(service.url, { settings: { initialWindowSize: 0 } });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/passthru.v1.PassthruService/ListNodeMethods',
    'content-type': 'application/grpc',
  });
  const closed = new Promise((resolve) => stream.on('error', () => {}).once('close', resolve));
  // ListNodeMethodsRequest.node
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 4, 0x0a, 2]), Buffer.from('n1')]));
  const [headers] = await once(stream, 'response');
  expect(headers[':status']).toBe(200);
  await closed;
  expect(stream.rstCode).toBe(8);
  session.destroy();
});

test('beside a large response others are sent on the same connection', async () => {
  const session = connectHttp2(service.url);
  await once(dumpOverHttp2(session), 'response');
  expect(await health(session)).toBe(200);
  session.destroy();
});

test('a response that is read slowly arrives complete', async () => {
  const session = connectHttp2(service.url);
  let taken = 0;
  for await (const chunk of dumpOverHttp2(session)) {
    taken += chunk.length;
    if (taken % (4 * 1024 * 1024) < chunk.length) await sleep(STALL / 4);
  }
  expect(taken).toBe(SIZE);
  session.destroy();
});

test('a call that is quiet for longer still gets its response', async () => {
  const quiet = await fetch(`${service.url}/passthru.v1.PassthruService/CallNodeMethod`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Connect-Timeout-Ms': String(3 * STALL) },
    body: '{"node":"n1","method":"until_aborted"}',
  });
  expect(((await quiet.json()) as { code: string }).code).toBe('deadline_exceeded');
});
