import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { openStore } from '../../src/store/open.ts';
import { type PostgresServer, startPostgres } from '../store/embeddedPostgres.ts';
import { nodeCall, operator, startCoreOn } from './harness.ts';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.remove());

test('a node whose reservation was carried out after the caller had given it up is free again by itself, and a running call keeps its own', async () => {
  const proxy = await startDelayingProxy(server.port);
  const database = await server.createDatabase();
  const url = new URL(server.url(database));
  url.port = String(proxy.port);
  const { core, store, hardware } = await startCoreOn(await openStore(url.href, { log: silentLogger }), 'host-a');
  for (const name of ['n1', 'n2']) await core.nodes.create({ name, driver: 'gated' }, operator);
  const reserved = async () =>
    (await server.query<{ name: string }>(RESERVED, database)).map(({ name }) => name).join(', ');

  const running = core.callNodeMethod(nodeCall('exclusive', { node: 'n2' }));
  const { finish } = await hardware.call(0);
  proxy.delay();
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'store_unavailable' });
  // The process has told the store to end what it may have there when it gets the node again.
  const wrong = () => core.callNodeMethod(nodeCall('exclusive', { lockWait: 0, arguments: { count: 'x' } }));
  await vi.waitFor(() => expect(wrong()).rejects.toMatchObject({ kind: 'invalid_argument' }), { timeout: 10_000 });
  proxy.deliver();
  await expect.poll(reserved, { timeout: 5000, interval: 5 }).toBe('n1, n2');
  await expect.poll(reserved, { timeout: 20_000 }).toBe('n2');

  finish('kept its own');
  expect(await running).toMatchObject({ result: 'kept its own' });
  const next = core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }));
  (await hardware.call(1)).finish('again');
  expect(await next).toMatchObject({ result: 'again' });
  await core.shutdown(0);
  await store.close();
  await proxy.close();
}, 60_000);

const RESERVED = `select nodes.name from reservations join nodes on nodes.uuid = node_uuid
  where reservations.kind = 'call' order by nodes.name`;

/** A way to the server that keeps back one reservation for the method, and delivers it when its sender has long gone. */
async function startDelayingProxy(port: number) {
  const sockets = new Set<Socket>();
  let armed = false;
  let deliver = () => {};
  const way = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let held: Buffer[] | null = null;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (data) => {
      if (armed && data.includes('exclusive')) {
        armed = false;
        held = [];
        deliver = () => {
          for (const chunk of held ?? []) upstream.write(chunk);
        };
      }
      if (held === null) upstream.write(data);
      else held.push(data);
    });
    upstream.on('data', (data) => client.write(data));
    client.on('close', () => {
      if (held === null) upstream.destroy();
    });
    upstream.on('close', () => client.destroy());
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  return {
    port: (way.address() as AddressInfo).port,
    delay() {
      armed = true;
    },
    deliver: () => deliver(),
    async close() {
      for (const socket of sockets) socket.destroy();
      way.close();
      await once(way, 'close');
    },
  };
}
