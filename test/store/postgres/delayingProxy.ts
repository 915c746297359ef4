import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy that can delay a message, and delivers it even when its sender is gone. */
export interface DelayingProxy {
  port: number;
  /** Delays the next message that contains `text`, and all later ones of that client. */
  delay(text: string): void;
  /** Delivers the delayed messages. */
  deliver(): void;
  close(): Promise<void>;
}

/** @param port of the server on this machine */
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
