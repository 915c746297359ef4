import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that can cut the connections it carries. */
export interface CuttingProxy {
  /** `127.0.0.1:PORT` */
  address: string;
  /** Cuts all connections once, when the service has sent `chunks` more pieces of data. */
  cutAfter(chunks: number): void;
  /** Returns the number of connections cut so far. */
  cuts(): number;
  close(): Promise<void>;
}

/** Starts a proxy to the service at `url`. */
export async function startCuttingProxy(url: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let chunksLeft = Number.POSITIVE_INFINITY;
  let cuts = 0;
  const server = createServer((client) => {
    const service = connect(Number(port), hostname);
    for (const [one, other] of [
      [client, service],
      [service, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      // `close` follows and ends the other side.
      one.on('error', () => {});
      one.on('data', (data) => {
        if (one === service && --chunksLeft <= 0) cutAll();
        else other.write(data);
      });
    }
  });
  const cutAll = () => {
    chunksLeft = Number.POSITIVE_INFINITY;
    cuts += sockets.size / 2;
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (chunks) => {
      chunksLeft = chunks;
    },
    cuts: () => cuts,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
