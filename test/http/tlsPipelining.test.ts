import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { startListener } from '../../src/http/listener.ts';
import { LISTENER_LIMITS } from '../defaultLimits.ts';
import { selfSigned } from '../sim/selfSigned.ts';

/** More than the buffers of a connection on loopback hold. */
const LARGE = Buffer.alloc(20 * 1024 * 1024);

test('under TLS a request whose body arrives in pieces is served while the large response before it is still unread', async ({
  onTestFinished,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { key, cert } = selfSigned();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const requested = Promise.withResolvers<void>();
  const listener = await startListener({
    host: '127.0.0.1',
    port: 0,
    log: silentLogger,
    handle: (request, response) => {
      if (request.method === 'GET') {
        response.end(LARGE);
        requested.resolve();
      } else {
        buffer(request as IncomingMessage).then(
          (body) => response.end(body),
          () => {},
        );
      }
    },
    endsInTime: () => true,
    stop: { streams: new AbortController(), calls: new AbortController() },
    limits: LISTENER_LIMITS,
    tls: { certFile, keyFile, clientCaFile: null, requireClientCertificate: false },
  });
  onTestFinished(() => listener.close(0));

  const plain = connectPlain(Number(new URL(listener.url).port), '127.0.0.1');
  const carrier = new Carrier(plain);
  const client = connect({ socket: carrier, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  await once(client, 'secureConnect');
  await send(client, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await requested.promise;
  carrier.hold();
  await send(client, 'POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 8\r\n\r\n');
  await send(client, 'the body');
  expect(carrier.held).toBeGreaterThan(1);
  carrier.release();
  const received = await buffer(client);
  expect(received.length).toBeGreaterThan(LARGE.length);
  expect(received.subarray(-8).toString()).toBe('the body');
});

function send(client: TLSSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => client.write(text, (error) => (error ? reject(error) : resolve())));
}

/** Carries a connection, and can hold TLS records back so that they arrive at once. */
class Carrier extends Duplex {
  readonly #socket: Socket;
  #held: Buffer[] | null = null;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (data) => {
      if (!this.push(data)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', () => this.push(null));
  }

  get held(): number {
    return this.#held?.length ?? 0;
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const all = Buffer.concat(this.#held ?? []);
    this.#held = null;
    this.#socket.write(all);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#held === null) this.#socket.write(data);
    else this.#held.push(data);
    done();
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }
}
