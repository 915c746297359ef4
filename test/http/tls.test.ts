import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import type { ListenerTls } from '../../src/http/tls.ts';
import { type Authority, type Identity, makeAuthority } from '../auth/certificates.ts';
import { type ConfiguredService, startConfiguredService } from '../auth/guardedService.ts';
import { PROTOCOLS, Requests } from '../auth/requests.ts';
import { startTestService } from '../rpc/service.ts';
import { HELLO } from './http2Frames.ts';

const TLS = 'tls: { cert_file: cert.pem, key_file: key.pem }\n';

let authority: Authority;
let server: Identity;
beforeAll(() => {
  authority = makeAuthority('Authority');
  server = authority.issue({ commonName: 'first', loopback: true });
});

function files(): Record<string, string> {
  return { 'cert.pem': server.cert, 'key.pem': server.key, 'ca.pem': authority.cert };
}

function tlsOf({ folder }: ConfiguredService): ListenerTls {
  const file = (name: string) => join(folder, name);
  return { certFile: file('cert.pem'), keyFile: file('key.pem'), clientCaFile: null, requireClientCertificate: false };
}

async function open(service: Pick<ConfiguredService, 'url'>, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(service.url).port),
    ca: authority.cert,
    ...options,
  });
  await once(socket, 'secureConnect');
  return socket;
}

function getHttp1(service: ConfiguredService, path: string, proof: Partial<Identity> = {}): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(`${service.url}${path}`, { ca: authority.cert, agent: false, ...proof }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    sent.end();
  });
}

describe('one port under TLS', () => {
  let service: ConfiguredService;
  beforeAll(async () => {
    service = await startConfiguredService(TLS, files());
  });
  afterAll(() => service[Symbol.asyncDispose]());

  test('its URL is https, and HTTP/1.1 and HTTP/2 are served by ALPN', async () => {
    expect(service.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await getHttp1(service, '/healthz')).toBe(200);
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
    ] as const) {
      const socket = await open(service, { ALPNProtocols: [...offered] });
      expect(socket.alpnProtocol).toBe(chosen);
      socket.destroy();
    }
  });

  test('REST, gRPC, gRPC-Web and Connect are served', async () => {
    using requests = new Requests(service.url, {}, authority.cert);
    expect((await requests.rest('GET', '/v1/nodes')).status).toBe(200);
    for (const protocol of PROTOCOLS) {
      expect([protocol, await requests.rpc(protocol, 'passthru.v1.NodeService/ListNodes', false)]).toEqual([
        protocol,
        null,
      ]);
    }
  });

  test('TLS 1.2 and 1.3 are accepted, 1.1 is not', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await open(service, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(open(service, old)).rejects.toThrow(/protocol version|EPROTO|unsupported/i);
  });

  test('a connection without TLS is closed', async () => {
    await expect(fetch(service.url.replace('https', 'http'))).rejects.toThrow();
    expect(await getHttp1(service, '/healthz')).toBe(200);
  });

  test('HTTP/2 without ALPN is disconnected and does not affect the next session', async () => {
    await using tlsService = await startTestService({
      tls: tlsOf(service),
      limits: { pingInterval: 200 },
    });
    for (const options of [{}, { ALPNProtocols: ['http/1.1'] }]) {
      const socket = await open(tlsService, options);
      socket
        .on('error', () => {})
        .resume()
        .write(HELLO);
      await once(socket, 'close');
    }
    const session = connectHttp2(tlsService.url, { ca: authority.cert });
    let pings = 0;
    session.on('ping', () => pings++);
    await once(session, 'ping');
    // The response comes after any other ping that was sent with the first.
    await promisify(session.ping.bind(session))();
    expect(pings).toBe(1);
    session.destroy();
  });

  test('the listener closes while a connection is open and one is still in its handshake', async () => {
    const tlsService = await startConfiguredService(TLS, files());
    const socket = await open(tlsService, { ALPNProtocols: ['h2'] });
    const silent = connectPlain(Number(new URL(tlsService.url).port), '127.0.0.1');
    await once(silent, 'connect');
    const closed = Promise.all([once(socket, 'close'), once(silent, 'close')]);
    for (const each of [socket, silent]) each.on('error', () => {}).resume();
    await tlsService[Symbol.asyncDispose]();
    await closed;
    await expect(fetch(tlsService.url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });
});

