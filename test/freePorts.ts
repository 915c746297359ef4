import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Returns ports of 127.0.0.1 that are free now, for processes that listen on the same one after each start. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}
