import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A Keystone that knows tokens by the name of their role on the system: `admin-token`, `reader-token`, … */
export interface FakeKeystone {
  url: string;
  close(): void;
}

export async function startFakeKeystone(): Promise<FakeKeystone> {
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      response.writeHead(201, { 'x-subject-token': 'own' }).end(JSON.stringify({ token: { expires_at: expires } }));
      return;
    }
    const role = /^(admin|reader)-token$/.exec(String(request.headers['x-subject-token']))?.[1];
    if (role === undefined) return void response.writeHead(404).end('{}');
    const user = { name: 'ann', domain: { id: 'default', name: 'Default' } };
    const token = { expires_at: expires, user, roles: [{ name: role }], system: { all: true } };
    response.writeHead(200).end(JSON.stringify({ token }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
