import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createRedfishClients } from '../../../src/redfish/index.ts';
import { selfSigned } from '../../sim/selfSigned.ts';
import { forever, target } from '../target.ts';

test('a BMC that offers broken HTTP/2 gets HTTP/1.1', async () => {
  const served: string[] = [];
  const server = createSecureServer({ ...selfSigned(), allowHTTP1: true }, (request, response) => {
    served.push(request.httpVersion);
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  });
  let http2Sessions = 0;
  server.on('session', (session) => {
    http2Sessions++;
    session.destroy();
  });
  // What the client offers in its hello, out of which a BMC may choose.
  const negotiated: unknown[] = [];
  server.on('secureConnection', ({ alpnProtocol }) => negotiated.push(alpnProtocol));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clients = createRedfishClients();
  try {
    const account = { username: 'u', password: 'p', authType: 'basic' as const };
    const connection = { tls: { verifyCa: false, minimumVersion: null, ciphers: null }, keepAlive: true };
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = clients.for(target(url, { account, connection }), { signal: forever });
    expect(await Promise.all([1, 2, 3].map(() => client.get('/a')))).toEqual([{}, {}, {}]);
    expect(served).toEqual(['1.1', '1.1', '1.1']);
    expect(http2Sessions).toBe(0);
    expect(negotiated).not.toContain('h2');
  } finally {
    await clients.close();
    server.close();
  }
});
