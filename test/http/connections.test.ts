import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { peerOf, plainAddress } from '../../src/net/networks.ts';
import { makeAuthority } from '../auth/certificates.ts';
import { startTestService, type TestService } from '../rpc/service.ts';

let service: TestService;
const sockets: Socket[] = [];
const agent = new Agent({ keepAlive: true });

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  agent.destroy();
  await service[Symbol.asyncDispose]();
});

/** Opens a silent connection from that address. */
async function silent(localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: Number(new URL(service.url).port), host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** Resolves when the service has closed the connection. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function health(localAddress = '127.0.0.1'): Promise<number | undefined> {
  const [response] = (await once(get(`${service.url}/healthz`, { agent, localAddress }), 'response')) as [
    IncomingMessage,
  ];
  await response.toArray();
  return response.statusCode;
}

/** Starts a call that stays open, on a new connection. */
async function staying(): Promise<Socket> {
  const socket = await silent();
  socket.write('POST /v1/nodes/n1/vendor_passthru?method=until_aborted HTTP/1.1\r\nHost: a\r\n');
  socket.write('X-OpenStack-Ironic-API-Version: 1.80\r\nContent-Length: 0\r\n\r\n');
  await expect.poll(async () => (await service.core.nodes.get('n1')).reservation).not.toBeNull();
  return socket;
}

describe('at the connection limit', () => {
  test('the longest idle connection is closed', async () => {
    service = await startTestService({ limits: { maxConnections: 3 } });
    const [first, second, third] = [await silent(), await silent(), await silent()];
    const closed = closing(first);
    expect(await health()).toBe(200);
    await closed;
    expect([second.destroyed, third.destroyed]).toEqual([false, false]);
  });

  test('a connection with half a header is idle', async () => {
    service = await startTestService({ limits: { maxConnections: 2 } });
    const [first, second] = [await silent(), await silent()];
    for (const socket of [first, second]) socket.write('GET / HTTP/1.1\r\nX-Slow: ');
    const closed = closing(first);
    expect(await health()).toBe(200);
    await closed;
  });

  test('the peer with the most idle connections loses one, not the first to connect', async () => {
    service = await startTestService({ limits: { maxConnections: 3 } });
    expect(await health('127.0.0.2')).toBe(200);
    const crowd = await silent();
    await silent();
    const closed = closing(crowd);
    const session = connectHttp2(service.url);
    await once(session, 'remoteSettings');
    await closed;
    expect(await health('127.0.0.2')).toBe(200);
    session.destroy();
  });

  test('a connection with a running call stays, and a new one gets 503 with Retry-After', async () => {
    service = await startTestService({ limits: { maxConnections: 1 } });
    await service.createNode('n1');
    const call = await staying();
    const [response] = await once(get(`${service.url}/healthz`), 'response');
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
    response.resume();
    expect(call.destroyed).toBe(false);
    call.destroy();
    await service.aborted;
    await expect.poll(() => health()).toBe(200);
  });
});

test('connections are limited per peer, and another peer is still served', async () => {
  service = await startTestService({ limits: { maxConnectionsPerPeer: 1 } });
  await service.createNode('n1');
  await staying();
  expect(await health()).toBe(503);
  expect(await health('127.0.0.2')).toBe(200);
});

test('under TLS, too, a connection with a running call stays, over either version of HTTP', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-connections-'));
  const authority = makeAuthority('an authority');
  const own = authority.issue({ loopback: true });
  const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  writeFileSync(certFile, own.cert);
  writeFileSync(keyFile, own.key);
  service = await startTestService({
    limits: { maxConnections: 2 },
    tls: { certFile, keyFile, clientCaFile: null, requireClientCertificate: false },
  });
  for (const name of ['n1', 'n2']) await service.createNode(name);
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.80' };
  const path = (node: string) => `/v1/nodes/${node}/vendor_passthru?method=until_aborted`;
  const options = { ca: authority.cert, agent: false, method: 'POST', headers };
  const first = httpsRequest(service.url + path('n1'), options).on('error', () => {});
  first.end();
  const session = connectHttp2(service.url, { ca: authority.cert });
  session
    .request({ ':method': 'POST', ':path': path('n2'), ...headers })
    .on('error', () => {})
    .end();
  const busy = async () =>
    (await Promise.all(['n1', 'n2'].map((name) => service.core.nodes.get(name)))).filter(
      ({ reservation }) => reservation !== null,
    ).length;
  await expect.poll(busy).toBe(2);
  const third = await silent();
  if (!third.destroyed) await closing(third);
  expect(await busy()).toBe(2);
  session.destroy();
  await expect.poll(busy).toBe(1);
  await silent();
  await silent();
  expect(await busy()).toBe(1);
  first.destroy();
  rmSync(folder, { recursive: true });
});

test('1,100 slow connections, more than one peer may have, do not keep that peer from being served', async () => {
  service = await startTestService();
  const slow = await Promise.all(Array.from({ length: 1100 }, () => silent()));
  for (const socket of slow) socket.write('GET / HTTP/1.1\r\nX-Slow: ');
  expect(await health()).toBe(200);
  const session = connectHttp2(service.url);
  const [headers] = await once(session.request({ ':path': '/healthz' }).resume(), 'response');
  expect(headers[':status']).toBe(200);
  session.destroy();
});

test('connections that are opened and dropped free their place', async () => {
  service = await startTestService({ limits: { maxConnections: 20, maxConnectionsPerPeer: 20 } });
  for (let round = 0; round < 20; round++) {
    const opened = await Promise.all(Array.from({ length: 10 }, () => silent()));
    for (const socket of opened) socket.resetAndDestroy();
  }
  expect(await health()).toBe(200);
});

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::ffff:a00:1', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
  ['::1:2:3:4:5:6', '0:0:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1::', '1:0:0:0::/64'],
])('%s counts as %s', (address, peer) => {
  expect(peerOf(address)).toBe(peer);
});

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::FFFF:10.0.0.1', '10.0.0.1'],
  ['::ffff:a00:1', '::ffff:a00:1'],
  ['2001:db8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
])('%s is shown as %s', (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});
