import { once } from 'node:events';
import { connect } from 'node:http2';
import { createConnection } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfiguredService, startBasicService } from './guardedService.ts';
import { basic } from './users.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let service: ConfiguredService;
beforeAll(async () => {
  service = await startBasicService('anna');
  await service.createNode('n1');
});
afterAll(() => service[Symbol.asyncDispose]());

/** Returns the memory of all buffers in MiB. */
function bufferMemory(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers / 1024 / 1024;
}

describe('the body of an unauthenticated request is not kept', () => {
  test.each([
    ['REST', '/v1/nodes/n1/vendor_passthru/echo', 'application/json'],
    ['Connect', '/passthru.v1.PassthruService/CallNodeMethod', 'application/json'],
    ['gRPC', '/passthru.v1.PassthruService/CallNodeMethod', 'application/grpc+proto'],
  ])('over %s', async (_way, path, type) => {
    const body = Buffer.alloc(1024 * 1024 - 100);
    // The length of a gRPC message; ordinary content for the other protocols.
    body.writeUInt32BE(body.length, 1);
    const before = bufferMemory();
    const session = connect(service.url);
    const headers = { ':method': 'POST', ':path': path, 'content-type': type, te: 'trailers' };
    const streams = Array.from({ length: 64 }, () =>
      session.request({ ...headers, ...basic('anna', 'wrong').headers }, { endStream: false }),
    );
    for (const stream of streams) stream.on('error', () => {});
    // By flow control, all that was written has been read, except for the last 64 KiB.
    await Promise.all(
      streams.map((stream) => new Promise((resolve) => stream.write(body.subarray(0, body.length - 1), resolve))),
    );
    // A body that is kept stays for as long as its stream is open; what is in flight does not.
    await expect.poll(() => bufferMemory() - before, { timeout: 20_000 }).toBeLessThan(16);
    session.destroy();
    await once(session, 'close');
  });
});

test('one connection cannot queue requests behind a waiting one', async () => {
  const { hostname, port } = new URL(service.url);
  const socket = createConnection(Number(port), hostname).on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let received = '';
  socket.on('data', (bytes) => {
    received += bytes;
  });
  const { authorization } = basic('anna', 'queued').headers as { authorization: string };
  const one = `GET /v1/nodes HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`;
  socket.write(one.repeat(5000));
  await closed;
  expect((received.match(/HTTP\/1\.1/g) ?? []).length).toBeLessThan(1000);
});