test('a client that sends nothing, not even a handshake, is disconnected', async () => {
  await using plain = await startConfiguredService(TLS, files());
  await using service = await startTestService({
    limits: { firstBytesTimeout: 100 },
    tls: tlsOf(plain),
  });
  const silent = connectPlain(Number(new URL(service.url).port), '127.0.0.1');
  silent.on('error', () => {});
  silent.resume();
  await once(silent, 'close');
  expect(silent.bytesRead).toBe(0);
});

test('new certificates apply to new connections, and mismatched ones never do', async () => {
  const said: { level: string; fields: object }[] = [];
  let heard = Promise.withResolvers<void>();
  const hear = (level: string) => (fields: object, message: string) => {
    if (!message.includes('certificates')) return;
    said.push({ level, fields });
    heard.resolve();
  };
  const log = { ...silentLogger, info: hear('info'), error: hear('error') };
  await using service = await startConfiguredService(TLS, files(), log);
  const write = (name: string, text: string) => writeFileSync(join(service.folder, name), text);
  const commonName = async () => {
    const socket = await open(service);
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  };
  const unaffected = await open(service);
  const next = authority.issue({ commonName: 'second', loopback: true });
  write('cert.pem', next.cert);
  await heard.promise;
  expect(said.at(-1)?.level).toBe('error');
  expect(await commonName()).toBe('first');
  heard = Promise.withResolvers();
  write('key.pem', next.key);
  await heard.promise;
  expect(said.at(-1)?.level).toBe('info');
  expect(await commonName()).toBe('second');
  expect(unaffected.destroyed).toBe(false);
  unaffected.destroy();
});

describe('client certificates', () => {
  test('with any other auth.type a connection without a valid certificate is refused for any request', async () => {
    await using service = await startConfiguredService(
      'tls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem }',
      files(),
    );
    expect(await getHttp1(service, '/healthz', authority.issue({ commonName: 'a' }))).toBe(200);
    expect(await getHttp1(service, '/healthz')).toEqual(expect.any(String));
    const stranger = makeAuthority('Strangers').issue({ commonName: 'a' });
    expect(await getHttp1(service, '/healthz', stranger)).toEqual(expect.any(String));
  });

  test('with auth.type client_certificate the names identify the caller, over HTTP/1.1 too; without one there is no role', async () => {
    await using service = await startConfiguredService(
      `auth: { type: client_certificate, roles: { 'a, DNS:root.example': reader, root.example: admin, rita@x.example: reader } }
tls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem }`,
      files(),
    );
    const statusFor = async (subject: Parameters<Authority['issue']>[0]) => {
      using requests = new Requests(service.url, { tls: authority.issue(subject) }, authority.cert);
      return (await requests.rest('POST', '/v1/nodes', {})).status;
    };
    expect(await statusFor({ dns: ['root.example'] })).toBe(400);
    expect(await statusFor({ commonName: 'root.example' })).toBe(400);
    expect(await statusFor({ email: ['rita@x.example'] })).toBe(403);
    // A name that could be taken for two.
    expect(await statusFor({ uri: ['a, DNS:root.example'] })).toBe(403);
    expect(await statusFor({ commonName: 'unlisted' })).toBe(403);
    expect(await statusFor({})).toBe(401);
    expect(await statusFor({ commonName: 'root.example', validity: ['200101000000Z', '210101000000Z'] })).toBe(401);
    expect(await statusFor({ commonName: 'root.example', validity: ['480101000000Z', '490101000000Z'] })).toBe(401);
    expect(await statusFor({ commonName: 'root.example', usage: 'server' })).toBe(401);
    expect(await statusFor({ commonName: 'root.example\n' })).toBe(401);
    expect(await getHttp1(service, '/v1/nodes', authority.issue({ commonName: 'root.example' }))).toBe(200);
    expect(await getHttp1(service, '/v1/nodes')).toBe(401);
    expect(await getHttp1(service, '/healthz')).toBe(200);
  });
});
