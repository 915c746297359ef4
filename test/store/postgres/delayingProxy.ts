import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a database that delivers what it is told to keep back also when the sender has long gone. */
export interface DelayingProxy {
  port: number;
  /** Keeps back the next message of a client that has `text` in it, and all that this client sends after it. */
  delay(text: string): void;
  /** Delivers what was kept back. */
  deliver(): void;
  close(): Promise<void>;
}

/** @param port where the server of the same machine listens */
export async function startDelayingProxy(port: number): Promise<DelayingProxy> {
  const sockets = new Set<Socket>();
  let wanted: string | null = null;
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
      if (wanted !== null && data.includes(wanted)) {
        wanted = null;
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
    delay(text) {
      wanted = text;
    },
    deliver: () => deliver(),
    async close() {
      for (const socket of sockets) socket.destroy();
      way.close();
      await once(way, 'close');
    },
  };
}
